"""The curve engine: exact where it can be, honest where it cannot."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import nnls

from fathometer.verdict.curve import MISFIT, Point, _grid, _shapes, _solve, extend, fit_curve

SIZES = (500.0, 1000.0, 2000.0, 4000.0)


def power_law(rows: float) -> float:
    return 5.0 + 400.0 * rows**-0.5


def test_noiseless_power_law_is_followed_inside_and_nearly_beyond() -> None:
    curve = fit_curve([Point(rows, power_law(rows), 0.0) for rows in SIZES])
    assert curve.behaviour == "well"
    assert not curve.note
    for rows in (500, 1500, 4000):
        assert curve.at(rows)[0] == pytest.approx(power_law(rows), abs=0.1)
    mean, deviation = curve.at(16000)
    assert abs(mean - power_law(16000)) < 1.2816 * deviation


def test_a_constant_curve_stays_constant() -> None:
    curve = fit_curve([Point(rows, 12.0, 0.2) for rows in SIZES])
    assert curve.at(40000)[0] == pytest.approx(12.0, abs=0.6)


def test_every_shape_has_its_constrained_optimum() -> None:
    """Level and height agree with the non-negative least squares of scipy."""
    random = np.random.default_rng(3)
    sizes = np.array([SIZES])
    errors = random.uniform(1.0, 30.0, (1, 4))
    weight = 1.0 / (random.uniform(0.1, 2.0, (1, 1, 4)) ** 2 + MISFIT**2)
    phi = _shapes(sizes / sizes[:, -1:], sizes[:, -1:])
    level, height, chi2, _ = _solve(phi, errors[:, None, :], weight, np.ones((1, phi.shape[1], 1)))
    root = np.sqrt(weight[0, 0])
    for shape in range(0, phi.shape[1], 7):
        design = np.stack([np.ones(4), phi[0, shape]], axis=1) * root[:, None]
        expected, residual = nnls(design, errors[0] * root)
        assert chi2[0, shape] == pytest.approx(residual**2, rel=1e-4, abs=1e-6)
        fitted = level[0, shape] + height[0, shape] * phi[0, shape]
        assert fitted == pytest.approx(expected[0] + expected[1] * phi[0, shape], rel=1e-3, abs=1e-3)


def test_the_forecast_grows_less_certain_with_distance_and_noise() -> None:
    quiet = fit_curve([Point(rows, power_law(rows), 0.1) for rows in SIZES])
    noisy = fit_curve([Point(rows, power_law(rows), 1.5) for rows in SIZES])
    assert quiet.at(4000)[1] < quiet.at(16000)[1] < quiet.at(64000)[1]
    assert quiet.at(16000)[1] < noisy.at(16000)[1]


def test_forecasts_never_rise_beyond_the_data() -> None:
    curve = fit_curve([Point(rows, power_law(rows), 0.5) for rows in SIZES])
    means = [curve.at(rows)[0] for rows in (4000, 8000, 16000, 32000, 64000, 256000)]
    assert all(before >= after >= 0.0 for before, after in pairwise(means))


def test_the_order_of_points_does_not_matter_and_they_are_kept() -> None:
    points = [Point(rows, power_law(rows), 0.3) for rows in SIZES]
    assert fit_curve(points[::-1]) == fit_curve(points)
    assert fit_curve(points).points == tuple(points)


def test_an_early_peak_is_left_out() -> None:
    errors = (20.0, 30.0, 18.0, 12.0, 8.5)
    curve = fit_curve([Point(250.0 * 2**k, error, 0.5) for k, error in enumerate(errors)])
    assert curve.behaviour == "rising"
    assert curve.is_ill_behaved
    assert "250" in curve.note and "500" in curve.note
    assert len(curve.used) < len(curve.points)
    assert curve.at(8000)[0] < 8.6


def test_a_late_rise_falls_back_to_the_last_error_with_a_wide_interval() -> None:
    curve = fit_curve([Point(rows, error, 0.5) for rows, error in zip(SIZES, (20, 18, 17, 26), strict=True)])
    assert curve.behaviour == "rising"
    mean, deviation = curve.at(8000)
    assert mean == 26
    assert deviation > 2.0


def test_few_points_are_said_to_be_few_and_still_answer() -> None:
    for count in (1, 2):
        curve = fit_curve([Point(rows, power_law(rows), 0.0) for rows in SIZES[-count:]])
        assert curve.behaviour == "few"
        assert curve.note
        assert np.isfinite(curve.at(16000)).all()
    with pytest.raises(ValueError, match="at least one"):
        fit_curve([])


def test_curves_are_fitted_together_as_alone() -> None:
    random = np.random.default_rng(0)
    sizes = np.tile(SIZES, (5, 1))
    errors, spreads = random.uniform(5, 30, (5, 4)), random.uniform(0, 1, (5, 4))
    together = extend(sizes, errors, spreads, np.full((5, 1), 4.0))
    for row in range(5):
        alone = extend(sizes[[row]], errors[[row]], spreads[[row]], np.full((1, 1), 4.0))
        assert np.allclose([part[row] for part in together[:2]], [part[0] for part in alone[:2]])


def test_the_interval_covers_in_simulation() -> None:
    """Power laws with noise: the 80 % interval at four times the rows holds at least 75 %."""
    random = np.random.default_rng(11)
    covered = []
    for _ in range(200):
        level, height, power = random.uniform(2, 20), random.uniform(5, 30), random.uniform(0.2, 1.0)
        truth = level + height * (np.array([*SIZES, 16000.0]) / 500.0) ** -power
        errors = truth[:4] + random.normal(size=4) * 0.7
        mean, deviation = fit_curve([Point(r, e, 0.7) for r, e in zip(SIZES, errors, strict=True)]).at(16000)
        covered.append(abs(mean - truth[4]) < 1.2816 * deviation)
    assert np.mean(covered) > 0.75


def test_the_grid_is_as_described() -> None:
    assert [part.shape[1] for part in _grid()] == [25, 20, 60, 60, 70]
