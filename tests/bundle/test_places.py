"""A model that reads with encoders of others brings them along, and does not tell where they lay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crafting import pack_members, pretrained_members, put

from fathometer.api import shipping
from fathometer.bundle import Member, open_bundle, pack
from fathometer.bundle.golden import golden_of
from fathometer.data.wire import from_wire
from fathometer.engines.inline import Inline
from fathometer.errors import BadBundle, UserError

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Member]]:
    folder = tmp_path_factory.mktemp("encoders of jane")
    members = pretrained_members(folder / "trials")
    return pack_members(folder / "made", members), members


def texts_below(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.json"))


def test_no_place_of_an_encoder_is_in_a_packed_model(made: tuple[Path, list[Member]]) -> None:
    model, members = made
    assert "encoders of jane" in texts_below(members[0].folder)  # the run's own files still say where
    assert "encoders of jane" not in texts_below(model)


def test_a_packed_model_is_packed_again_with_its_encoders(
    made: tuple[Path, list[Member]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_engine", Inline)
    model, told = made[0], json.loads((made[0].parent / "rows.json").read_text())
    cells = [[from_wire(cell) for cell in row] for row in told["rows"]]
    rows = pd.DataFrame(cells, columns=told["columns"], dtype=object)
    copied = Path(shutil.copytree(model, tmp_path / "copied"))
    for key in open_bundle(model).mixes:
        packed = open_bundle(shipping.pack(copied, tmp_path / f"{key}.fathom", family=key))
        assert packed.predict(rows).equals(open_bundle(model).predict(rows, key))
        packed.check()
        if key.startswith("frozen"):  # who tuned an encoder holds its own
            assert len(list((packed.folder / "encoders").iterdir())) == 1
        assert {"torch"} < set(packed.requires)


def test_what_is_no_part_of_an_encoder_may_not_lie_beside_it(
    made: tuple[Path, list[Member]], tmp_path: Path
) -> None:
    told = json.loads((made[0].parent / "rows.json").read_text())
    cells = [[from_wire(cell) for cell in row] for row in told["rows"]]
    rows = pd.DataFrame(cells, columns=told["columns"], dtype=object)
    copied = Path(shutil.copytree(made[0], tmp_path / "copied"))
    folders = sorted(path.parent for path in copied.rglob("config.json") if "Pooling" not in str(path))
    put(copied, {f"{path.relative_to(copied)}/adapter_config.json": b"{}" for path in folders})
    bundle = open_bundle(copied)
    for key in bundle.mixes:
        with pytest.raises(UserError, match=r"adapter_config\.json"):
            bundle.predict(rows, key)


def test_who_reads_with_an_encoder_may_be_off_by_more(
    made: tuple[Path, list[Member]], tmp_path: Path
) -> None:
    """Encoders may read in bfloat16, and another processor's sums of that differ in the third digit."""
    members, bundle = made[1], open_bundle(made[0])
    golden = golden_of(bundle, None)
    for off, fits in ((0.005, True), (0.05, False)):
        said = {name: (np.asarray(told) + off).tolist() for name, told in golden["answers"].items()}
        pack(
            tmp_path / "model", schema=bundle.schema, task=bundle.task, members=members, mixes=bundle.mixes,
            default=bundle.default, about={}, golden=lambda draft, said=said: golden | {"answers": said},
        )  # fmt: skip
        again = open_bundle(tmp_path / "model")
        if fits:
            again.check()
        else:
            with pytest.raises(BadBundle, match="off by"):
                again.check()
