"""Networks that have learned from a table's own rows, answers and all, are no start for a run on it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fathometer.core.files import write_json
from fathometer.data.rows import Rows
from fathometer.data.storage import write_rows
from fathometer.errors import UserError
from fathometer.study.ledger import RUN_FORMAT
from fathometer.study.prepare import _refuse_seen


def texts(*said: str) -> Rows:
    return Rows(pd.DataFrame({"said": said}, dtype=object), {"said": "text"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_rows(tmp_path, texts("one text", "another text"))
    told = {"format": RUN_FORMAT, "schema": {"columns": [{"name": "said", "kind": "text"}]}}
    write_json(tmp_path / "run.json", told)
    (tmp_path / "folds.safetensors").touch()
    for inside in ("model/members/r0f0-bag-1234/encoder", "trials/r0f0-bag-1234/model", "unlabelled/encoder"):
        (tmp_path / inside).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "model",
        "model/members/r0f0-bag-1234",
        "model/members/r0f0-bag-1234/encoder",
        "trials/r0f0-bag-1234/model",
    ],
)
def test_whatever_part_of_the_run_is_named(run: Path, inside: str) -> None:
    with pytest.raises(UserError, match="has learned from 1 value of this data"):
        _refuse_seen(run / inside, texts("another text", "a third one"))
    _refuse_seen(run / inside, texts("a third one"))


def test_by_another_way_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run / "model" / "members")
    with pytest.raises(UserError, match="has learned from"):
        _refuse_seen(Path("r0f0-bag-1234"), texts("one text"))


def test_what_was_trained_without_answers_knows_none(run: Path) -> None:
    _refuse_seen(run / "unlabelled" / "encoder", texts("one text"))


def test_a_short_text_that_many_people_say_is_no_row_seen_before(run: Path) -> None:
    _refuse_seen(run, texts("one text", *(f"another thing number {number}" for number in range(20))))


def test_one_long_text_is_enough(tmp_path: Path, run: Path) -> None:
    long = "nobody says these eight words twice in one life"
    write_rows(run, texts(long, "another text"))
    with pytest.raises(UserError, match="has learned from 1 value"):
        _refuse_seen(run, texts(long, *(f"a thing number {number}" for number in range(20))))
