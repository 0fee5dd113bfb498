"""From situations to answers, and what the answers say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from outcomes import CLASSES, NUMBERS, a_trial, by_errors, outcome, table

from fathometer.study.outcome import Outcome
from fathometer.verdict.compare import contrast, score
from fathometer.verdict.decide import Verdict, decide
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.result import as_json
from fathometer.verdict.wording import busy

Bools = npt.NDArray[np.bool_]


def errors(rows: int, *shares: float, seed: int = 0, own: float = 0.03) -> list[Bools]:
    """Where competitors err: mostly on the same rows, as models do, with their own share each."""
    rng = np.random.default_rng(seed)
    hard = rng.permutation(rows) / rows
    return [(hard < share - own / 2) | (rng.permutation(rows) / rows < own / 2) for share in shares]


def situation(
    classical: float, deep: float, together: float | None = None, rows: int = 3_000, **how: Any
) -> Outcome:
    """A study of two classes with these shares of errors."""
    rng = np.random.default_rng(1)
    target = (rng.permutation(rows) < 0.4 * rows).astype(np.int64)
    one, other, both = errors(rows, classical, deep, min(classical, deep) if together is None else together)
    wrong = {"classical": one, "deep": other, "together": both}
    return outcome(by_errors(target, wrong), target, **how)


def judged(of: Outcome) -> Verdict:
    verdict = decide(of, table(of))
    check_words(verdict)
    return verdict


def check_words(verdict: Verdict) -> None:
    """What every sentence must keep."""
    for text in (verdict.sentence, verdict.next_step, *verdict.weak):
        assert not re.search(r"nan|inf\b|None|e\+\d\d|  ", text), text
        assert not re.search(r"\b1 (minutes|rows|folds|points|seconds|hours)\b", text), text
        assert not re.search(r"\b0 (minutes|rows|folds|seconds|hours|more rows)\b", text), text
        assert not re.search(r"= (0|100) %", text), text
    assert verdict.sentence.endswith(".")
    assert verdict.next_step == "" or verdict.next_step.endswith(".")
    assert verdict.p_deep + verdict.p_tie + verdict.p_classical == pytest.approx(1)


SITUATIONS = [
    (situation(0.10, 0.16), "classical", "classical", "Classical ML is enough"),
    (situation(0.16, 0.10), "deep", "deep", "Deep learning pays"),
    (situation(0.15, 0.15, 0.09), "together", "together", "Use both together"),
    (situation(0.10, 0.10, rows=19_000), "tie", "classical", "No practical difference"),
    (situation(0.41, 0.41, 0.41), "no_signal", "baseline", "No signal"),
    (situation(0.08, 0.14, folds=2, planned=5), "leaning_classical", "classical", "Leaning to classical ML"),
    (situation(0.14, 0.08, folds=2, planned=5), "leaning_deep", "deep", "Leaning to deep learning"),
    (situation(0.14, 0.08, rows=280), "leaning_deep", "deep", "Leaning to deep learning"),
    (situation(0.10, 0.10, rows=19_000, folds=2), "leaning_tie", "classical", "Leaning to no practical"),
    (situation(0.20, 0.195, rows=600), "cannot_tell", "deep", "Cannot tell"),
]


@pytest.mark.parametrize(
    ("of", "answer", "use", "words"), SITUATIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_situation_has_its_answer(of: Outcome, answer: str, use: str, words: str) -> None:
    verdict = judged(of)
    assert (verdict.answer, verdict.use) == (answer, use), verdict
    assert verdict.sentence.startswith(words)


@pytest.mark.parametrize(("of", "answer", "use", "words"), SITUATIONS[:2] + SITUATIONS[5:8])
def test_swapped_families_get_the_mirrored_answer(of: Outcome, answer: str, use: str, words: str) -> None:
    other = {"classical": "deep", "deep": "classical"}
    results = {other.get(name, name): folds for name, folds in of.results.items()}
    mirrored = judged(replace(of, results=results))
    straight = judged(of)
    assert mirrored.use == other[use]
    assert mirrored.p_deep == pytest.approx(straight.p_classical, abs=1e-6)
    assert mirrored.p_tie == pytest.approx(straight.p_tie, abs=1e-6)


def test_the_interval_of_the_gap_speaks_of_the_one_ahead() -> None:
    verdict = judged(situation(0.20, 0.195, rows=600))
    found = re.search(
        r"deep learning is ahead by ([\d.]+) points?, 95 % interval (-?[\d.]+) to ([\d.]+) points",
        verdict.sentence,
    )
    assert found, verdict.sentence
    gap, low, high = map(float, found.groups())
    assert low < gap < high
    assert verdict.families is not None
    assert (gap, low, high) == pytest.approx(
        (verdict.families.gap, verdict.families.low, verdict.families.high), rel=0.06
    )
    mirrored = judged(situation(0.195, 0.20, rows=600))
    assert "classical ML is ahead by" in mirrored.sentence


def test_a_gap_is_in_points_of_the_score() -> None:
    of = situation(0.10, 0.16)
    scores = {name: score(of, name) for name in ("classical", "deep")}
    gap = contrast(of, "classical", "deep")
    assert gap.gap == pytest.approx(scores["deep"].score - scores["classical"].score)
    assert gap.low < gap.gap < gap.high
    assert all(s.low <= s.score <= s.high for s in scores.values())


def test_few_folds_rows_or_groups_allow_no_winner() -> None:
    for of, said in (
        (situation(0.30, 0.10, folds=1, planned=5), "only 1 fold of the 3 needed is finished"),
        (situation(0.30, 0.10, folds=2, planned=5), "only 2 folds of the 3 needed are finished"),
        (situation(0.30, 0.10, rows=200), "only 200 rows could be tested on, fewer than 300"),
        (situation(0.30, 0.10, clusters=np.arange(3_000) // 600), "only 5 different groups were tested on"),
    ):
        verdict = judged(of)
        assert said in " ".join(verdict.weak)
        assert verdict.answer not in ("classical", "deep", "together", "tie")
        assert verdict.next_step


def test_a_rare_class_allows_no_winner() -> None:
    rng = np.random.default_rng(0)
    target = (rng.permutation(2_000) < 15).astype(np.int64)
    wrong = dict(zip(("classical", "deep", "together"), errors(2_000, 0.3, 0.1, 0.1), strict=True))
    verdict = judged(outcome(by_errors(target, wrong), target))
    assert "the rarest class has only 15 tested rows" in " ".join(verdict.weak)
    assert "more rows" in verdict.next_step


def test_what_would_decide_is_enough_to_decide() -> None:
    verdict = judged(situation(0.20, 0.185, rows=600))
    found = re.search(r"about ([\d,]+) more rows", verdict.next_step)
    assert found, verdict
    rows = 600 + int(found[1].replace(",", ""))
    assert judged(situation(0.20, 0.185, rows=rows)).answer == "deep"


def test_rows_are_asked_for_where_too_few_were_tested() -> None:
    verdict = judged(situation(0.30, 0.05, rows=200))
    found = re.search(r"about ([\d,]+) more rows?", verdict.next_step)
    assert found, verdict
    assert 100 <= int(found[1]) <= 120


def test_missing_folds_are_asked_for_where_they_would_decide() -> None:
    verdict = judged(situation(0.08, 0.14, folds=2, planned=5, budget=60.0))
    assert "1 further fold, by resuming the run with a budget of about 2 minutes in all" in verdict.next_step
    assert "more row" not in verdict.next_step
    one = judged(situation(0.08, 0.14, folds=2, planned=3, budget=30.0))
    assert "1 further fold, by resuming the run with a budget of about 50 seconds in all" in one.next_step


def test_further_passes_over_the_same_rows_are_not_promised_to_decide() -> None:
    verdict = judged(situation(0.20, 0.19, rows=600, planned=15))
    assert "further folds" not in verdict.next_step


def test_a_gap_at_the_margin_is_told_as_such() -> None:
    rows, target = 20_000, np.arange(20_000) % 2
    hard = np.random.default_rng(3).permutation(rows)
    wrong = {"classical": hard < 2_000, "deep": hard < 1_900, "together": hard < 1_900}
    verdict = judged(outcome(by_errors(target, wrong), target))
    assert verdict.answer in ("cannot_tell", "leaning_tie", "leaning_deep")
    assert (
        "would hardly settle a difference of 0.5 points against a margin of 0.5 points" in verdict.next_step
    )


def test_families_that_answer_alike_tie_without_any_spread() -> None:
    rows, target = 1_000, np.arange(1_000) % 2
    wrong = np.arange(rows) % 10 == 0
    verdict = judged(
        outcome(by_errors(target, dict.fromkeys(("classical", "deep", "together"), wrong)), target)
    )
    assert verdict.answer == "tie"
    assert "> 99 %" in verdict.sentence


def test_a_signal_that_is_not_sure_is_neither_claimed_nor_denied() -> None:
    of = situation(0.33, 0.33, rows=400)
    verdict = judged(of)
    assert 0.9 <= max(verdict.signal.values()) < 0.975
    assert verdict.answer == "cannot_tell"
    assert "not sure that anything beats the baseline" in " ".join(verdict.weak)


def test_one_group_alone_tells_nothing() -> None:
    of = situation(0.30, 0.10, folds=1, planned=3, of=3, clusters=np.zeros(3_000, dtype=np.int64))
    verdict = judged(of)
    assert verdict.answer == "cannot_tell"
    as_json(Evidence(_with_facts(of), table(of), verdict), [], 1.0)


def numbers(
    one: float, other: float, rows: int = 2_000, scale: float = 1.0, baseline: float = 3.0
) -> Outcome:
    """A study of a number: both families' root mean squared errors, mostly on the same rows."""
    rng = np.random.default_rng(5)
    target = scale * rng.normal(size=rows) * baseline
    common = rng.normal(size=rows)
    noise = [0.98 * common + 0.2 * rng.normal(size=rows) for _ in range(3)]
    sizes = (one, other, min(one, other))
    said = [target + scale * size * error for size, error in zip(sizes, noise, strict=True)]
    names = ("classical", "deep", "together")
    predictions = dict(zip(names, said, strict=True)) | {"baseline": np.zeros(rows)}
    return outcome(predictions, target, task=NUMBERS)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_numbers_are_judged_in_per_cent_whatever_their_unit(scale: float) -> None:
    verdict = judged(numbers(1.0, 1.2, scale=scale))
    assert verdict.answer == "classical"
    assert re.search(r"ahead by 1[5-9] %", verdict.sentence), verdict.sentence
    assert "more than 1 %" in verdict.sentence
    assert scale < 1e6 or "RMSE: classical ML 1,0" in verdict.sentence


def test_a_gap_of_more_than_a_hundred_per_cent_is_written_out() -> None:
    verdict = judged(numbers(0.1, 2.0))
    assert re.search(r"ahead by 1[0-9][0-9] %", verdict.sentence), verdict.sentence


def test_nothing_finished_is_said_with_the_first_reason() -> None:
    of = situation(0.1, 0.2)
    empty = replace(of, results=dict.fromkeys(of.results, ()), trials=())
    assert "of classical ML and deep learning" in judged(empty).sentence
    failed = a_trial("deep", "f0", status="failed", reason="ValueError: no.")
    verdict = judged(replace(empty, trials=(a_trial("classical", "f0"), failed)))
    assert "no finished trial of deep learning" in verdict.sentence
    assert "a deep learner: ValueError: no." in verdict.sentence
    assert verdict.use == "baseline"
    apart = (a_trial("classical", "f0"), a_trial("deep", "f1"))
    assert "of both families on one fold" in judged(replace(empty, trials=apart)).sentence


def test_an_accuracy_at_the_baseline_with_probabilities_that_know_more_is_signal() -> None:
    rng = np.random.default_rng(0)
    rows = 3_000
    risk = rng.uniform(0.02, 0.4, rows)
    target = (rng.random(rows) < risk).astype(np.int64)
    knowing = np.stack([1 - risk, risk], axis=1)
    flat = np.tile([0.79, 0.21], (rows, 1))
    names = dict.fromkeys(("classical", "deep", "together"), knowing) | {"baseline": flat}
    verdict = judged(outcome(names, target, task=CLASSES))
    assert verdict.signal["deep"] > 0.99
    assert verdict.answer == "tie"


def test_a_result_is_plain_data_without_nan() -> None:
    for of, *_ in SITUATIONS:
        verdict = decide(of, table(of))
        told = as_json(Evidence(_with_facts(of), table(of), verdict), [], 1.0)
        assert told["verdict"]["answer"] == verdict.answer


def _with_facts(of: Outcome) -> Outcome:
    blank = dict.fromkeys(
        ("created", "versions", "machine", "seed", "task", "understood", "left_out", "findings")
    )
    splits = {**of.run["splits"], "sentence": ""}
    return replace(of, run={**of.run, **blank, "understood": [], "splits": splits})


def test_folds_that_were_planned_and_not_finished_are_not_claimed() -> None:
    plan = "on 3 of 5 folds, in each 1,000 rows"
    for folds, said in ((1, f"{plan}; only 1 of these 3 was finished by both families"), (3, plan)):
        of = _with_facts(situation(0.30, 0.10, folds=folds, planned=3))
        run = {**of.run, "splits": {**of.run["splits"], "first": 3, "sentence": plan}}
        of = replace(of, run={**run, "understood": ["Read as utf-8.", f"Judged {plan}."]})
        told = as_json(Evidence(of, table(of), judged(of)), [], 1.0)
        assert told["splits"]["sentence"] == said
        assert told["splits"]["scored"] == folds
        assert told["understood"] == ["Read as utf-8.", f"Judged {said}."]


def test_a_family_that_had_no_time_for_its_learners_loses_to_nobody() -> None:
    of = situation(0.30, 0.10)
    assert judged(of).answer == "deep"
    thin = replace(of, suited={"classical": 9, "deep": 1})
    verdict = judged(thin)
    assert verdict.answer == "leaning_deep"
    assert "only 1 learner of classical ML" in " ".join(verdict.weak)
    assert "deep learning could" not in " ".join(verdict.weak)  # its only one was tried
    assert "larger --budget" in verdict.next_step
    short = replace(thin, run={**thin.run, "recipes": 1})
    assert judged(short).answer == "deep"
    many = tuple(
        replace(trial, learner=f"{trial.learner}{k}", key=f"{trial.key}{k}")
        for trial in of.trials
        for k in range(3)
    )
    assert judged(replace(thin, trials=(*of.trials, *many))).answer == "deep"


def test_a_busy_machine_is_told_only_of_a_budget_that_ran_out() -> None:
    of = situation(0.30, 0.10)
    stands = {
        name: replace(one, cpu_seconds=5.0 if name == "deep" else 4.0, share_seconds=10.0)
        for name, one in table(of).items()
    }
    assert "40 % and 50 %" in busy(of, stands, "budget")
    assert busy(of, stands, "plan") == busy(of, stands, "interrupted") == busy(of, stands, "") == ""
    assert busy(replace(of, run={**of.run, "replay": [{}]}), stands, "budget") == ""
    worked = {name: replace(one, cpu_seconds=8.0) for name, one in stands.items()}
    assert busy(of, worked, "budget") == ""
    nothing = {name: replace(one, share_seconds=0.0) for name, one in stands.items()}
    assert busy(of, nothing, "budget") == ""
