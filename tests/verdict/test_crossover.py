"""The crossover: laws of its probabilities, both directions, and what was overtaken within the measured sizes."""

import numpy as np
import pytest

from fathometer.verdict.crossover import Crossover, crossover_of, draw_paths, start_from

SIZES = (500.0, 1000.0, 2000.0, 4000.0)

Side = list[tuple[float, float, float]]


def side(errors: tuple[float, ...], spread: float = 0.3) -> Side:
    return [(rows, error, spread) for rows, error in zip(SIZES, errors, strict=True)]


def look(classical: Side, deep: Side, seed: int = 0) -> Crossover:
    return crossover_of(draw_paths(classical, deep, seed=seed), classical, deep, 0.5, seed=seed)


CATCHING_UP = side((16, 15, 14.2, 13.6)), side((30, 23, 18, 14.5))
FAR_BEHIND = side((12, 10, 8, 7)), side((45, 44, 43, 42))
OVERTAKEN = side((16, 15, 14, 13)), side((26, 18, 12, 8))


def test_chances_grow_with_rows_and_margins_make_them_smaller() -> None:
    for pair in (CATCHING_UP, FAR_BEHIND, OVERTAKEN):
        found = look(*pair)
        for chances in (found.p_by, found.p_by_margin):
            assert list(chances) == [2, 4, 10, 16]
            assert list(chances.values()) == sorted(chances.values())
            assert all(0.0 <= chance <= 1.0 for chance in chances.values())
        assert all(found.p_by_margin[rows] <= found.p_by[rows] for rows in found.p_by)
        assert found.p_never + found.p_by[16] == pytest.approx(1.0)


def test_who_catches_up_is_likelier_to_overtake_than_who_is_far_behind() -> None:
    near, far = look(*CATCHING_UP), look(*FAR_BEHIND)
    assert near.leader == far.leader == "classical"
    assert near.p_by[16] > 0.5 > 0.2 > far.p_by[16]


def test_rows_are_in_order_and_open_beyond_sixteen_times() -> None:
    near, far = look(*CATCHING_UP), look(*FAR_BEHIND)
    assert far.median_rows is far.high_rows is None
    assert near.low_rows is not None and near.median_rows is not None
    assert 4000 <= near.low_rows <= near.median_rows <= 64000


def test_overtaking_within_the_measured_sizes_is_found_near_where_the_lines_cross() -> None:
    found = look(*OVERTAKEN)
    assert found.leader == "deep"
    assert found.overtook is not None
    assert 1000 < found.overtook.rows < 2000
    assert found.overtook.low <= found.overtook.rows <= found.overtook.high
    assert look(*FAR_BEHIND).overtook is None


def test_it_works_in_both_directions() -> None:
    found = look(side((30, 23, 17, 13.0)), side((12, 11.5, 11.2, 11.0)))
    assert found.leader == "deep"
    assert found.p_by[16] > found.p_by[2]


def test_the_same_seed_gives_the_same_answer_and_another_nearly_the_same() -> None:
    assert look(*CATCHING_UP) == look(*CATCHING_UP)
    assert look(*CATCHING_UP).p_by[16] == pytest.approx(look(*CATCHING_UP, seed=1).p_by[16], abs=0.05)


def test_one_size_is_enough() -> None:
    one, other = [(300, 20.0, 0.0)], [(300, 24.0, 0.0)]
    found = crossover_of(draw_paths(one, other), one, other, 0.2)
    assert found.leader == "classical"
    assert found.overtook is None


@pytest.mark.parametrize("pair", [CATCHING_UP, FAR_BEHIND, OVERTAKEN])
def test_paths_start_where_they_are_told_and_forget_it(pair: tuple[Side, Side]) -> None:
    paths = draw_paths(*pair)
    before = np.median(paths.gaps, axis=0)
    assert np.allclose(start_from(paths, 3.0, 1.0, 0.0).gaps, paths.gaps)
    for middle, spread in ((before[0] + 2.0, 0.3), (before[0] - 1.0, 2.0), (0.2, 0.1)):
        moved = start_from(paths, float(middle), spread, 1.0).gaps
        low, centre, high = np.quantile(moved[:, 0], [0.1, 0.5, 0.9])
        assert centre == pytest.approx(middle, abs=0.05)
        assert (high - low) / 2 == pytest.approx(spread, rel=0.05)
        shift = np.abs(np.median(moved, axis=0) - before)
        assert shift[-1] < shift[0]


def test_a_smaller_lead_is_never_turned_around() -> None:
    paths = draw_paths(*FAR_BEHIND)
    before = np.median(paths.gaps, axis=0)
    after = np.median(start_from(paths, 0.05 * float(before[0]), 1.0, 1.0).gaps, axis=0)
    assert np.all(after * before > 0)
    assert np.all(np.abs(after) <= np.abs(before))
