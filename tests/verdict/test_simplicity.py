"""The price of one model that can be read."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt
import pytest
from outcomes import NUMBERS, a_trial, by_errors, outcome

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.task import Prediction
from fathometer.verdict.compare import contrast, score
from fathometer.verdict.simplicity import simplicity

ROWS = 2_000
TARGET = np.arange(ROWS) % 2


def wrong(share: float, seed: int = 0) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).permutation(ROWS) < share * ROWS


class Record:
    """A study with transparent trials, and what they predicted."""

    def __init__(self, shares: dict[str, float], losses: dict[str, float], folds: int = 5) -> None:
        errors = {"classical": wrong(0.12, 1), "deep": wrong(0.10, 2), "together": wrong(0.11, 3)}
        of = outcome(by_errors(TARGET, errors), TARGET, folds=folds)
        self.said = {name: by_errors(TARGET, {name: wrong(share, 7)})[name] for name, share in shares.items()}
        self.asked: list[str] = []
        trials = [
            a_trial(
                "classical",
                f"f{k}",
                key=f"f{k}-{name}",
                learner=name,
                title=f"the {name}",
                valid_loss=losses[name],
            )
            for k in range(folds)
            for name in shares
        ]
        run = {**of.run, "data": {"rows": ROWS, "columns": 7}}
        self.outcome = replace(of, run=run, trials=(*of.trials, *trials))

    def predictions(self, trial: Trial) -> dict[str, Prediction]:
        self.asked.append(trial.key)
        fold = next(f for f in self.outcome.results["deep"] if f.fold == trial.fold)
        return {"valid": np.zeros((0, 2)), "test": self.said[trial.learner][fold.rows]}


def test_the_price_is_the_gap_to_the_best_competitor() -> None:
    record = Record({"tree": 0.15}, {"tree": 0.5})
    found = simplicity(record.outcome, ["tree"], record.predictions)
    assert found is not None
    assert found.score == pytest.approx(85, abs=0.01) and found.low < 85 < found.high
    assert found.price == pytest.approx(5, abs=0.01)  # deep errs on 10 %
    assert found.price_low < found.price < found.price_high
    assert (found.title, found.columns) == ("the tree", 7)


def test_it_is_chosen_by_validation_rows_and_never_by_test_rows() -> None:
    record = Record(
        {"tree": 0.30, "linear": 0.05, "forest": 0.01}, {"tree": 0.2, "linear": 0.4, "forest": 0.1}
    )
    found = simplicity(record.outcome, ["tree", "linear"], record.predictions)
    assert found is not None and found.title == "the tree"
    assert found.score == pytest.approx(70, abs=0.01)
    assert record.asked == [f"f{k}-tree" for k in range(5)]


def test_a_better_simple_model_has_a_price_below_zero() -> None:
    record = Record({"linear": 0.02}, {"linear": 0.1})
    found = simplicity(record.outcome, ["linear"], record.predictions)
    assert found is not None and found.price == pytest.approx(-8, abs=0.01)


def test_a_simple_model_that_is_the_rival_costs_nothing() -> None:
    record = Record({"tree": 0.0}, {"tree": 0.1})
    record.said["tree"] = by_errors(TARGET, {"deep": wrong(0.10, 2)})["deep"]
    found = simplicity(record.outcome, ["tree"], record.predictions)
    assert found is not None
    assert (found.price, found.price_low, found.price_high) == (0, 0, 0)
    deep = score(record.outcome, "deep")
    assert (found.score, found.low, found.high) == (deep.score, deep.low, deep.high)


def test_it_is_compared_as_competitors_are() -> None:
    record = Record({"tree": 0.2}, {"tree": 0.1})
    record.said["tree"] = by_errors(TARGET, {"classical": wrong(0.12, 1)})["classical"]
    found, usual = simplicity(record.outcome, ["tree"], record.predictions), None
    usual = contrast(record.outcome, "classical", "deep")
    assert found is not None
    assert (found.price, found.price_low, found.price_high) == (usual.gap, usual.low, usual.high)


def test_folds_without_one_are_left_out() -> None:
    record = Record({"tree": 0.2}, {"tree": 0.1})
    kept = tuple(t for t in record.outcome.trials if t.key not in ("f0-tree", "f3-tree"))
    fewer = replace(record.outcome, trials=kept)
    found = simplicity(fewer, ["tree"], record.predictions)
    assert found is not None and record.asked == ["f1-tree", "f2-tree", "f4-tree"]


def test_no_finished_transparent_trial_is_none() -> None:
    record = Record({"tree": 0.2}, {"tree": 0.1})
    of: Outcome = record.outcome
    assert simplicity(of, ["linear"], record.predictions) is None
    assert simplicity(of, [], record.predictions) is None
    elsewhere = [
        replace(t, fold=f"{t.fold}@4", stage="curve") if t.learner == "tree" else t for t in of.trials
    ]
    assert simplicity(replace(of, trials=tuple(elsewhere)), ["tree"], record.predictions) is None
    failed = [replace(t, status="failed", valid_loss=None) if t.learner == "tree" else t for t in of.trials]
    assert simplicity(replace(of, trials=tuple(failed)), ["tree"], record.predictions) is None
    untested = replace(of, results=dict.fromkeys(of.results, ()))
    assert simplicity(untested, ["tree"], record.predictions) is None


def test_numbers_are_priced_in_per_cent() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=400)
    said = {
        "baseline": np.zeros(400),
        "classical": target + 1.0,
        "deep": target + 1.5,
        "together": target + 1.2,
    }
    of = outcome(said, target, task=NUMBERS)
    run = {**of.run, "data": {"rows": 400, "columns": 3}}
    trials = tuple(a_trial("classical", f"f{k}", learner="linear", title="linear") for k in range(5))
    found = simplicity(
        replace(of, run=run, trials=trials),
        ["linear"],
        lambda trial: {
            "test": target[next(f for f in of.results["deep"] if f.fold == trial.fold).rows] + 1.1
        },
    )
    assert found is not None and found.score == pytest.approx(1.1)
    # squared errors 1.21 and 1.00 at a level of 1.105: half their difference, in per cent
    assert found.price == pytest.approx(50 * 0.21 / 1.105)


def test_fields_are_those_of_the_record() -> None:
    record = Record({"tree": 0.15}, {"tree": 0.5})
    found = simplicity(record.outcome, ["tree"], record.predictions)
    assert found is not None
    assert list(asdict(found)) == [
        "title",
        "score",
        "low",
        "high",
        "price",
        "price_low",
        "price_high",
        "columns",
    ]
