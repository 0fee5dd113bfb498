"""The gap forecast: laws that hold for any fitted coefficients, and a few examples that must come out right."""

import copy
import json
import math
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fathometer.verdict import forecast_gap
from fathometer.verdict.gap import INTERVAL, Forecast, distribution, read_sizes, shares
from fathometer.verdict.gap_inputs import make_inputs

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PAIRS = DATA / "learning_curves" / "pairs_half_A.csv.gz"
FACTS = {"classes": 10.0, "columns": 64.0, "majority": 0.1}
SIZES = (500.0, 1000.0, 2000.0, 4000.0)

Side = list[tuple[float, float, float]]


def sides(gap: float, spread: float = 0.6, level: float = 15.0) -> tuple[Side, Side]:
    """Both families falling in step, classical worse by `gap` at every size."""
    errors = [level + 4.0 * (4 - k) / 4 for k in range(1, 5)]
    classical = [(n, e + max(gap, 0.0), spread) for n, e in zip(SIZES, errors, strict=True)]
    return classical, [(n, e + max(-gap, 0.0), spread) for n, e in zip(SIZES, errors, strict=True)]


def ask(classical: Side, deep: Side, factor: float = 4.0, margin: float = 0.5) -> Forecast:
    return forecast_gap(classical, deep, factor=factor, facts=FACTS, margin=margin)


def random_sides(random: np.random.Generator) -> tuple[Side, Side]:
    count = int(random.integers(1, 6))
    rows = np.sort(16 * 2.0 ** random.uniform(0, 14, count))
    spread = random.choice([0.0, 0.3, 3.0, 20.0])
    return tuple(  # type: ignore[return-value]
        [(float(n), float(e), float(spread)) for n, e in zip(rows, random.uniform(0, 90, count), strict=True)]
        for _ in range(2)
    )


@pytest.mark.parametrize("seed", range(20))
def test_probabilities_sum_to_one_and_the_interval_is_in_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    classical, deep = random_sides(random)
    answer = ask(classical, deep, float(random.uniform(1, 16)), float(random.uniform(0.1, 2)))
    assert all(math.isfinite(value) for value in vars(answer).values())
    assert answer.p_deep + answer.p_tie + answer.p_classical == pytest.approx(1.0, abs=1e-12)
    assert min(answer.p_deep, answer.p_tie, answer.p_classical) >= 0.0
    assert answer.low <= answer.gap <= answer.high
    assert 0.0 <= answer.disagreement <= 1.0


def test_clear_gaps_are_seen_and_no_gap_is_a_tie() -> None:
    assert ask(*sides(8.0), factor=1.0).p_deep > 0.9
    assert ask(*sides(-8.0), factor=1.0).p_classical > 0.9
    assert ask(*sides(0.0, 0.1), factor=1.0).p_tie > 0.8


def test_a_larger_gap_now_makes_a_deep_win_later_likelier() -> None:
    chances = [ask(*sides(gap)).p_deep for gap in (-4.0, -1.0, 0.0, 1.0, 4.0)]
    assert chances == sorted(chances)


def test_a_wider_margin_means_more_ties() -> None:
    ties = [ask(*sides(0.8), margin=margin).p_tie for margin in (0.1, 0.2, 0.5, 1.0, 2.0)]
    assert ties == sorted(ties)
    assert ties[0] < ties[-1]


def test_more_repeats_narrow_the_interval() -> None:
    for gap in (-2.0, 0.0, 2.0):
        widths = [ask(*sides(gap, 1.2 / math.sqrt(repeats)), 1.0) for repeats in (1, 4, 16)]
        assert (
            widths[0].high - widths[0].low > widths[1].high - widths[1].low > widths[2].high - widths[2].low
        )


def test_further_ahead_is_less_certain() -> None:
    answers = [ask(*sides(2.0), factor) for factor in (1.0, 4.0, 16.0)]
    assert answers[0].high - answers[0].low < answers[1].high - answers[1].low


def test_inputs_are_not_changed_and_their_order_does_not_matter() -> None:
    classical, deep = sides(1.0)
    kept = copy.deepcopy((classical, deep, FACTS))
    first = ask(classical, deep)
    assert (classical, deep, FACTS) == kept
    assert ask(classical[::-1], deep[::-1]) == first
    assert ask(classical, deep) == first


def test_smaller_errors_of_the_gap_are_used() -> None:
    classical, deep = sides(1.0)
    paired = forecast_gap(classical, deep, 1.0, FACTS, 0.5, gap_errors=[0.2] * 4)
    plain = ask(classical, deep, 1.0)
    assert paired.high - paired.low < plain.high - plain.low


def test_one_size_no_facts_and_no_standard_errors_are_enough() -> None:
    answer = forecast_gap([(300, 20.0, 0.0)], [(300, 24.0, 0.0)], 2.0, {}, 0.2)
    assert answer.p_classical > answer.p_deep


def test_sizes_that_are_not_quite_halves_are_taken_for_halves() -> None:
    exact = sides(1.0)
    uneven = tuple(
        [(n * f, e, s) for (n, e, s), f in zip(side, (0.93, 1.06, 0.97, 1.0), strict=True)] for side in exact
    )
    assert ask(*uneven).p_deep == pytest.approx(ask(*exact).p_deep, abs=0.06)


def test_errors_without_a_number_are_left_out() -> None:
    classical, deep = sides(2.0)
    classical[0] = (500.0, float("nan"), 0.5)
    assert math.isfinite(ask(classical, deep).gap)


@pytest.mark.parametrize("factor", [0.5, 0.0, 17.0, float("nan")])
def test_factors_nothing_was_learned_about_are_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        ask(*sides(1.0), factor)


def test_errors_of_the_gap_must_be_of_the_sizes() -> None:
    with pytest.raises(ValueError, match="4 sizes"):
        forecast_gap(*sides(1.0), 4.0, FACTS, 0.5, gap_errors=[0.1])


def test_no_common_size_is_refused() -> None:
    with pytest.raises(ValueError, match="both families"):
        ask([(100, 20.0, 1.0)], [(400, 20.0, 1.0)])


def test_probabilities_are_a_distribution_in_the_margin() -> None:
    """What is outside a margin shrinks towards nothing, and agrees with the interval."""
    classical, deep = sides(1.5)
    answer = ask(classical, deep)
    inputs = make_inputs(read_sizes(classical, deep), np.array([2.0]))
    forecast = distribution(inputs, np.array([2.0]))
    low, middle, high = (
        float(forecast.below(np.array([gap]))[0]) for gap in (answer.low, answer.gap, answer.high)
    )
    assert middle == pytest.approx(0.5, abs=1e-3)
    assert high - low == pytest.approx(INTERVAL, abs=1e-3)


def test_the_coefficients_name_their_source_and_are_small() -> None:
    text = files("fathometer.verdict").joinpath("gap.json").read_text(encoding="utf-8")
    assert len(text) < 90_000
    source = json.loads(text)["source"]
    assert "LCDB 1.1" in source
    assert "CC BY 4.0" in source


def test_the_shares_of_engines_sum_to_one_and_pass_from_now_to_later() -> None:
    share = shares(["always", "now", "later"], [0.1, 0.9, 0.9], np.array([0.0, 0.5, 1.0, 4.0]))
    assert np.allclose(share.sum(axis=0), 1.0)
    assert share[:, 0] == pytest.approx([0.1, 0.9, 0.0])
    assert share[:, 2] == pytest.approx(share[:, 3])
    assert share[1, 1] == pytest.approx(share[2, 1])


@pytest.mark.skipif(not PAIRS.exists(), reason="needs the development data, see CONTRIBUTING.md")
def test_it_beats_persistence_on_measured_pairs() -> None:
    """On the very sets it was fitted to, so only a check that use and fitting agree; see benchmarks/results/gaps.md."""
    pairs = pd.read_csv(PAIRS).query(
        "dl_family == 'nets' and repeats == 3 and extrapolation_factor == 4 and target_offset_anchors == 0"
    )
    losses, coverage = [], []
    for row in pairs.itertuples():
        curves = [
            [
                (row.n_last_observed / 2**k, getattr(row, f"{side}{k}"), getattr(row, f"{side}s{k}"))
                for k in (3, 2, 1, 0)
            ]
            for side in ("ml", "dl")
        ]
        answer = ask(*curves)
        truth = row.ml_err_target - row.dl_err_target
        chance = answer.p_deep if truth > 0.5 else answer.p_classical if truth < -0.5 else answer.p_tie
        losses.append(-math.log(max(chance, 1e-3)))
        coverage.append(answer.low <= truth <= answer.high)
    assert np.mean(losses) < 0.62  # persistence: about 1.15
    assert 0.7 < np.mean(coverage) < 0.95
