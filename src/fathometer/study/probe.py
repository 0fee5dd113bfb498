"""What is measured on fitted models after the answer, in a worker: latency, importances, robustness, a surrogate."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from fathometer.core.files import read_json
from fathometer.core.memo import remembering
from fathometer.data.rows import Rows
from fathometer.learner import LEARNERS, Model, Run
from fathometer.study.bench import (
    NORMAL_HALF,
    OUT_OF_TIME,
    Bench,
    NotMeasuredError,
    finite,
    guarded,
    rise,
    scale_of,
    some_of,
    standard_error,
)
from fathometer.study.disturb import (
    by_relevance,
    careless_columns,
    noise_scales,
    noise_told,
    shuffled,
    unlikeness,
    with_gaps,
    with_noise,
)
from fathometer.study.examples import make_examples
from fathometer.study.facts import is_unstructured
from fathometer.study.surrogate import measure_surrogate
from fathometer.study.trial import MEMO, load_fold, load_rows
from fathometer.study.weaknesses import errors_by_fact
from fathometer.task import Prediction, task_from_json

TEST_ROWS = 5_000  # of a fold, at most, on which anything is measured
ROBUST_ROWS = 2_000
IMPORTANCE_ROWS = (1_800, 600, 200)  # asked about each column: the most there is time for in all columns
TRAIN_ROWS = 1_000  # rows learned from that are answered again
SURROGATE_ROWS = 2_000  # of the training rows, of the validation rows, and of the test rows
REST_SHARE = 0.4  # of the seconds left, at most, is kept from the importances for the parts after them
SURROGATE_SECONDS = 0.3  # to grow the tree and tell the rows least like the training rows
MOST_SHIFTS = 10  # rows whose cell each row is given in turn, for an importance
SINGLES, THOUSANDS = 30, 5  # answers timed
TIMED_FIRST = 50  # rows asked together, which tell how long a thousand will take
THROWN_AWAY = 3  # first single answers, in which caches are filled
LATENCY_SHARE = 0.2  # of the seconds left may go into timing answers
SHIFTED_SHARE = 5  # one in so many test rows is called unlike
SHIFTED_LEAST = 10  # such rows, below which nothing is said
RANKED_LEAST = 3  # columns, below which a rank correlation says nothing

DISTURBANCES: tuple[tuple[str, str, str, float], ...] = (
    ("missing_10", "10 % of cells missing", "missing", 0.1),
    ("missing_30", "30 % of cells missing", "missing", 0.3),
    ("noise_10", "", "noise", 0.1),  # what it does depends on the columns: see `noise_told`
    ("noise_30", "", "noise", 0.3),
)


@dataclass(frozen=True)
class ProbeOrder:
    """Which fitted models to measure.

    folder: the run. folds: at most two, as {"fold": name, "members": [[trial key, learner name, weight], ...]}; all is
    measured on the first, the second only says whether importances are stable. seconds: of processor time, and of
    time by the clock on the wall, after which nothing more is begun. shipped: the members of the model as it is
    packed, of all folds, whose answers are timed; those of the first fold unless given. picks: test rows of the first
    fold to show as examples (study/picks.py), as plain data.
    """

    folder: str
    competitor: str
    folds: list[dict[str, Any]]
    seconds: float
    shipped: list[list[Any]] = field(default_factory=list)
    picks: list[dict[str, Any]] = field(default_factory=list)
    room: int = 80_000


def run_probe(order: ProbeOrder) -> dict[str, Any]:
    """Measure one competitor's models on a fold's test rows, the most important first, while time is left.

    Same order, same result, but for latencies and what time cuts off.

    Returns:
        "fold", "latency", "train_gap", "importance", "stability", "robustness", "weaknesses", "surrogate", "examples"
        (None or empty where not measured), and "skipped": what was not measured, or in part only, and why. Plain data;
        numbers finite or None.
    """
    clock = Run(seconds=order.seconds, wall_seconds=order.seconds)
    measured: dict[str, Any] = {
        "fold": order.folds[0]["fold"],
        "latency": None,
        "train_gap": None,
        "importance": [],
        "stability": None,
        "robustness": [],
        "weaknesses": [],
        "surrogate": None,
        "examples": {},
        "skipped": {},
    }
    skipped: dict[str, str] = measured["skipped"]
    if clock.left() <= 0:
        return measured | {"skipped": dict.fromkeys((*PARTS, "stability"), OUT_OF_TIME)}
    bench = _set_up(order, order.folds[0], clock, skipped)
    for name, part in PARTS.items():
        # an answer is timed as a user would wait for it, with nothing remembered of the rows
        with nullcontext() if name == "latency" else remembering(Path(order.folder) / MEMO):
            value, reason = guarded(partial(part, bench))
        if reason:
            skipped[name] = reason
        else:
            measured[name] = value
    with remembering(Path(order.folder) / MEMO):
        measured["stability"], reason = guarded(partial(_stability, order, clock, measured["importance"]))
    skipped |= {"stability": reason} if reason else {}
    json.dumps(measured, allow_nan=False)  # what the record could not hold must fail here
    return measured


def _set_up(order: ProbeOrder, fold: Mapping[str, Any], clock: Run, skipped: dict[str, str]) -> Bench:
    folder = Path(order.folder)
    parts = load_fold(folder, fold["fold"])
    test = some_of(parts["test"], TEST_ROWS, 0)
    rows = load_rows(folder)
    clusters = load_file(folder / "folds.safetensors").get("clusters", np.arange(len(rows)))
    members = _loaded(folder, fold["members"])
    task = task_from_json(read_json(folder / "run.json")["task"])
    return Bench(
        task,
        clock,
        members,
        rows,
        parts["train"],
        parts["valid"],
        test,
        clusters[test],
        skipped,
        folder=folder,
        shipped=order.shipped,
        competitor=order.competitor,
        picks=order.picks,
        room=order.room,
    )


def _loaded(folder: Path, members: Sequence[Sequence[Any]]) -> list[tuple[Model, float]]:
    """Fitted models with their weights."""
    return [
        (LEARNERS.get(learner).load(folder / "trials" / key / "model"), float(weight))
        for key, learner, weight in members
    ]


def _latency(bench: Bench) -> dict[str, Any]:
    """How long one row and a thousand rows take, rows repeated where there are fewer; medians and 95th percentiles.

    Where a thousand would take too long fewer are asked, and told as if they were a thousand. Of the model as it is
    packed, which answers with the members of every fold. By the clock on the wall, in this process, warm (the first
    answer, for which libraries are loaded, is never among them); in a worker numerical libraries use one thread.
    """
    if bench.shipped:
        bench = replace(bench, members=_loaded(bench.folder, bench.shipped), largest=(0, 0.0), answered={})
    allowed = LATENCY_SHARE * bench.clock.left()
    count = len(bench.test)
    ones = [bench.rows.take(bench.test[[place % count]]) for place in range(THROWN_AWAY + SINGLES)]
    singles = _timed(bench, ones, THROWN_AWAY, allowed / 2)
    first = bench.rows.take(np.resize(bench.test, TIMED_FIRST))
    size, many = TIMED_FIRST, _timed(bench, [first] * 2, 1, allowed / 2)
    fitting = int(
        size * 1e3 * allowed / 2 / many[0]
    )  # rows that may be asked in the time that is left for it
    if fitting > size:
        size = min(fitting, 1_000)
        batch = bench.rows.take(np.resize(bench.test, size))
        many = _timed(bench, [batch] * (1 + THOUSANDS), 1, allowed / 2)
    return {
        "one_row_ms": _percentiles(singles),
        "thousand_rows_ms": _percentiles([1_000 / size * taken for taken in many]),
        "answers": len(singles),
        "bundle_members": len(bench.members),
    }


def _timed(bench: Bench, questions: list[Rows], thrown_away: int, seconds: float) -> list[float]:
    """Milliseconds of each answer but the first ones, one at least; ends early when these seconds are over."""
    started = time.monotonic()
    taken: list[float] = []
    for rows in questions:
        before = time.perf_counter()
        bench.ask(rows)
        taken.append(1e3 * (time.perf_counter() - before))
        if len(taken) > 1 and time.monotonic() - started > seconds:
            break
    return taken[min(thrown_away, len(taken) - 1) :]


def _percentiles(milliseconds: list[float]) -> list[float]:
    return [float(value) for value in np.percentile(milliseconds, [50, 95])]


def _train_gap(bench: Bench) -> dict[str, Any]:
    """Score on rows learned from against test rows; gap in gap units, above 0: better on rows learned from."""
    test, answers, _ = bench.ask_test(TEST_ROWS)
    seen = bench.some(bench.train, TRAIN_ROWS, 2)
    known = float(bench.losses(seen, bench.ask(seen)).mean())
    new = float(bench.losses(test, answers).mean())
    measure = bench.task.measure
    return {
        "train_score": finite(measure.score(known)),
        "test_score": finite(measure.score(new)),
        "gap": finite(measure.gap_scale((known + new) / 2) * (new - known)),
        "rows": len(seen),
    }


def _importance(bench: Bench) -> list[dict[str, Any]]:
    """How much worse the answers get when one column's cells are shuffled among the test rows [1, 2].

    In gap units, with a 95 % interval by rows (whole clusters of copies together). With few test rows each is given
    the cells of several others in turn. Columns that repeat each other share their importance: while one is shuffled
    the model can read the other, so both may seem unimportant though the model needs one of them. And a shuffled cell
    may make a row that cannot be (a pregnant man), whose answer says little.

    With many columns those along with which the answers go most are measured first, and the rest while time is left
    (the other parts' share of it is kept for them).

    [1] Breiman (2001). Random forests. https://doi.org/10.1023/A:1010933404324
    [2] Fisher, Rudin & Dominici (2019). All models are wrong, but many are useful. JMLR 20(177). arXiv:1801.01489
    """
    if len(bench.rows.kinds) == 1 and is_unstructured(next(iter(bench.rows.kinds.values()))):
        raise NotMeasuredError("all rests on the only column")
    spare = 0.0 if bench.importance_order else _time_for_the_rest(bench)
    most = _rows_per_column(bench, spare)
    test, answers, clusters = bench.ask_test(most)
    count = len(test)
    if count < 2:
        raise NotMeasuredError("too few test rows")
    mix = np.random.default_rng(3).permutation(count)
    shifts = min(MOST_SHIFTS, max(1, most // count), count - 1)
    donors = np.empty((shifts, count), dtype=np.intp)
    for shift, row in enumerate(donors, start=1):
        row[mix] = np.roll(mix, shift)  # nobody's own cell
    stacked = test.take(np.tile(np.arange(count), len(donors)))
    intact = bench.losses(test, answers)
    found: list[dict[str, Any]] = []
    names = bench.importance_order or by_relevance(test, answers)
    for name in names:
        guesses, reason = guarded(partial(bench.ask, shuffled(stacked, name, donors.ravel()), spare))
        if reason and not found:
            raise NotMeasuredError(reason)
        if reason:
            bench.skipped["importance"] = (
                f"{reason}: {len(found):,} of {len(names):,} columns were measured, those with whose values the "
                "answers go along most"
            )
            break
        parts = guesses.reshape(len(donors), count, *guesses.shape[1:])
        rises = [bench.losses(test, part) - intact for part in parts]
        losses = intact + np.mean(rises, axis=0)
        found.append({"column": name, **rise(bench, losses, intact, clusters)})
    return sorted(found, key=lambda item: -(item["gap"] or 0.0))


def _rows_per_column(bench: Bench, spare: float) -> int:
    """How many rows there is time to ask for every column: all columns roughly tell more than some exactly."""
    left = bench.clock.left() - spare
    fitting = (most for most in IMPORTANCE_ROWS if len(bench.rows.kinds) * bench.needed(most) <= left)
    return next(fitting, IMPORTANCE_ROWS[-1])


def _time_for_the_rest(bench: Bench) -> float:
    """Seconds that the parts after the importances will take, but at most a share of those left."""
    answers = min(len(bench.test), ROBUST_ROWS) * len(DISTURBANCES)
    answers += sum(min(len(places), SURROGATE_ROWS) for places in (bench.train, bench.valid))
    return min(bench.needed(answers) + SURROGATE_SECONDS, REST_SHARE * bench.clock.left())


def _robustness(bench: Bench) -> list[dict[str, Any]]:
    """Loss of score on test rows with cells missing, with noise, and on the rows least like the training rows."""
    test, answers, clusters = bench.ask_test(ROBUST_ROWS)
    intact = bench.losses(test, answers)
    scales, careless = noise_scales(bench.rows.take(bench.train)), careless_columns(test)
    found: list[dict[str, Any]] = []
    for code, what, sort, size in DISTURBANCES:
        if sort == "noise" and not scales and not careless:
            bench.skipped["noise"] = "no column of numbers or dates that varies"
            continue
        if sort == "noise":
            what = noise_told(test.kinds, scales, careless, size)
            make = partial(with_noise, test, scales, size, 5, careless)
        else:
            make = partial(with_gaps, test, size, 4)
        guesses, reason = guarded(partial(_ask_made, bench, make))
        if reason:
            bench.skipped[code] = reason
            continue
        losses = bench.losses(test, guesses)
        score = finite(bench.task.measure.score(float(losses.mean())))
        worse = rise(bench, losses, intact, clusters)
        found.append({"what": what, "code": code, "score": score, "loss_of_score": worse.pop("gap"), **worse})
    shifted, reason = guarded(partial(_shifted, bench))
    if reason:
        bench.skipped["shifted"] = reason
    else:
        found.append(shifted)
    if not found:
        raise NotMeasuredError(reason)
    return found


def _ask_made(bench: Bench, make: Callable[[], Rows]) -> Prediction:
    """Answers to rows that are made now, where making them may fail as well."""
    return bench.ask(make())


def _shifted(bench: Bench) -> dict[str, Any]:
    """The fifth of the test rows least like the training rows (see `unlikeness`) against the others."""
    test, answers, clusters = bench.ask_test(TEST_ROWS)
    count = len(test) // SHIFTED_SHARE
    if count < SHIFTED_LEAST:
        raise NotMeasuredError(f"fewer than {SHIFTED_LEAST * SHIFTED_SHARE} test rows")
    # what is seen in words and pictures takes time to find out
    most = ROBUST_ROWS if any(map(is_unstructured, bench.rows.kinds.values())) else TEST_ROWS
    unlike = unlikeness(test, bench.some(bench.train, most, 6))
    if np.ptp(unlike) == 0:
        raise NotMeasuredError("all rows are equally like the training rows")
    by_likeness = np.argsort(-unlike, kind="stable")
    far, near = np.sort(by_likeness[:count]), np.sort(by_likeness[count:])
    sides = [bench.losses(test.take(side), answers[side]) for side in (far, near)]
    means = [float(losses.mean()) for losses in sides]
    scale = scale_of(bench, *means)
    gap = scale * (means[0] - means[1])
    errors = [standard_error(losses, clusters[side]) for losses, side in zip(sides, (far, near), strict=True)]
    half = scale * NORMAL_HALF * math.hypot(*errors)
    return {
        "what": "the fifth of the test rows least like the training rows, against the others",
        "code": "shifted",
        "score": finite(bench.task.measure.score(means[0])),
        "loss_of_score": finite(gap),
        "low": finite(gap - half),
        "high": finite(gap + half),
    }


def _surrogate(bench: Bench) -> dict[str, Any]:
    test, answers, _ = bench.ask_test(SURROGATE_ROWS)
    places = [some_of(part, SURROGATE_ROWS, 7) for part in (bench.valid, bench.train)]
    learned = bench.rows.take(np.concatenate(places))
    measured = measure_surrogate(bench.task, learned, bench.ask(learned), test, answers)
    return {key: finite(value) if isinstance(value, float) else value for key, value in measured.items()}


def _examples(bench: Bench) -> dict[str, Any]:
    return make_examples(bench, bench.picks, bench.competitor)


PARTS: Mapping[str, Callable[[Bench], Any]] = {
    "latency": _latency,
    "train_gap": _train_gap,
    "examples": _examples,
    "importance": _importance,
    "robustness": _robustness,
    "weaknesses": errors_by_fact,
    "surrogate": _surrogate,
}


def _stability(order: ProbeOrder, clock: Run, first: list[dict[str, Any]]) -> float:
    """Spearman's rank correlation of the importances with those of the second fold's models.

    Raises:
        NotMeasuredError: no second fold, no time, too few columns, or all are equally important.
    """
    if len(order.folds) < 2:
        raise NotMeasuredError("no second fold")
    if len(first) < RANKED_LEAST:
        raise NotMeasuredError(f"fewer than {RANKED_LEAST} columns have an importance")
    if clock.left() <= 0:
        raise NotMeasuredError(OUT_OF_TIME)
    bench = _set_up(order, order.folds[1], clock, {})
    bench.importance_order = [item["column"] for item in first]
    second = {item["column"]: item["gap"] for item in _importance(bench)}
    both = [(item["gap"], second[item["column"]]) for item in first if item["column"] in second]
    if len(both) < RANKED_LEAST or any(len(set(side)) < 2 for side in zip(*both, strict=True)):
        raise NotMeasuredError("the importances of the two folds cannot be ranked")
    ranks = pd.DataFrame(both).rank().to_numpy()  # the mean rank of equal ones
    return float(np.corrcoef(ranks.T)[0, 1])
