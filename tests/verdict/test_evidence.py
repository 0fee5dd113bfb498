"""Evidence is gathered from a record of any age, and says nothing of time that was not used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from fathometer.data.rows import Rows
from fathometer.data.splits import make_splits
from fathometer.study.ledger import Ledger, Trial
from fathometer.study.outcome import measure
from fathometer.study.run import begin
from fathometer.tasks.classification import Classification
from fathometer.verdict.evidence import answer, gather
from fathometer.verdict.result import as_json

TASK = Classification("y", "accuracy", 0.5, ("a", "b"))
ROWS = 400


def a_run(folder: Path, last: float = 50.0) -> Path:
    """Three folds by both families; the second recipe of each family ends at second `last` of 60."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, ROWS)
    splits = make_splits(target, np.arange(ROWS), None, False, 0)
    facts = {
        "task": TASK.to_json(),
        "budget": 60.0,
        "workers": 1,
        "family_share": 0.4,
        "data": {"rows": ROWS, "columns": 1, "origin": "toy"},
        "schema": {"columns": [{"name": "x", "kind": "number"}]},
        "request": {},
        "left_out": [],
        "understood": [],
        "findings": [],
        "created": "",
        "versions": {},
        "machine": {},
        "seed": 0,
    }
    begin(
        folder,
        Rows(pd.DataFrame({"x": np.zeros(ROWS)}), {"x": "number"}, target),
        splits,
        facts,
        np.arange(ROWS),
    )
    arrays, ledger = load_file(folder / "folds.safetensors"), Ledger(folder)
    for number, (family, errors, at) in enumerate(
        (("baseline", 0.5, 1.0), ("classical", 0.2, 5.0), ("deep", 0.3, 8.0), ("deep", 0.1, last))
    ):
        wrong = rng.random(ROWS) < errors
        said = np.where((target ^ wrong)[:, None] == np.arange(2), 0.9, 0.1)
        for fold in ("r0f0", "r0f1", "r0f2"):
            scratch = ledger.scratch()
            parts = {part: np.ascontiguousarray(said[arrays[f"{fold}.{part}"]]) for part in ("valid", "test")}
            save_file(parts, scratch / "predictions.safetensors")
            (scratch / "model").mkdir()
            name = f"{family}{number}"
            trial = Trial(
                f"{fold}-{name}", family, name, name, {}, 1, fold, 0, "presets", "done", valid_loss=0.5, at=at
            )
            ledger.commit(trial, scratch)
    return folder


def test_the_answer_alone_is_the_answer_of_all_evidence(tmp_path: Path) -> None:
    outcome = measure(a_run(tmp_path))
    alone, whole = answer(outcome).verdict, gather(tmp_path, outcome).verdict
    assert (alone.answer, alone.p_deep, alone.use) == (whole.answer, whole.p_deep, whole.use)


def test_earlier_verdicts_see_only_what_was_finished_by_then(tmp_path: Path) -> None:
    found = gather(tmp_path, measure(a_run(tmp_path)))
    assert [one.share for one in found.earlier] == [0.25, 0.5, 1.0]
    quarter, half, now = found.earlier
    assert quarter.p_deep == half.p_deep < now.p_deep
    assert now.answer == found.verdict.answer


@pytest.mark.parametrize(("last", "shares"), [(9.0, 0), (20.0, 1), (35.0, 2)])
def test_a_run_that_was_stopped_claims_no_time_it_did_not_use(
    tmp_path: Path, last: float, shares: int
) -> None:
    found = gather(tmp_path, measure(a_run(tmp_path, last))).earlier
    assert len(found) == shares + 1
    assert found[-1].share < 0.8
    assert all(one.share < found[-1].share for one in found[:-1])


def test_a_record_of_an_earlier_version_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    run = json.loads((folder / "run.json").read_text())
    del run["splits"]["sizes"], run["request"]
    (folder / "run.json").write_text(json.dumps(run))
    found = gather(folder, measure(folder))
    assert found.curves == {}
    assert found.outlook is None
    assert found.measures == {}
    told = as_json(found, [], 1.0)
    assert told["curves"] is None
    assert told["ended"] is None


def test_damaged_measures_cost_nothing_else(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    (folder / "measures.json").write_text("{half")
    assert gather(folder, measure(folder)).measures == {}
