"""What is measured on fitted models obeys laws that need no trust in the models."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fathometer.data.rows import Rows
from fathometer.data.splits import make_splits
from fathometer.learner import LEARNERS, Learner, Model, Run
from fathometer.study import bench, probe
from fathometer.study.probe import ProbeOrder, run_probe
from fathometer.study.run import begin
from fathometer.study.trial import load_fold, load_rows
from fathometer.task import Prediction, Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

ROWS = 400
NUMBERS = Regression("y", "rmse", 1.0)
CLASSES = Classification("y", "accuracy", 0.5, ("{0} %s", "<b>\nyes"), (0.5, 0.5))
HOSTILE = "../évil {x} %d\n<i>"
SECONDS = 60.0


def a_run(folder: Path, task: Task, target: npt.NDArray[Any], frame: pd.DataFrame, kinds: Any) -> Rows:
    rows = Rows(frame, kinds, target)
    columns = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    count = len(frame)
    splits = make_splits(np.zeros(count, dtype=np.int64), np.arange(count), None, False, 0)
    begin(folder, rows, splits, {"task": task.to_json(), "schema": {"columns": columns}}, np.arange(count))
    return rows


def a_table(rows: int = ROWS) -> tuple[pd.DataFrame, dict[str, str]]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            HOSTILE: pd.Categorical(rng.choice(["a {y}", "b %s", "c\t\0"], rows)),
            "when": np.datetime64("2020-01-01", "us")
            + rng.integers(0, 10**14, rows).astype("timedelta64[us]"),
            "said": pd.Series([f"word{n} again" for n in rng.integers(0, 9, rows)], dtype=object),
            "gaps": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
        }
    )
    kinds = dict(zip(frame.columns, ("number", "category", "moment", "text", "number"), strict=True))
    return frame, kinds


def a_plain_run(folder: Path, task: Task = NUMBERS) -> Rows:
    frame, kinds = a_table()
    x = frame["x"].to_numpy()
    return a_run(folder, task, x if task.outputs == 1 else (x > 0).astype(np.int64), frame, kinds)


def an_order(*learners: str, folder: Path, seconds: float = SECONDS, folds: int = 1) -> ProbeOrder:
    members = [[f"key-{learner}", learner, 1 / len(learners)] for learner in learners]
    chosen = [{"fold": f"r0f{number}", "members": members} for number in range(folds)]
    return ProbeOrder(str(folder), "classical", chosen, seconds)


def toys(monkeypatch: pytest.MonkeyPatch, **said: Callable[[Rows], Any]) -> list[Rows]:
    """Learners that answer what these functions say; gives the rows they are asked."""
    asked: list[Rows] = []

    def get(name: str) -> type[Learner]:
        @dataclass(frozen=True)
        class ToyModel(Model):
            def predict(self, rows: Rows) -> Prediction:
                asked.append(rows)
                return np.asarray(said[name](rows), dtype=np.float64)

            def save(self, folder: Path) -> None:
                raise NotImplementedError

        @dataclass(frozen=True)
        class Toy(Learner):
            family = "classical"
            title = "toy"
            presets: ClassVar[Any] = ()

            def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> Model:
                raise NotImplementedError

            @classmethod
            def load(cls, folder: Path) -> Model:
                return ToyModel()

        return Toy

    monkeypatch.setattr(LEARNERS, "get", get)
    return asked


def number(rows: Rows, name: str = "x", missing: float = 0.0) -> npt.NDArray[np.float64]:
    return np.nan_to_num(rows.column(name).to_numpy(dtype=np.float64), nan=missing)


def two(share: Any) -> npt.NDArray[np.float64]:
    second = np.asarray(share, dtype=np.float64)
    return np.stack([1 - second, second], axis=1)


def by_code(measured: dict[str, Any]) -> dict[str, Any]:
    return {item["code"]: item for item in measured["robustness"]}


def by_column(measured: dict[str, Any]) -> dict[str, Any]:
    return {item["column"]: item for item in measured["importance"]}


def fitted(folder: Path, *learners: str) -> None:
    """Real learners fitted on the first fold's rows, put where a trial's models are."""
    parts, rows = load_fold(folder, "r0f0"), load_rows(folder)
    task = CLASSES if rows.answers.dtype.kind == "i" else NUMBERS
    for learner in learners:
        train, valid = rows.take(parts["train"]), rows.take(parts["valid"])
        model = LEARNERS.get(learner)().fit(train, valid, task, Run(seconds=5.0))
        place = folder / "trials" / f"key-{learner}" / "model"
        place.mkdir(parents=True)
        model.save(place)


@pytest.mark.parametrize("task", [NUMBERS, CLASSES], ids=["numbers", "classes"])
def test_real_models_are_measured_the_same_way_twice(tmp_path: Path, task: Task) -> None:
    a_plain_run(tmp_path, task)
    fitted(tmp_path, "linear", "tree", "baseline")
    order = an_order("linear", "tree", "baseline", folder=tmp_path, folds=2)
    first, again = run_probe(order), run_probe(order)
    latency, _ = first.pop("latency"), again.pop("latency")
    assert first == again
    assert first["skipped"] == {}
    assert latency["bundle_members"] == 3
    assert 0 < latency["one_row_ms"][0] <= latency["one_row_ms"][1]
    assert latency["answers"] > 0
    assert first["importance"][0]["column"] == "x"
    assert {item["column"] for item in first["importance"]} == set(a_table()[1])
    assert -1 <= first["stability"] <= 1
    assert list(by_code(first)) == ["missing_10", "missing_30", "noise_10", "noise_30", "shifted"]
    assert first["surrogate"]["fidelity"] > 0.8
    assert first["train_gap"]["rows"] == len(load_fold(tmp_path, "r0f0")["train"])
    json.dumps(first, allow_nan=False)


def test_no_model_sees_a_target_and_nothing_on_disk_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)
    asked = toys(monkeypatch, x=number)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run_probe(an_order("x", folder=tmp_path))
    assert asked
    assert all(rows.target is None for rows in asked)
    assert all(list(rows.frame.columns) == list(rows.kinds) for rows in asked)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss", "auc", "rmse", "mae"])
def test_a_column_has_importance_if_and_only_if_the_model_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    is_number = metric in ("rmse", "mae")
    task = Regression("y", metric, 1.0) if is_number else Classification("y", metric, 0.5, ("a", "b"))
    a_plain_run(tmp_path, task)
    toys(monkeypatch, x=number if is_number else (lambda rows: two(1 / (1 + np.exp(-5 * number(rows))))))
    found = by_column(run_probe(an_order("x", folder=tmp_path)))
    assert found["x"]["gap"] > 10
    assert found["x"]["low"] > 0
    for name in set(found) - {"x"}:
        assert (found[name]["gap"], found[name]["low"], found[name]["high"]) == (0, 0, 0)


def test_importance_is_the_loss_over_all_ways_to_swap_two_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_plain_run(tmp_path)
    toys(monkeypatch, x=lambda rows: number(rows) + 0.5)
    item = by_column(run_probe(an_order("x", folder=tmp_path)))["x"]
    x = rows.answers[load_fold(tmp_path, "r0f0")["test"]]
    swapped = float(((x[:, None] + 0.5 - x[None, :]) ** 2)[~np.eye(len(x), dtype=bool)].mean())
    gap = 100 * (math.sqrt(swapped) - 0.5) / 0.5  # the RMSE rises by so many per cent
    assert item["gap"] == pytest.approx(gap, rel=0.05)
    assert item["low"] < gap < item["high"]


def test_more_missing_cells_and_more_noise_hurt_no_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)
    toys(monkeypatch, x=number)
    found = by_code(run_probe(an_order("x", folder=tmp_path)))
    assert 0 < found["missing_10"]["loss_of_score"] <= found["missing_30"]["loss_of_score"]
    assert 0 < found["noise_10"]["score"] < found["noise_30"]["score"]
    # the model is the column itself, so its error is the noise
    assert found["noise_30"]["score"] == pytest.approx(0.3, rel=0.2)


def test_what_a_model_does_not_read_cannot_hurt_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_plain_run(tmp_path, CLASSES)
    toys(monkeypatch, level=lambda rows: two(0.2 + 0.6 * (rows.column(HOSTILE) == "b %s")))
    found = by_code(run_probe(an_order("level", folder=tmp_path)))
    assert found["noise_30"]["loss_of_score"] == 0
    assert (
        found["noise_30"]["score"] == run_probe(an_order("level", folder=tmp_path))["train_gap"]["test_score"]
    )


def test_rows_far_from_the_training_rows_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, kinds = a_table()
    frame, kinds = frame[["x"]], {"x": "number"}
    rows = a_run(tmp_path, NUMBERS, frame["x"].to_numpy(), frame, kinds)
    toys(monkeypatch, clipped=lambda rows: np.clip(number(rows), -0.5, 0.5))
    shifted = by_code(run_probe(an_order("clipped", folder=tmp_path)))["shifted"]
    assert shifted["low"] > 0
    x = rows.answers[load_fold(tmp_path, "r0f0")["test"]]
    train = np.sort(rows.answers[load_fold(tmp_path, "r0f0")["train"]])
    far = np.argsort(-np.abs(np.searchsorted(train, x) / len(train) - 0.5), kind="stable")[: len(x) // 5]
    error = math.sqrt(float(np.mean((np.abs(x[far]) - 0.5) ** 2)))
    assert shifted["score"] == pytest.approx(error, rel=0.02)


def test_a_model_that_is_a_small_tree_is_told_completely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path, CLASSES)

    def said(rows: Rows) -> npt.NDArray[np.float64]:
        is_b = (rows.column(HOSTILE) == "b %s").to_numpy()
        late = (rows.column("when") >= pd.Timestamp("2021-06-01")).to_numpy()
        return two(np.where(is_b, 0.9, np.where(late, 0.4, 0.1)))

    toys(monkeypatch, tree=said)
    surrogate = run_probe(an_order("tree", folder=tmp_path))["surrogate"]
    assert surrogate["fidelity"] == 1.0
    assert surrogate["high"] == 1.0
    assert (surrogate["leaves"], surrogate["depth"]) == (3, 2)
    assert len(surrogate["rules"]) == 3
    assert any(rule.startswith(f"{HOSTILE} is b %s: <b>\nyes, 90 % sure (") for rule in surrogate["rules"])
    assert any(
        f"{HOSTILE} is not b %s" in rule and "when before 2021-" in rule for rule in surrogate["rules"]
    )


@pytest.mark.parametrize("order_of", ["zero", "negative"])
def test_out_of_time_everything_is_skipped_with_its_reason(tmp_path: Path, order_of: str) -> None:
    a_plain_run(tmp_path)  # the models are not even there
    seconds = 0.0 if order_of == "zero" else -1.0
    measured = run_probe(an_order("nothing", folder=tmp_path, seconds=seconds, folds=2))
    assert set(measured["skipped"]) == {*probe.PARTS, "stability"}
    assert set(measured["skipped"].values()) == {"out of time"}
    assert (
        measured["latency"] is measured["train_gap"] is measured["surrogate"] is measured["stability"] is None
    )
    assert measured["importance"] == measured["robustness"] == []


def test_time_that_ends_on_the_way_leaves_what_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(ROWS, 30)), columns=[f"c{n}" for n in range(30)]
    )
    target = frame["c17"].to_numpy() + 0.1 * frame["c3"].to_numpy()
    a_run(tmp_path, NUMBERS, target, frame, dict.fromkeys(frame.columns, "number"))
    toys(monkeypatch, sum=lambda rows: number(rows, "c17") + 0.1 * number(rows, "c3"))
    asked: list[int] = []
    ask = bench.Bench.ask

    def limited(desk: Any, rows: Rows, spare: float = 0.0) -> Prediction:
        asked.append(len(rows))
        if asked.count(800) > 5:  # ten times the test rows: about one column
            desk.clock.seconds = 0.0
        return ask(desk, rows, spare)

    monkeypatch.setattr(bench.Bench, "ask", limited)
    measured = run_probe(an_order("sum", folder=tmp_path))
    assert 0 < len(measured["importance"]) < 30
    assert measured["importance"][0]["column"] == "c17"
    assert f"{len(measured['importance'])} of 30 columns" in measured["skipped"]["importance"]
    assert measured["skipped"]["surrogate"] == "out of time"
    assert "stability" in measured["skipped"]


def test_many_columns_leave_time_for_the_other_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(
        np.random.default_rng(0).normal(size=(ROWS, 300)), columns=[f"c{n}" for n in range(300)]
    )
    a_run(tmp_path, NUMBERS, frame["c17"].to_numpy(), frame, dict.fromkeys(frame.columns, "number"))
    toys(monkeypatch, one=lambda rows: number(rows, "c17"))
    clock = {"now": 0.0}
    monkeypatch.setattr(probe.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(Run, "left", lambda run: run.seconds - clock["now"])
    ask = bench.Bench.ask

    def slow(desk: Any, rows: Rows, spare: float = 0.0) -> Prediction:
        guesses = ask(desk, rows, spare)
        clock["now"] += 1e-3 * len(rows)
        desk.largest = (1_000, 1.0)
        return guesses

    monkeypatch.setattr(bench.Bench, "ask", slow)
    measured = run_probe(an_order("one", folder=tmp_path, seconds=20.0, folds=2))
    assert measured["importance"][0]["column"] == "c17"
    assert 0 < len(measured["importance"]) < 300
    assert len(measured["robustness"]) == 5
    assert measured["surrogate"]["fidelity"] > 0.8
    assert measured["skipped"]["importance"].startswith("out of time: ")
    assert clock["now"] < 21


def test_a_slow_model_is_timed_on_fewer_rows_and_told_as_of_a_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)
    clock = {"now": 0.0}
    monkeypatch.setattr(probe.time, "perf_counter", lambda: clock["now"])
    monkeypatch.setattr(probe.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(Run, "left", lambda run: run.seconds - clock["now"])

    def slowly(rows: Rows) -> npt.NDArray[np.float64]:
        clock["now"] += 0.01 * len(rows)
        return number(rows)

    asked = toys(monkeypatch, slow=slowly)
    found = run_probe(an_order("slow", folder=tmp_path, seconds=20.0))["latency"]
    assert found["one_row_ms"] == pytest.approx([10, 10])
    assert found["thousand_rows_ms"] == pytest.approx([10_000, 10_000])
    assert 1_000 not in map(len, asked)


def test_the_first_answer_is_never_among_those_that_are_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)
    clock = {"now": 0.0}
    monkeypatch.setattr(probe.time, "perf_counter", lambda: clock["now"])
    monkeypatch.setattr(probe.time, "monotonic", lambda: clock["now"])
    monkeypatch.setattr(Run, "left", lambda run: run.seconds - clock["now"])
    sizes: list[int] = []

    def coldly(rows: Rows) -> npt.NDArray[np.float64]:
        clock["now"] += 0.001 if len(rows) in sizes else 3.0  # longer than timing may take
        sizes.append(len(rows))
        return number(rows)

    toys(monkeypatch, cold=coldly)
    found = run_probe(an_order("cold", folder=tmp_path, seconds=20.0))["latency"]
    assert found["one_row_ms"] == pytest.approx([1, 1])
    assert found["answers"] == 1
    assert found["thousand_rows_ms"] == pytest.approx([1, 1])


def test_a_model_that_fails_on_odd_cells_costs_only_that_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)

    def said(rows: Rows) -> npt.NDArray[np.float64]:
        if rows.column("x").isna().any():
            raise ArithmeticError("no {cell} %s\nhere")
        return number(rows)

    toys(monkeypatch, touchy=said)
    measured = run_probe(an_order("touchy", folder=tmp_path))
    assert measured["skipped"]["missing_10"] == "failed: ArithmeticError: no {cell} %s here"
    assert list(by_code(measured)) == ["noise_10", "noise_30", "shifted"]
    assert measured["surrogate"] is not None


def test_answers_that_are_no_numbers_are_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_plain_run(tmp_path)
    toys(monkeypatch, nan=lambda rows: np.full(len(rows), np.nan))
    measured = run_probe(an_order("nan", folder=tmp_path))
    asking = set(probe.PARTS) - {"examples"}  # of which none were chosen
    assert {measured["skipped"][name] for name in asking} == {"the model's answers are not finite"}
    assert measured["robustness"] == []


def test_the_order_of_the_members_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_plain_run(tmp_path)
    toys(monkeypatch, x=number, gaps=lambda rows: number(rows, "gaps"))
    one, other = (run_probe(an_order(*names, folder=tmp_path)) for names in (("x", "gaps"), ("gaps", "x")))
    for part in ("train_gap", "importance", "robustness", "surrogate"):
        assert one[part] == other[part]


def test_copies_of_rows_make_nothing_surer() -> None:
    values = np.random.default_rng(0).normal(size=1_000)
    apart, copied = np.arange(1_000), np.arange(1_000) // 10
    widths = [bench.standard_error(np.repeat(values[:100], 10), clusters) for clusters in (apart, copied)]
    assert widths[0] == pytest.approx(np.repeat(values[:100], 10).std(ddof=1) / math.sqrt(1_000))
    assert widths[1] == pytest.approx(values[:100].std(ddof=1) / math.sqrt(100))


def test_ordering_a_probe_loads_no_learner() -> None:
    listed = "[name for name in ('sklearn', 'torch', 'lightgbm') if name in sys.modules]"
    code = f"import sys, fathometer.study.probe; print({listed})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_column_of_one_level_and_few_rows_are_legal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["same"] * 20)})
    a_run(tmp_path, CLASSES, np.arange(20) % 2, frame, {"c": "category"})
    toys(monkeypatch, always=lambda rows: two(np.full(len(rows), 0.4)))
    measured = run_probe(an_order("always", folder=tmp_path, folds=2))
    assert measured["surrogate"]["rules"][0].startswith("always: {0} %s, 60 % sure (")
    assert measured["surrogate"]["fidelity"] == 1.0
    assert measured["skipped"]["noise"] == "no column of numbers or dates that varies"
    assert "shifted" in measured["skipped"]
    assert "stability" in measured["skipped"]
    json.dumps(measured, allow_nan=False)
