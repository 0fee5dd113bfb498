"""A pre-trained model is judged beside the two families, and changes nothing of their comparison."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from outcomes import ENCODER, by_errors, outcome, table, with_pretrained
from test_decide import check_words, errors
from test_outlook import SIZES, classes_study, error_at

from fathometer.study.budget import PRETRAINED
from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import known_encoders, leaderboard
from fathometer.verdict.catching_up import CatchUp, catch_up, more_rows_of
from fathometer.verdict.compare import contrast
from fathometer.verdict.decide import LEANING, Verdict, decide
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.outlook import LearningCurve
from fathometer.verdict.result import as_json

Law = tuple[float, float, float]


def three(
    classical: float,
    deep: float,
    pretrained: float,
    *,
    together: float | None = None,
    rows: int = 3_000,
    lacks: int = 0,
    folds: int = 5,
) -> Outcome:
    """A study of two classes with these shares of errors."""
    rng = np.random.default_rng(1)
    target = (rng.permutation(rows) < 0.4 * rows).astype(np.int64)
    both = min(classical, deep) if together is None else together
    names = ("classical", "deep", "together", "third")
    said = by_errors(target, dict(zip(names, errors(rows, classical, deep, both, pretrained), strict=True)))
    return with_pretrained(outcome(said, target, folds=folds), {1: said["third"]}, lacks=lacks)


def without(of: Outcome) -> Outcome:
    results = {name: folds for name, folds in of.results.items() if name != "pretrained"}
    trials = tuple(trial for trial in of.trials if trial.family != "pretrained")
    run = {key: value for key, value in of.run.items() if key != "encoders"}
    anchors = {name: sizes for name, sizes in of.anchors.items() if name != "pretrained"}
    two = ("classical", "deep")
    return replace(of, results=results, trials=trials, run=run, anchors=anchors, families=two)


def judged(of: Outcome) -> Verdict:
    verdict = decide(of, table(of))
    check_words(verdict)
    return verdict


SITUATIONS = [
    (three(0.17, 0.15, 0.08), "pretrained", "A pre-trained model pays: P(better than deep learning by"),
    (three(0.10, 0.16, 0.05), "pretrained", "A pre-trained model pays: P(better than classical ML by"),
    (three(0.41, 0.41, 0.20), "pretrained", "Without it: no signal:"),
    (three(0.15, 0.15, 0.05, together=0.09), "pretrained", "P(better than both together by"),
    (three(0.15, 0.15, 0.09, together=0.09, rows=19_000), "together", "as good as both together: P("),
    (
        three(0.10, 0.16, 0.101, rows=19_000),
        "classical",
        "as good as classical ML: P(difference within 0.5",
    ),
    (three(0.10, 0.16, 0.14), "classical", "The pre-trained model is behind classical ML by"),
    (
        three(0.10, 0.16, 0.02, folds=2),
        "leaning_classical",
        "The pre-trained model is ahead of classical ML by",
    ),
]


@pytest.mark.parametrize(("of", "answer", "words"), SITUATIONS, ids=[words for _, _, words in SITUATIONS])
def test_situation_has_its_answer(of: Outcome, answer: str, words: str) -> None:
    verdict = judged(of)
    assert verdict.answer == answer, verdict.sentence
    assert verdict.pretrained is not None
    # whoever asks for an answer gets it from the model that is likely the best, whatever may be said of the two
    is_likely = verdict.pretrained.p_better >= LEANING
    assert verdict.use == (PRETRAINED if is_likely else answer.removeprefix("leaning_"))
    assert words in verdict.sentence
    assert "small-encoder" in verdict.sentence and "/models" not in verdict.sentence
    view = verdict.pretrained
    assert view is not None
    assert view.p_better + view.p_same + view.p_worse == pytest.approx(1)
    assert (answer == "pretrained") == (verdict.sentence.startswith("A pre-trained model pays"))


@pytest.mark.parametrize(("of", "answer", "words"), SITUATIONS, ids=[words for _, _, words in SITUATIONS])
def test_the_comparison_of_the_two_is_what_it_is_without_it(of: Outcome, answer: str, words: str) -> None:
    two, verdict = judged(without(of)), judged(of)
    assert two.pretrained is None
    for name in ("p_deep", "p_tie", "p_classical", "families", "together", "more_rows"):
        assert getattr(verdict, name) == getattr(two, name)
    assert {name: p for name, p in verdict.signal.items() if name != "pretrained"} == two.signal
    assert verdict.pretrained is not None
    assert verdict.pretrained.between == two.answer
    if answer != "pretrained":
        assert verdict.sentence.startswith(two.sentence)
        assert (verdict.answer, verdict.weak) == (two.answer, two.weak)
        assert verdict.use in (two.use, PRETRAINED)
    else:
        assert verdict.sentence.endswith(two.sentence[1:])


def test_a_signal_that_it_alone_has_is_not_called_none() -> None:
    verdict = judged(three(0.41, 0.41, 0.375))
    assert verdict.pretrained is not None and verdict.pretrained.between == "no_signal"
    assert verdict.answer in ("cannot_tell", "pretrained")
    assert verdict.use == "pretrained"


def test_the_gap_is_on_the_folds_that_both_have() -> None:
    of = three(0.16, 0.10, 0.05, lacks=2)
    view = judged(of).pretrained
    assert view is not None
    assert view.contrast.folds == 3
    names = [fold.fold for fold in of.results["pretrained"]]
    mine = {name: [f for f in folds if f.fold in names] for name, folds in of.results.items()}
    gaps = [a.losses.mean() - b.losses.mean() for a, b in zip(mine["deep"], mine["pretrained"], strict=True)]
    assert view.contrast.gap == pytest.approx(100 * np.mean(gaps))
    assert contrast(of, "classical", "deep").folds == 5


def test_its_column_holds_the_encoder_once_and_a_third_of_the_time() -> None:
    of = three(0.16, 0.10, 0.05)
    stands = table(of)
    assert stands["pretrained"].model_bytes == ENCODER["size_bytes"] + 5 * 1_000
    whole = 60.0 * 2 * 0.8
    for name in ("classical", "deep", "pretrained"):
        assert stands[name].share_seconds == pytest.approx(whole / 3)
    assert stands["together"].share_seconds == pytest.approx(2 * whole / 3)
    assert table(without(of))["deep"].share_seconds == pytest.approx(whole / 2)
    assert "pretrained" in {attempt.family for attempt in leaderboard(of)}


def test_where_it_did_not_get_ready_nothing_is_said_of_it() -> None:
    of = three(0.16, 0.10, 0.05)
    of = replace(of, results={name: f for name, f in of.results.items() if name != "pretrained"})
    assert judged(of).pretrained is None
    assert "pretrained" not in table(of)


def test_a_result_without_it_has_no_word_of_it() -> None:
    of = without(three(0.16, 0.10, 0.05))
    assert "pretrained" not in json.dumps(result(of))


def test_a_result_with_it_says_what_it_needs_and_how_it_compares() -> None:
    of = curved((0.10, 0.1, 0.08))
    told = result(of)
    assert told["encoders"] == [{**ENCODER, "trained_here": False}]
    assert set(told["table"]) == set(told["folds"]) == set(of.results)
    found = told["verdict"]["pretrained"]
    assert (found["against"], found["contrast"]["second"]) == ("deep", "pretrained")
    assert found["encoders"] == told["encoders"]
    assert found["p_better"] + found["p_same"] + found["p_worse"] == pytest.approx(1)
    json.dumps(told, allow_nan=False)


def result(of: Outcome) -> dict[str, Any]:
    facts = {
        "created": "2026-11-20T00:00:00+00:00",
        "versions": {},
        "machine": {},
        "seed": 0,
        "task": {"name": "classification"},
        "understood": [],
        "left_out": [],
        "findings": [],
    }
    splits = {**of.run["splits"], "sentence": "on other rows"}
    of = replace(of, run={**of.run, **facts, "splits": splits})
    return as_json(Evidence(of, table(of), judged(of)), leaderboard(of), 1.0)


def curved(pretrained: Law, deep: Law = (0.17, 0.4, 0.06), seed: int = 0, lacks: int = 0) -> Outcome:
    """Families by their power laws, and a pre-trained by its own."""
    made = classes_study((0.30, 0.25, 0.10), deep, seed=seed)
    draws = np.random.default_rng(seed + 100).random(len(made.target))
    said = {
        divisor: by_errors(made.target.astype(np.int64), {"third": draws < error_at(divisor, *pretrained)})[
            "third"
        ]
        for divisor in SIZES
    }
    return with_pretrained(made, said, lacks=lacks)


def foreseen(of: Outcome) -> tuple[LearningCurve, CatchUp]:
    curve, found = catch_up(of, "deep")
    assert curve is not None and found is not None
    return curve, found


def test_a_flat_lead_is_caught_up_by_a_family_that_still_learns() -> None:
    _, found = foreseen(curved((0.14, 0.02, 0.135), deep=(0.17, 0.7, 0.02)))
    assert found.crossover is not None
    assert found.crossover.leader == "pretrained"
    assert found.factors[0].gap > 0 and found.factors[0].p_better > found.factors[0].p_worse
    assert [lead.factor for lead in found.factors] == [1, 2, 4, 8, 16]
    assert found.factors[-1].gap < found.factors[0].gap
    said = more_rows_of(found, "deep")
    assert "catch up with the pre-trained model" in said and said.endswith(".")


def test_a_large_lead_that_grows_is_hardly_caught_up() -> None:
    _, near = foreseen(curved((0.14, 0.02, 0.135), deep=(0.17, 0.7, 0.02)))
    _, far = foreseen(curved((0.04, 0.3, 0.01), deep=(0.17, 0.05, 0.10)))
    assert near.crossover is not None and far.crossover is not None
    assert far.crossover.p_by[16] < near.crossover.p_by[16]
    assert "would hardly catch up" in more_rows_of(far, "deep")


def test_where_it_was_caught_up_already_that_is_said() -> None:
    _, found = foreseen(curved((0.20, 0.05, 0.15), deep=(0.14, 0.6, 0.02)))
    assert found.crossover is not None and found.crossover.leader == "deep"
    assert found.factors[0].gap < 0
    assert "With fewer rows the pre-trained model was ahead; deep learning caught up near" in more_rows_of(
        found, "deep"
    )


def test_its_curve_ends_at_the_tables_score_and_takes_its_own_folds() -> None:
    for lacks in (0, 1):
        of = curved((0.10, 0.1, 0.08), lacks=lacks)
        curve, found = foreseen(of)
        score = table(of)["pretrained"].score
        assert score is not None
        assert curve.points[-1].score == pytest.approx(score.score)
        assert curve.points[-1].folds == 5 - lacks
        assert [point.divisor for point in curve.points] == [8, 4, 2, 1]
        assert found.rows == 3_200


def test_the_lead_now_is_the_measured_gap() -> None:
    of = curved((0.10, 0.1, 0.08))
    _, found = foreseen(of)
    gap = contrast(of, "deep", "pretrained")
    now = found.factors[0]
    assert now.gap == pytest.approx(gap.gap)
    assert (now.p_better, now.p_same, now.p_worse) == pytest.approx(
        (gap.belief.above, gap.belief.within, gap.belief.below)
    )
    assert now.low <= now.gap <= now.high


def test_without_smaller_sizes_of_it_nothing_is_forecast() -> None:
    of = curved((0.10, 0.1, 0.08))
    anchors = {name: sizes for name, sizes in of.anchors.items() if name != "pretrained"}
    assert catch_up(replace(of, anchors=anchors), "deep") == (None, None)
    assert more_rows_of(None, "deep") == ""


def test_what_may_be_noise_is_said_to_be() -> None:
    verdict = judged(three(0.15, 0.15, 0.146, rows=900))
    assert verdict.pretrained is not None
    assert max(verdict.pretrained.p_better, verdict.pretrained.p_same, verdict.pretrained.p_worse) < 0.8
    assert re.search(r"As measured, the pre-trained model is|is probably as good as", verdict.sentence)


def test_an_encoder_is_known_to_be_trained_in_the_run() -> None:
    folder = {"folder": "/runs/one/unlabelled/encoder"}
    own = {"unlabelled": {"rows": 5}, "encoders": [{**ENCODER, **folder}, ENCODER]}
    assert [one["trained_here"] for one in known_encoders(own)] == [True, False]
    assert [one["trained_here"] for one in known_encoders({"encoders": [{**ENCODER, **folder}]})] == [False]
