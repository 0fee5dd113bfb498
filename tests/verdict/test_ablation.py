"""What engineered features bring is the paired difference of the same recipe with and without them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from outcomes import a_trial, by_errors, outcome

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.verdict.ablation import ablation

ROWS = 2_000


def study(errors: float, raw_errors: float) -> tuple[Outcome, Mapping[str, npt.NDArray[np.float64]]]:
    """Trials of the classical family on three folds at half the rows, engineered and raw; their answers by key."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, ROWS)
    draws = rng.random(ROWS)
    said = by_errors(
        target, {"classical": draws < errors, "deep": draws < raw_errors, "together": draws < errors}
    )
    made = outcome(said, target)
    trials, answers = list(made.trials), {}
    for fold in made.results["baseline"][:3]:
        for mark, name in (("@2", "classical"), ("@2~raw", "deep")):
            trial = a_trial(
                "classical", fold.fold + mark, key=f"{fold.fold}{mark}", stage="curve", title="trees"
            )
            trials.append(trial)
            answers[trial.key] = said[name][fold.rows]
    return Outcome(made.run, made.task, made.target, made.clusters, tuple(trials), made.results), answers


@pytest.mark.parametrize(("errors", "raw"), [(0.1, 0.2), (0.2, 0.1), (0.15, 0.15)])
def test_the_gain_is_how_much_worse_raw_columns_are(errors: float, raw: float) -> None:
    made, answers = study(errors, raw)
    found = ablation(made, lambda trial: {"test": answers[trial.key]})
    assert found is not None
    assert (found.divisor, found.folds, set(found.families)) == (2, 3, {"classical"})
    family = found.families["classical"]
    assert family.gain == pytest.approx(family.engineered - family.raw)
    assert family.gain == pytest.approx(100 * (raw - errors), abs=3)
    assert family.low <= family.gain <= family.high
    assert family.title == "trees"


def test_without_pairs_nothing_is_said() -> None:
    made, answers = study(0.1, 0.2)

    def stored(trial: Trial) -> Mapping[str, npt.NDArray[np.float64]]:
        return {"test": answers[trial.key]}

    alone = [trial for trial in made.trials if not trial.fold.endswith("@2")]
    only_raw = Outcome(made.run, made.task, made.target, made.clusters, tuple(alone), made.results)
    assert ablation(only_raw, stored) is None
    none = [trial for trial in made.trials if "~raw" not in trial.fold]
    assert (
        ablation(Outcome(made.run, made.task, made.target, made.clusters, tuple(none), made.results), stored)
        is None
    )
