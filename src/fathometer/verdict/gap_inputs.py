"""What the gap forecast looks at, computed from both families' measured errors; the same code for fitting and for use.

Everything is made for many data sets at once: arrays begin with the axis of data sets. The last axis of sizes is four
long, the largest size first, then about a half, a quarter and an eighth of it; NaN where not measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fathometer.verdict.curve import extend

Array = NDArray[np.float64]

STEPS = 4  # sizes looked at: N, N/2, N/4, N/8
UNIT = 0.5  # points; gaps are compressed by asinh(gap / UNIT), so that a huge gap is not a hundred times a small one
SMALL = 0.5  # points; errors enter as log(error + SMALL)


@dataclass(frozen=True)
class Measured:
    """Both families at the nested sizes of some data sets.

    `rows` (sets, 4); `errors` and `spreads` (sets, 2, 4), classical first; `gap_spreads` (sets, 4).
    """

    rows: Array
    errors: Array
    spreads: Array
    gap_spreads: Array


@dataclass(frozen=True)
class Inputs:
    """What the engines read: `gaps` (sets, GAPS) in points, `context` (sets, CONTEXT), `rough` (sets,) in points.

    `rough` is a first guess at the error of taking the gap as it is: engines learn the scale relative to it.
    """

    gaps: Array
    context: Array
    rough: Array


def make_inputs(measured: Measured, log2_factor: Array) -> Inputs:
    """The engines' inputs at `log2_factor` (sets,) doublings beyond the largest size."""
    known = np.all(np.isfinite(measured.errors), axis=1)
    rows = np.where(known, measured.rows, measured.rows[:, :1])
    errors = np.where(known[:, None, :], measured.errors, 0.0).clip(0.0)  # noise may push an error below zero
    spreads = np.where(known[:, None, :], measured.spreads, 0.0)
    gap_spreads = np.where(known, measured.gap_spreads, 0.0)

    factors = np.stack([np.ones_like(log2_factor), 2.0**log2_factor], axis=1)
    order = slice(None, None, -1)  # extend() wants the largest size last
    fits = [
        extend(
            rows[:, order],
            errors[:, side, order],
            spreads[:, side, order],
            factors,
            known[:, order].astype(np.float64),
        )
        for side in (0, 1)
    ]
    smooth = np.stack([fit[0] for fit in fits], axis=1).clip(0.0, 150.0)  # (sets, families, now and later)
    doubt = np.stack([fit[1] for fit in fits], axis=1)
    misfit = np.stack([fit[2] for fit in fits], axis=1)  # (sets, families)

    raw = np.where(known, errors[:, 0] - errors[:, 1], np.nan)
    for step in range(1, STEPS):  # an unmeasured older size says what the next newer one said
        raw[:, step] = np.where(known[:, step], raw[:, step], raw[:, step - 1])
    gap_now, gap_later = smooth[:, 0, 0] - smooth[:, 1, 0], smooth[:, 0, 1] - smooth[:, 1, 1]
    gaps = np.concatenate([raw, gap_now[:, None], gap_later[:, None]], axis=1)

    noise = np.hypot(gap_spreads, 0.1)
    rough = np.sqrt(0.25 + np.minimum(noise[:, 0], 8.0) ** 2 * 0.5 + (0.15 * gaps[:, 4]) ** 2)
    context = _context(measured, log2_factor, known, errors, noise, spreads, smooth, doubt, misfit, gaps)
    return Inputs(gaps.clip(-100.0, 100.0), context, rough)


def _context(
    measured: Measured,
    log2_factor: Array,
    known: NDArray[np.bool_],
    errors: Array,
    noise: Array,
    spreads: Array,
    smooth: Array,
    doubt: Array,
    misfit: Array,
    gaps: Array,
) -> Array:
    """Everything else an engine may weigh the gaps by: (sets, CONTEXT), roughly of size one."""
    compressed = np.arcsinh(gaps / UNIT)
    level = np.log(smooth.reshape(len(smooth), 4) + SMALL)
    last = np.log(errors[:, :, 0] + SMALL)
    doublings = np.log2(measured.rows[:, 0].clip(1.0))
    later = np.minimum(smooth[:, 0, 1], smooth[:, 1, 1])
    now = np.minimum(smooth[:, 0, 0], smooth[:, 1, 0])
    parts = [
        compressed,
        np.arcsinh(gaps[:, :STEPS] / noise),
        (np.arcsinh(gaps[:, 4] / np.hypot(doubt[:, 0, 0], doubt[:, 1, 0])))[:, None],
        (np.arcsinh(gaps[:, 5] / np.hypot(doubt[:, 0, 1], doubt[:, 1, 1])))[:, None],
        np.log(noise),
        np.log(np.hypot(spreads[:, :, 0], 0.1)),
        np.log(doubt.reshape(len(doubt), 4) + 0.05),
        level,
        last - level[:, [0, 2]],
        np.log(misfit + 0.1),
        np.arcsinh(np.diff(errors[:, :, :3], axis=2) * known[:, None, 1:3]).reshape(len(errors), 4),
        np.stack(
            [
                log2_factor,
                doublings - 10.0,
                np.log((later + SMALL) / (now + SMALL)),
                np.abs(compressed[:, 0]),
                np.abs(compressed[:, 5]),
            ],
            axis=1,
        ),
        known[:, 1:] * 1.0,
    ]
    return np.concatenate(parts, axis=1)
