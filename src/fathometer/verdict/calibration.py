"""May a probability be believed? Brier score, log-loss, calibration error, and what one temperature would mend.

- Brier score: mean over rows of the sum over classes of (probability - truth)^2; for two classes half of that, which
  is the squared error of the second class alone (Brier 1950).
- ECE: rows are sorted by the probability of the answer given and cut into bins of equal mass; the mean over bins of
  |mean probability - share of right answers|, weighted by rows (Guo et al. 2017, arXiv:1706.04599). A perfect model's
  is above 0 too, by about sqrt(2 p (1 - p) / (pi rows in a bin)).
- temperature T: probabilities to the power 1 / T, scaled to sum to one; above 1 they were too sure. It is fitted for
  each fold on the test rows of the other folds, so it is never judged by a row it has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.data.metrics import METRICS, SMALLEST
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.verdict.answers import Floats, answers_given

Codes = npt.NDArray[np.int64]

BINS = 15
BIN_ROWS_LEAST = 10  # with fewer, a bin's share of right answers is mostly chance
FIT_ROWS_LEAST = 20
FIT_ROWS_MOST = 20_000  # one figure needs no more
FIT_CELLS_MOST = 200_000  # rows times classes
INVERSE_LEAST, INVERSE_MOST = 0.05, 20.0  # 1 / temperature
STEPS_MOST = 60


@dataclass(frozen=True)
class Bin:
    """Rows given about the same probability: its mean, and how often it came true."""

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """How far one competitor's probabilities may be believed.

    brier, log_loss: means over the folds. ece: over all tests. temperature: the (geometric) mean of the folds' own;
    ece_after, log_loss_after: with them; None where only one fold was tested. bins: for two classes of the second
    class's probability, for more of the probability of the answer given.
    """

    brier: float
    log_loss: float
    ece: float
    temperature: float | None
    ece_after: float | None
    log_loss_after: float | None
    bins: tuple[Bin, ...]


def calibrations(outcome: Outcome) -> dict[str, Calibration]:
    """Every competitor's calibration on the test rows; empty for numbers, and where nothing was tested."""
    if outcome.task.outputs < 2:
        return {}
    return {name: _calibration(outcome, folds) for name, folds in outcome.results.items() if folds}


def expected_error(confidence: Floats, right: npt.NDArray[np.bool_]) -> float:
    """The ECE of answers given with this confidence."""
    bins = reliability(confidence, right)
    return sum(one.rows * abs(one.predicted - one.observed) for one in bins) / len(confidence)


def reliability(probability: Floats, happened: npt.NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Bins of equal mass by rising probability; equal probabilities are never cut apart, so bins may be fewer."""
    count = max(1, min(BINS, len(probability) // BIN_ROWS_LEAST))
    places = np.arange(1, count) * len(probability) // count - 1
    edges = np.unique(np.sort(probability)[places])
    bins = np.searchsorted(edges, probability, side="left")
    rows = np.bincount(bins, minlength=len(edges) + 1)
    predicted = np.bincount(bins, weights=probability, minlength=len(edges) + 1)
    observed = np.bincount(bins, weights=happened, minlength=len(edges) + 1)
    return tuple(
        Bin(float(p / n), float(o / n), int(n))
        for p, o, n in zip(predicted, observed, rows, strict=True)
        if n
    )


def fit_temperature(prediction: Floats, target: Codes) -> float:
    """The temperature with the lowest log-loss, within 0.05 to 20.

    The log-loss is convex in b = 1 / temperature, so its derivative is brought to 0 by Newton's steps within a
    shrinking bracket.

    Args:
        prediction: (rows, classes). target: (rows,) class codes.
    """
    logs = _logs(prediction)
    chosen = logs[np.arange(len(target)), target]
    low, high, inverse = INVERSE_LEAST, INVERSE_MOST, 1.0
    for _ in range(STEPS_MOST):
        scaled = _softmax(inverse * logs)
        mean = (scaled * logs).sum(axis=1)
        slope = float((mean - chosen).mean())
        curvature = float(((scaled * logs**2).sum(axis=1) - mean**2).mean())
        if slope > 0:
            high = inverse
        else:
            low = inverse
        following = inverse - slope / curvature if curvature > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - inverse) < 1e-7:
            break
        inverse = following
    return 1 / inverse


def tempered(prediction: Floats, temperature: float) -> Floats:
    """(rows, classes) probabilities at this temperature; 1 leaves them as they are."""
    return _softmax(_logs(prediction) / temperature)


def _calibration(outcome: Outcome, folds: tuple[FoldResult, ...]) -> Calibration:
    truths = [outcome.target[fold.rows].astype(np.int64) for fold in folds]
    answers = [answers_given(outcome.task, fold.prediction) for fold in folds]
    plain = [fold.prediction for fold in folds]
    right = np.concatenate([told == truth for told, truth in zip(answers, truths, strict=True)])
    confidence = _confidence(plain, answers)
    if outcome.task.outputs == 2:
        bins = reliability(np.concatenate([p[:, 1] for p in plain]), np.concatenate(truths) == 1)
    else:
        bins = reliability(confidence, right)
    temperatures = _cross_fitted(folds, truths, outcome.clusters)
    after = (
        None
        if temperatures is None
        else [tempered(p, temperature) for p, temperature in zip(plain, temperatures, strict=True)]
    )
    return Calibration(
        brier=float(np.mean([_brier(p, truth) for p, truth in zip(plain, truths, strict=True)])),
        log_loss=_log_loss(plain, truths),
        ece=expected_error(confidence, right),
        temperature=None if temperatures is None else float(np.exp(np.mean(np.log(temperatures)))),
        # the answer stays the one given; only how sure it is said to be changes
        ece_after=None if after is None else expected_error(_confidence(after, answers), right),
        log_loss_after=None if after is None else _log_loss(after, truths),
        bins=bins,
    )


def _cross_fitted(
    folds: tuple[FoldResult, ...], truths: Sequence[Codes], clusters: npt.NDArray[np.int64]
) -> list[float] | None:
    """Each fold's temperature by the tests of the others, without rows that it tests too or their copies."""
    predictions = np.concatenate([fold.prediction for fold in folds])
    target = np.concatenate(truths)
    member = clusters[np.concatenate([fold.rows for fold in folds])]
    fitted = []
    for fold in folds:
        others = np.flatnonzero(~np.isin(member, clusters[fold.rows]))
        if len(others) < FIT_ROWS_LEAST:
            return None
        most = min(FIT_ROWS_MOST, max(FIT_CELLS_MOST // predictions.shape[1], FIT_ROWS_LEAST))
        others = others[:: -(-len(others) // most)]
        fitted.append(fit_temperature(predictions[others], target[others]))
    return fitted


def _confidence(predictions: Sequence[Floats], answers: Sequence[Codes]) -> Floats:
    """Probability of the answers given, all tests in a row."""
    return np.concatenate(
        [p[np.arange(len(told)), told] for p, told in zip(predictions, answers, strict=True)]
    )


def _brier(prediction: Floats, target: Codes) -> float:
    truth = np.eye(prediction.shape[1])[target]
    total = float(((prediction - truth) ** 2).sum(axis=1).mean())
    return total / 2 if prediction.shape[1] == 2 else total


def _log_loss(predictions: Sequence[Floats], truths: Sequence[Codes]) -> float:
    measure = METRICS["log_loss"]
    return float(
        np.mean([measure.losses(truth, p).mean() for p, truth in zip(predictions, truths, strict=True)])
    )


def _logs(prediction: Floats) -> Floats:
    logs: Floats = np.log(np.clip(prediction, SMALLEST, 1.0))
    return logs


def _softmax(logs: Floats) -> Floats:
    scaled = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Floats = scaled / scaled.sum(axis=1, keepdims=True)
    return shares
