"""Encoders of one's own: trained without answers, written as data, the same again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import pictures, texts

from fathometer.data.encoder_files import Encoder, encoder_at
from fathometer.data.encoders import find_encoders
from fathometer.data.rows import Rows
from fathometer.data.storage import write_rows
from fathometer.errors import UnsuitableData
from fathometer.kind import KINDS
from fathometer.learner import LEARNERS, Run
from fathometer.learners._encoders import Encoding, Source
from fathometer.learners._pretraining import pretrain, run_pretraining
from fathometer.testing.learners import LAWS, Case, make_toy


def embedded(encoder: Encoder, values: pd.Series) -> np.ndarray:
    source = Source(encoder.digest, encoder.folder, encoder.form, encoder.kind)
    length = 256 if encoder.kind == "text" else 0
    return Encoding(source, False, length).embed(values)


def toy_values(kind: str, count: int = 240) -> pd.Series:
    signal = np.random.default_rng(0).random(count)
    cells = KINDS.get(kind)().toy(signal, np.random.default_rng(1))
    return KINDS.get(kind)().read(cells, KINDS.get(kind)().learn_reading(cells))


@pytest.fixture(scope="module", params=["text", "image"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Run]:
    run = Run(seed=3, seconds=3)
    return pretrain(toy_values(request.param), request.param, run, tmp_path_factory.mktemp("own")), run


def test_it_is_found_by_its_folder(made: tuple[Encoder, Run]) -> None:
    encoder, _ = made
    (found,) = find_encoders([encoder.folder], [encoder.kind])
    assert (found.digest, found.form, found.width) == (encoder.digest, "fathometer", encoder.width)
    assert found.learned_from == f"240 {'texts' if found.kind == 'text' else 'pictures'} without answers"


def test_the_same_seed_gives_the_same_encoder(made: tuple[Encoder, Run], tmp_path: Path) -> None:
    encoder, run = made
    again = Run(seed=3, seconds=3, decided=dict(run.decided), replaying=True)
    assert pretrain(toy_values(encoder.kind), encoder.kind, again, tmp_path).digest == encoder.digest


def test_each_value_is_read_by_itself(made: tuple[Encoder, Run]) -> None:
    encoder, _ = made
    values = texts(40) if encoder.kind == "text" else pictures(40)
    whole = embedded(encoder, values)
    assert whole.shape == (40, encoder.width)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[values.isna()], 0)
    np.testing.assert_allclose(embedded(encoder, values.iloc[[7]])[0], whole[7], atol=1e-5)
    np.testing.assert_allclose(embedded(encoder, values.iloc[::-1])[::-1], whole, atol=1e-5)


@pytest.mark.parametrize("law", LAWS)
def test_learners_on_it_keep_the_law(made: tuple[Encoder, Run], law: str) -> None:
    encoder, _ = made
    recipe = LEARNERS.get("frozen")(encoder=encoder.digest, folder=encoder.folder, form=encoder.form)
    LAWS[law](Case(recipe, "frozen", make_toy(f"{encoder.kind} alone", [encoder.kind], 2)))


def test_a_worker_takes_an_order_of_plain_data(tmp_path: Path) -> None:
    values = toy_values("image")
    (tmp_path / "rows").mkdir()
    write_rows(tmp_path / "rows", Rows(pd.DataFrame({"picture": values}), {"picture": "image"}))
    order = {"rows": str(tmp_path / "rows"), "column": "picture", "kind": "image", "seconds": 1.0, "seed": 1}
    done = run_pretraining({**order, "place": str(tmp_path / "own"), "learned_from": "a shoe box"})
    assert done["encoder"]["digest"] == encoder_at(tmp_path / "own").digest
    assert done["encoder"]["learned_from"] == "a shoe box"


def test_too_little_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableData, match="at least 100 texts"):
        pretrain(texts(50), "text", Run(), tmp_path)
    with pytest.raises(UnsuitableData, match="kind number"):
        pretrain(pd.Series(range(500)), "number", Run(), tmp_path)
