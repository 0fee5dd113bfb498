"""A model folder of any earlier format opens, and answers as it did on the day it was made.

`old/<format>/` holds a model as it was written then (a folder `model/`, or a file `model.fathom`, or both), the rows
asked, and what each competitor and each member answered. These files are never made again: a change that breaks them
breaks everyone's models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle import open_bundle
from fathometer.data.wire import from_wire
from fathometer.errors import BadBundle

OLD = Path(__file__).parent / "old"
KEPT = sorted(path for folder in OLD.iterdir() if folder.is_dir() for path in folder.glob("model*"))
NETWORKS = ("mlp",)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rows_asked(folder: Path) -> pd.DataFrame:
    asked = read(folder / "rows.json")
    cells = [[from_wire(cell) for cell in row] for row in asked["rows"]]
    return pd.DataFrame(cells, columns=asked["columns"], dtype=object)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.relative_to(OLD)))
def test_a_kept_model_answers_as_on_the_day_it_was_made(path: Path) -> None:
    # CatBoost's members were kept in its own binary form, which is opened for those who trust the maker alone
    bundle = open_bundle(path, trust_native=True)
    rows = bundle.schema.read(rows_asked(path.parent))
    wanted = read(path.parent / "answers.json")
    assert set(wanted) >= {*bundle.mixes, *(f"member:{key}" for key in bundle.learners)}
    for name in bundle.mixes:
        uses_network = any(bundle.learners[key] in NETWORKS for mix in bundle.mixes[name] for key in mix)
        answer = bundle.predict_raw(rows, name)
        np.testing.assert_allclose(answer, wanted[name], rtol=0, atol=1e-6 if uses_network else 1e-9)
    for key, learner in bundle.learners.items():
        answer = bundle.member(key).predict(rows)
        tolerance = 1e-6 if learner in NETWORKS else 1e-9
        np.testing.assert_allclose(answer, wanted[f"member:{key}"], rtol=0, atol=tolerance)


def test_a_member_in_a_form_of_another_library_is_opened_for_those_alone_who_say_that_they_trust_it() -> None:
    bundle = open_bundle(OLD / "1" / "model")
    with pytest.raises(BadBundle, match="trust"):
        bundle.member("t-catboost")
    bundle.member("t-tree")


def test_every_format_so_far_is_kept() -> None:
    assert {folder.name for folder in OLD.iterdir() if folder.is_dir()} >= {"1", "2"}
    assert {open_bundle(path).format for path in KEPT} == {1, 2}


def test_a_kept_model_of_the_newest_format_has_all_that_goes_with_it() -> None:
    with open_bundle(OLD / "2" / "model.fathom") as bundle:
        bundle.check()
        assert bundle.golden is not None and len(bundle.golden["rows"]) == 32
        assert bundle.reference is not None and len(bundle.reference["columns"]) == 4
        assert bundle.verdict is not None
        assert "numpy" in bundle.requires
