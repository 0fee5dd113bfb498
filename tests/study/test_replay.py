"""A replay repeats a run's trials exactly, the ones that were ended by the clock too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fathometer as fm
from fathometer.errors import UserError
from fathometer.study.ledger import Ledger


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hurried run: with so many rows a network has time for a few epochs only."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_500, 8))
    said = np.where(x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + rng.normal(size=2_500) * 0.3 > 0, "yes", "no")
    frame = pd.DataFrame(x, columns=list("abcdefgh")).assign(
        kind=rng.choice(["red", "green", "blue"], 2_500), answer=said
    )
    folder = tmp_path_factory.mktemp("first") / "run"
    fm.compare(
        frame,
        "answer",
        budget="12s",
        out=folder,
        recipes=2,
        workers=2,
        learners=["boosting", "mlp"],
    )
    return folder


@pytest.fixture(scope="module")
def again(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("again") / "run"
    fm.replay(run, out=folder)
    return folder


def test_every_trial_gives_the_same_predictions(run: Path, again: Path) -> None:
    first, second = Ledger(run), Ledger(again)
    done = {trial.key: trial for trial in first.trials() if trial.status == "done"}
    repeated = {trial.key: trial for trial in second.trials()}
    assert set(repeated) == set(done)
    assert {"boosting", "mlp"} <= {trial.learner for trial in done.values()}
    for key, trial in done.items():
        one, other = first.predictions(trial), second.predictions(repeated[key])
        assert np.array_equal(one["valid"], other["valid"]), f"{key}: {trial.decided} {repeated[key].decided}"
        assert np.array_equal(one["test"], other["test"])
        assert trial.decided == repeated[key].decided
        assert trial.valid_loss == repeated[key].valid_loss


def test_some_of_them_were_ended_by_the_clock(run: Path) -> None:
    networks = [trial for trial in Ledger(run).trials() if trial.learner == "mlp" and trial.status == "done"]
    assert any(trial.decided for trial in networks)


def test_the_same_is_said(run: Path, again: Path) -> None:
    one, other = fm.judge(run), fm.judge(again)
    assert one.verdict.sentence.split(":")[0] == other.verdict.sentence.split(":")[0]
    assert one.verdict.p_deep == other.verdict.p_deep
    assert one.outcome.folds == other.outcome.folds
    for name, standing in one.standings.items():
        assert standing.score == other.standings[name].score


def test_the_models_answer_alike(run: Path, again: Path) -> None:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(rng.normal(size=(20, 8)), columns=list("abcdefgh")).assign(kind="red")
    for family in ("classical", "deep", "together"):
        one, other = (fm.open_model(folder).predict(rows, family) for folder in (run, again))
        assert one.equals(other)


def test_a_replay_goes_into_a_folder_of_its_own(run: Path) -> None:
    with pytest.raises(UserError, match="already holds a run"):
        fm.replay(run, out=run)


def test_a_run_of_pictures_is_repeated_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    answers = rng.choice(["dark", "light"], 60)
    cells = pd.Series(
        [rng.integers(0, 100, (8, 8), dtype=np.uint8) + np.uint8(100 * (one == "light")) for one in answers],
        dtype=object,
    )
    fm.compare(
        pd.DataFrame({"picture": cells, "answer": answers}),
        "answer",
        budget="10s",
        out=tmp_path / "first",
        recipes=1,
        engine="inline",
        learners=["linear", "bag"],
    )
    fm.replay(tmp_path / "first", out=tmp_path / "again")
    first, second = Ledger(tmp_path / "first"), Ledger(tmp_path / "again")
    done = {trial.key: trial for trial in first.trials() if trial.status == "done"}
    repeated = {trial.key: trial for trial in second.trials()}
    assert set(repeated) == set(done)
    for key, trial in done.items():
        assert repeated[key].status == "done", repeated[key].reason
        assert np.array_equal(first.predictions(trial)["test"], second.predictions(repeated[key])["test"])
