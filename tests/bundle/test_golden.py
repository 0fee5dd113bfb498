"""A model answers its golden rows as when it was made, or is refused; the rows are made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle import Bundle, Member, open_bundle, pack
from fathometer.bundle.golden import GOLDEN_ROWS, check_golden, golden_frame, golden_of
from fathometer.bundle.reference import make_reference
from fathometer.bundle.rehearsal import check_model, make_golden
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema, learn_schema
from fathometer.errors import BadBundle
from fathometer.learner import LEARNERS, Run
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

TASKS = {
    "classes": Classification("answer", "accuracy", 0.5, ("no", "<b>yes")),
    "numbers": Regression("answer", "rmse", 1.0),
}
MIXES = {
    "classical": [{"a-linear": 0.75, "a-tree": 0.25}, {"a-tree": 1.0}],
    "baseline": [{"a-baseline": 1.0}],
}


def table(rows: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size, €": [f"{value:.2f} €" for value in rng.normal(40, 5, rows)],
            "=colour": rng.choice(["red", "green", "blue"], rows),
            "day": [f"{day:02d}.{month:02d}.2023" for day, month in rng.integers(1, 13, (rows, 2))],
            "note": [" ".join(rng.choice(["late", "happy", "slow", "box", "again"], 8)) for _ in range(rows)],
        }
    )


def packed(folder: Path, task: Task, golden: Any = None, **extras: Any) -> tuple[Schema, Rows]:
    frame = table()
    schema, _ = learn_schema(frame, kinds={"day": "moment", "note": "text"})
    rows = schema.read(frame)
    signal = rows.column("size, €").to_numpy()
    target = (signal > 40).astype(np.int64) if task.outputs > 1 else 1e6 * signal
    rows = Rows(rows.frame, rows.kinds, target)
    members = []
    for name in ("baseline", "linear", "tree"):
        place = folder.parent / f"trials-{folder.name}" / name
        if not place.exists():
            place.mkdir(parents=True)
            LEARNERS.get(name)().fit(
                rows.take(np.arange(60)), rows.take(np.arange(60, 90)), task, Run()
            ).save(place)
        members.append(Member(f"a-{name}", name, name, place))
    pack(
        folder, schema=schema, task=task, members=members, mixes=MIXES, default="classical", about={},
        golden=None if golden is None else lambda draft: golden, **extras,
    )  # fmt: skip
    return schema, rows


@pytest.fixture(scope="module", params=TASKS)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Task, dict[str, Any]]:
    """A model, its task and its golden rows."""
    folder, task = tmp_path_factory.mktemp("golden") / "model", TASKS[request.param]
    _, rows = packed(folder, task)
    golden = make_golden(str(folder), make_reference(rows))
    packed(folder, task, golden)
    return folder, task, golden


def altered(made: tuple[Path, Task, dict[str, Any]], place: Path, golden: dict[str, Any]) -> Bundle:
    """The model with other golden rows."""
    packed(place / "model", made[1], golden)
    return open_bundle(place / "model")


def test_golden_rows_are_plain_data_of_every_column_and_competitor(
    made: tuple[Path, Task, dict[str, Any]],
) -> None:
    golden = made[2]
    assert json.loads(json.dumps(golden, allow_nan=False)) == golden
    assert golden["columns"] == list(table())
    assert len(golden["rows"]) == GOLDEN_ROWS
    assert {name: len(said) for name, said in golden["answers"].items()} == dict.fromkeys(MIXES, GOLDEN_ROWS)


def test_golden_rows_hold_no_row_that_was_learned_from(made: tuple[Path, Task, dict[str, Any]]) -> None:
    frame = golden_frame(open_bundle(made[0]))
    known = set(table()["note"])
    assert not known & set(frame["note"].dropna())
    assert frame.isna().any().all()
    assert not set(frame["=colour"].dropna()) <= {"red", "green", "blue"}


def test_every_cell_of_them_reads_as_its_column_was_learned(made: tuple[Path, Task, dict[str, Any]]) -> None:
    bundle = open_bundle(made[0])
    frame = golden_frame(bundle)
    rows = bundle.schema.read(frame)
    assert bundle.schema.unread(frame, rows) == {}
    assert rows.column("day").notna().sum() > 20


def test_a_model_answers_them_again(made: tuple[Path, Task, dict[str, Any]]) -> None:
    bundle = open_bundle(made[0])
    assert check_golden(bundle) == check_golden(bundle, 0.0) == GOLDEN_ROWS
    assert check_model(str(made[0])) == GOLDEN_ROWS
    assert np.array_equal(
        bundle.predict_raw(bundle.schema.read(golden_frame(bundle))), made[2]["answers"]["classical"]
    )


@pytest.mark.parametrize("competitor", MIXES)
def test_who_answers_otherwise_is_named_with_how_far_off(
    made: tuple[Path, Task, dict[str, Any]], tmp_path: Path, competitor: str
) -> None:
    golden = json.loads(json.dumps(made[2]))
    said = np.asarray(golden["answers"][competitor])
    golden["answers"][competitor] = (
        said + (0.01 if made[1].outputs > 1 else 0.01 * np.abs(said).max())
    ).tolist()
    bundle = altered(made, tmp_path, golden)
    with pytest.raises(BadBundle, match=rf"{competitor}.*off by 0\.01"):
        check_golden(bundle)
    assert check_golden(bundle, 0.02) == GOLDEN_ROWS


def test_what_another_processor_makes_of_the_same_sums_is_allowed(
    made: tuple[Path, Task, dict[str, Any]], tmp_path: Path
) -> None:
    golden = json.loads(json.dumps(made[2]))
    said = np.asarray(golden["answers"]["classical"])
    golden["answers"]["classical"] = (said * (1 + 1e-7)).tolist()
    assert check_golden(altered(made, tmp_path, golden)) == GOLDEN_ROWS


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("a row is short", lambda golden: golden["rows"][3].pop()),
        ("a row is no list", lambda golden: golden["rows"].__setitem__(0, 5)),
        ("a column is gone", lambda golden: golden["columns"].__setitem__(0, "other")),
        ("a column twice", lambda golden: golden["columns"].__setitem__(0, golden["columns"][1])),
        ("a competitor is gone", lambda golden: golden["answers"].pop("baseline")),
        ("a competitor too many", lambda golden: golden["answers"].update(deep=[])),
        ("answers of another shape", lambda golden: golden["answers"]["baseline"].pop()),
        ("answers that are no numbers", lambda golden: golden["answers"].update(baseline=[["<b>"]])),
        ("a cell that is a list", lambda golden: golden["rows"][0].__setitem__(0, [1])),
        ("no rows", lambda golden: golden.pop("rows")),
    ],
)
def test_golden_rows_that_are_damaged_are_refused_in_a_sentence(
    made: tuple[Path, Task, dict[str, Any]], tmp_path: Path, name: str, change: Any
) -> None:
    golden = json.loads(json.dumps(made[2]))
    change(golden)
    with pytest.raises(BadBundle, match=r"golden\.json"):
        check_golden(altered(made, tmp_path, golden))


def test_a_model_without_golden_rows_has_nothing_to_check(tmp_path: Path) -> None:
    packed(tmp_path / "model", TASKS["classes"])
    bundle = open_bundle(tmp_path / "model")
    assert check_golden(bundle) == 0
    assert list(golden_frame(bundle)) == list(table())
    assert len(golden_frame(bundle)) == 0


def test_without_sketches_golden_rows_are_drawn_from_the_schema(tmp_path: Path) -> None:
    packed(tmp_path / "model", TASKS["numbers"])
    bundle = open_bundle(tmp_path / "model")
    golden = golden_of(bundle, None)
    assert len(golden["rows"]) == GOLDEN_ROWS
    assert np.isfinite(golden["answers"]["classical"]).all()


def test_the_same_model_has_the_same_golden_rows(made: tuple[Path, Task, dict[str, Any]]) -> None:
    bundle = open_bundle(made[0])
    assert golden_of(bundle, bundle.reference) == golden_of(bundle, bundle.reference)
