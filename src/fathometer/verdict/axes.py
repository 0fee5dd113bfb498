"""The table: what the two families, and both together, differ in, as measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from fathometer.data.thinning import is_whole
from fathometer.study.budget import PRETRAINED, share_of_each
from fathometer.study.ledger import Trial
from fathometer.study.outcome import COMPETITORS, Outcome
from fathometer.study.pretraining import FOLDER
from fathometer.verdict.compare import Score, score


@dataclass(frozen=True)
class Standing:
    """One competitor's column of the table.

    cut_short: trials that the clock stopped before they were done; they count, with what they had.
    cpu_seconds: of all its trials, failures included. share_seconds: what it was allowed. microseconds_per_row: to
    predict with all its members, one row in a large batch, one thread. model_bytes: of the members on all folds, and of
    the encoders that they need. best: the learner that did best by validation, most often over the folds.

    """

    name: str
    score: Score | None
    trials: int
    failed: int
    cut_short: int
    cpu_seconds: float
    share_seconds: float
    peak_bytes: int
    members: int
    microseconds_per_row: float
    training_seconds: float
    model_bytes: int
    best: str
    learners: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """One recipe on the leaderboard, over all folds it was tried on."""

    family: str
    learner: str
    title: str
    recipe: str
    folds: int
    failed: int
    reason: str
    valid_loss: float | None
    cpu_seconds: float
    fit_seconds: float
    chosen: int  # in how many folds it is a member of its family's ensemble


def standings(outcome: Outcome) -> dict[str, Standing]:
    """Every competitor's column."""
    shares = float(outcome.run["budget"]) * int(outcome.run["workers"]) * float(outcome.run["family_share"])
    share = share_of_each(shares, len(outcome.families))
    return {name: _standing(outcome, name, share) for name in COMPETITORS if _has_column(outcome, name)}


def encoders_of(outcome: Outcome, members: Iterable[Trial]) -> list[Mapping[str, Any]]:
    """The encoders that these trials' models need beside them, each once, as the run's record describes them."""
    needed = {trial.settings.get("encoder") for trial in members if trial.family == PRETRAINED}
    known = {encoder["digest"]: encoder for encoder in known_encoders(outcome.run)}
    return [encoder for digest, encoder in known.items() if digest in needed]


def known_encoders(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A run's encoders, and whether each was trained in it, on rows without answers."""
    return [
        {
            **encoder,
            "trained_here": bool(run.get("unlabelled")) and FOLDER in PurePath(encoder["folder"]).parts,
        }
        for encoder in run.get("encoders") or ()
    ]


def leaderboard(outcome: Outcome) -> list[Attempt]:
    """Every recipe tried, failures included; best validation loss first, by number of folds it was tried on."""
    groups: dict[str, list[Trial]] = {}
    for trial in outcome.trials:
        if not is_whole(trial.fold):
            continue  # fewer rows, or plain numbers: its loss is not to be compared with the others
        groups.setdefault(f"{trial.family} {trial.recipe}", []).append(trial)
    chosen = _times_chosen(outcome)
    attempts = [_attempt(trials, chosen) for trials in groups.values()]
    return sorted(attempts, key=lambda a: (a.valid_loss is None, -a.folds, a.valid_loss or 0.0))


def _has_column(outcome: Outcome, name: str) -> bool:
    return name in outcome.results or name != PRETRAINED


def _standing(outcome: Outcome, name: str, share: float) -> Standing:
    families = [family for family in COMPETITORS[name] if family != "baseline"] or ["baseline"]
    trials = [trial for trial in outcome.trials if trial.family in families]
    results = outcome.results[name]
    by_key = {trial.key: trial for trial in outcome.trials}
    shipped = [fold for fold in results if fold.repeat == 0]
    members = [by_key[key] for fold in shipped for key, _ in fold.members]
    per_row = [trial.predict_seconds / max(trial.predicted_rows, 1) for trial in members]
    titles: dict[str, float] = {}
    for fold in results:
        for key, weight in fold.members:
            title = by_key[key].title
            titles[title] = titles.get(title, 0.0) + weight
    ranked = sorted(titles, key=lambda title: -titles[title])
    return Standing(
        name=name,
        score=score(outcome, name) if results else None,
        trials=len(trials),
        failed=sum(trial.status != "done" for trial in trials),
        cut_short=sum("stopped_at" in trial.decided for trial in trials),
        cpu_seconds=sum(trial.cpu_seconds for trial in trials),
        share_seconds=share * sum(family in outcome.families for family in families),
        peak_bytes=max((trial.peak_bytes for trial in trials), default=0),
        members=len(members),
        microseconds_per_row=1e6 * sum(per_row),
        training_seconds=sum(trial.fit_seconds for trial in members),
        model_bytes=sum(trial.model_bytes for trial in members)
        + sum(encoder["size_bytes"] for encoder in encoders_of(outcome, members)),
        best=ranked[0] if ranked else "",
        learners=tuple(ranked),
    )


def _times_chosen(outcome: Outcome) -> Mapping[str, int]:
    by_key = {trial.key: trial for trial in outcome.trials}
    counts: dict[str, int] = {}
    for family in outcome.families:
        for fold in outcome.results.get(family, ()):
            for key, _ in fold.members:
                if by_key[key].family == family:
                    name = f"{family} {by_key[key].recipe}"
                    counts[name] = counts.get(name, 0) + 1
    return counts


def _attempt(trials: list[Trial], chosen: Mapping[str, int]) -> Attempt:
    losses = [trial.valid_loss for trial in trials if trial.valid_loss is not None]
    failed = [trial for trial in trials if trial.status != "done"]
    one = trials[0]
    return Attempt(
        family=one.family,
        learner=one.learner,
        title=one.title,
        recipe=one.recipe,
        folds=len(losses),
        failed=len(failed),
        reason=f"{failed[0].status}: {failed[0].reason}" if failed else "",
        valid_loss=sum(losses) / len(losses) if losses else None,
        cpu_seconds=sum(trial.cpu_seconds for trial in trials),
        fit_seconds=sum(trial.fit_seconds for trial in trials),
        chosen=chosen.get(f"{one.family} {one.recipe}", 0),
    )
