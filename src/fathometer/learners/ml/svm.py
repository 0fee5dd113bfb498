"""A smooth boundary drawn by the rows nearest to it: support vectors with a Gaussian kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, classes, counts, demand, number, table
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import (
    MatrixModel,
    all_classes,
    checked_classes,
    softmax,
    two_columns,
)
from fathometer.task import Prediction, Task

DISTANCES = 1 << 23  # to support vectors, held at a time
WIDE = 256  # with more columns distances are taken along the axes that vary most
LONG = 240.0  # processor seconds in which twice the usual rows of pictures can be learned from
KEPT = 0.97  # of the variance, by these axes
NO_AXES: Floats = np.zeros((0, 0), dtype=np.float32)
SHARPNESS = 2.0  # with which the decisions of pairs become votes
OWN_WEIGHT = 120.0  # penalty on a pair of classes counting otherwise than the rest, in rows
STEPS = 30  # of that fit: what is found later is small, and was no better on other rows
HALVES_COST = 2.0  # fits: two machines of half the rows, and what each says of the other half
STEPS_COST = 3e-8  # processor seconds of all steps, for a row, class and pair of classes
SOFTEST, LOUDEST = -6.0, 4.0  # logarithms of loudness
PICTURES: tuple[tuple[int, Mapping[str, Any]], ...] = (
    (2, {"penalty": 5.0}),
    (13, {"penalty": 2.0, "reach": 0.6}),
)
"""For engineered features of pictures: hundreds of them agree, so wrong sides may cost more."""


class SvmModel(MatrixModel):
    """Support vectors and their weights; for classes, one decision per pair, made into probabilities."""

    def answer(self, matrix: Floats) -> Prediction:
        decisions = _decisions(_along(matrix, self.parts.get("axes", NO_AXES)), self.parts)
        if self.parts["classes"] == 0:
            return np.asarray(decisions[:, 0] * self.parts["scale"] + self.parts["middle"])
        scores = (
            _voices(decisions, self.parts.get("sharpness", 0.0)) @ self.parts["weights"].T
            + self.parts["offsets"]
        )
        return all_classes(softmax(two_columns(scores)), self.parts["seen"], self.parts["classes"])

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        always = ("vectors", "duals", "intercepts", "counts", "gamma", "classes")
        table(parts, "parts", always, ("axes", "middle", "scale", "seen", "sharpness", "weights", "offsets"))
        axes = parts.get("axes", NO_AXES)
        axes = array(axes, "axes", None, None)
        demand(not axes.size or len(axes) == columns, "axes are of another number of columns")
        vectors = array(parts["vectors"], "vectors", None, axes.shape[1] if axes.size else columns)
        number(parts["gamma"], "gamma", 0.0)
        machines = _checked_machines(parts, len(vectors))
        if classes(parts["classes"]) == 0:
            demand(machines == 1, "a number needs one machine")
            number(parts["middle"], "middle")
            number(parts["scale"], "scale", 0.0)
            return parts
        number(parts.get("sharpness", 0.0), "sharpness", 0.0, 1e6)
        weights = array(parts["weights"], "weights", None, machines)
        array(parts["offsets"], "offsets", len(weights))
        checked_classes(parts, len(weights))
        return parts


@dataclass(frozen=True)
class Svm(Learner):
    """Support vector machine with kernel exp(-gamma |x - z|^2) [1].

    How loudly it speaks is fitted on validation rows; how much each pair of classes counts, on training rows that
    were kept from the machines which speak of them. These are thousands of weights: fitted on validation rows they
    made a loss there of .08 where new rows had .24, and the recipe was chosen by it.

    [1] Cortes & Vapnik (1995). Support-vector networks. https://doi.org/10.1007/BF00994018
    """

    family = "classical"
    title = "kernel SVM"
    presets: ClassVar[Any] = ((8, {}), (13, {"penalty": 0.5, "reach": 2.0}))
    penalty: float = 2.0  # cost of a row on the wrong side
    reach: float = 1.0  # kernel width, as a multiple of scikit-learn's "scale"

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {"penalty": Range(0.1, 50, logarithmic=True), "reach": Range(0.3, 8, logarithmic=True)}

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        return PICTURES if "image" in facts.kinds else cls.presets

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        # a machine for each pair of classes sees only these two classes' rows; pictures' many columns are reduced
        twice = "image" in facts.kinds and facts.seconds >= LONG
        limit = int(8_000 * (max(facts.outputs, 2) / 2) ** 0.5 * (2 if twice else 1))
        if facts.rows > limit:
            return (
                f"its time grows with the square of the rows, and there are {facts.rows:,} (limit {limit:,})"
            )
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> SvmModel:
        # imported by fits alone: it takes most of a second, and an answer needs none of it
        from sklearn.svm import SVC, SVR

        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        gamma = 1.0 / (max(rows.shape[1], 1) * max(float(rows.var()), 1e-9) * self.reach)
        axes = _axes(rows)
        rows = _along(rows, axes)
        if task.outputs == 1:
            middle, scale = float(train.answers.mean()), float(train.answers.std()) or 1.0
            svr = SVR(C=self.penalty, gamma=gamma, epsilon=0.05, cache_size=500)
            svr.fit(rows, (train.answers - middle) / scale)
            parts = _kept(svr, gamma, 0) | {"middle": middle, "scale": scale, "axes": axes}
            return SvmModel(inputs, matrix, parts)
        svc = SVC(C=self.penalty, gamma=gamma, cache_size=500)
        started = run.used()
        svc.fit(rows, train.answers)
        spent = run.used() - started
        seen = svc.classes_
        parts = _kept(svc, gamma, task.outputs) | {"seen": seen, "axes": axes}
        parts["sharpness"] = SHARPNESS if len(seen) > 2 else 0.0
        checked = _decisions(_along(matrix.transform(inputs.features(valid)), axes), parts)
        heard = _voices(checked, parts["sharpness"])
        if len(seen) == 2:
            return SvmModel(inputs, matrix, parts | _line(heard, valid.answers))
        sides = _sides(len(seen))
        told: State = {"weights": sides, "offsets": np.zeros(len(seen))}
        costs = HALVES_COST * spent + STEPS_COST * len(rows) * sides.size
        if run.decide("halves", lambda: run.left() > costs):
            halves = _halves(train.answers, run.seed)
            apart = np.zeros((len(rows), sides.shape[1]))
            for half in (0, 1):
                svc.fit(rows[halves != half], train.answers[halves != half])
                apart[halves == half] = _decisions(rows[halves == half], _kept(svc, gamma, task.outputs))
            asked = halves >= 0
            told = _calibrated(_voices(apart[asked], parts["sharpness"]), train.answers[asked], seen)
        return SvmModel(inputs, matrix, parts | _as_loud(told, heard, valid.answers, seen))

    @classmethod
    def load(cls, folder: Path) -> SvmModel:
        return SvmModel.read(folder)


def _axes(rows: Floats) -> Floats:
    """(columns, axes) principal axes of many columns; (0, 0) where they are few, or the rows too few to tell.

    Engineered features of a picture overlap: a fifth as many axes make nearly the same distances in a fifth
    of the time.
    """
    if rows.shape[1] <= WIDE or len(rows) < 2 * WIDE:
        return NO_AXES
    centred = rows - rows.mean(axis=0)
    variances, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
    if not variances.sum() > 0:
        return NO_AXES
    count = int(np.searchsorted(np.cumsum(variances) / variances.sum(), KEPT)) + 1
    return np.ascontiguousarray(axes[:, :count], dtype=np.float32)


def _along(rows: Floats, axes: Floats) -> Floats:
    """Rows (rows, columns) along the axes; as they are where there are none."""
    return rows @ axes if axes.size else rows


def _kept(machine: Any, gamma: float, outputs: int) -> State:
    held = machine.n_support_ if outputs else np.array([len(machine.support_vectors_)])
    # scikit-learn turns the signs of a two-class machine round in its public attributes
    return {
        "vectors": machine.support_vectors_.astype(np.float32),
        "duals": np.asarray(machine.dual_coef_, dtype=np.float64),
        "intercepts": np.asarray(machine.intercept_, dtype=np.float64),
        "counts": held.astype(np.int64),
        "gamma": gamma,
        "classes": outputs,
    }


def _checked_machines(parts: State, vectors: int) -> int:
    """How many pairs of classes are told apart by so many support vectors; 1 for a number.

    Raises:
        BadBundle: weights and counts do not belong to them.
    """
    duals = array(parts["duals"], "duals", None, vectors)
    held = counts(parts["counts"], "counts", vectors)
    sides = len(duals) + 1
    demand(len(duals) >= 1 and (sides == 2 or len(held) == sides), "duals and counts disagree")
    machines = sides * (sides - 1) // 2
    array(parts["intercepts"], "intercepts", machines)
    return machines


def _halves(target: Any, seed: int) -> npt.NDArray[np.int64]:
    """(rows,) 0 or 1, every class in both; -1 for a class's only row, which both machines need to know of it."""
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    starts = np.concatenate([[True], np.diff(target[order]) != 0])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    halves = np.empty(len(order), dtype=np.int64)
    halves[order] = (np.arange(len(order)) - first) % 2
    _, place, times = np.unique(target, return_inverse=True, return_counts=True)
    halves[times[place] == 1] = -1
    return halves


def _decisions(rows: Floats, parts: State) -> npt.NDArray[np.float64]:
    """(rows, pairs of classes), or (rows, 1); so many rows at a time that memory stays bounded."""
    step = max(1, DISTANCES // max(len(parts["vectors"]), 1))
    return np.concatenate(
        [_some_decisions(rows[at : at + step], parts) for at in range(0, max(len(rows), 1), step)]
    )


def _some_decisions(rows: Floats, parts: State) -> npt.NDArray[np.float64]:
    """The sum over support vectors of dual weight times kernel."""
    vectors = parts["vectors"].astype(np.float64)
    asked = rows.astype(np.float64)
    square = (asked**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1) - 2 * asked @ vectors.T
    kernel = np.exp(-parts["gamma"] * np.maximum(square, 0.0))
    duals, held = parts["duals"], parts["counts"]
    if len(duals) == 1:
        single: npt.NDArray[np.float64] = kernel @ duals.T + parts["intercepts"]
        return single
    starts = np.concatenate([[0], np.cumsum(held)])
    pairs = []
    for i in range(len(held)):
        for j in range(i + 1, len(held)):
            mine, other = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
            pairs.append(kernel[:, mine] @ duals[j - 1, mine] + kernel[:, other] @ duals[i, other])
    return np.asarray(np.stack(pairs, axis=1) + parts["intercepts"])


def _voices(decisions: npt.NDArray[np.float64], sharpness: float) -> npt.NDArray[np.float64]:
    """What each pair's machine says, -1 to 1; 0 leaves decisions as they are.

    Votes are right more often than sums of decisions, for a machine that knows neither class may shout; but
    votes alone make poor probabilities. This lies between.
    """
    return np.tanh(sharpness * decisions) if sharpness else decisions


def _line(decisions: npt.NDArray[np.float64], target: Any) -> State:
    """A slope and an offset that make two classes' decision a logit (after Platt 1999)."""
    if len(np.unique(target)) < 2:
        return {"weights": np.zeros((1, 1)), "offsets": np.zeros(1)}
    # imported by fits alone
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1.0, max_iter=200).fit(decisions, target)
    return {"weights": fitted.coef_.astype(np.float64), "offsets": fitted.intercept_.astype(np.float64)}


def _calibrated(decisions: npt.NDArray[np.float64], target: Any, seen: npt.NDArray[Any]) -> State:
    """Weights that turn decisions into class scores, fitted on rows that the machines have not seen.

    Each pair's machine speaks for one class and against another. How loudly all of them count is one number; that some
    count otherwise must be shown by the rows against a penalty, for there are many pairs and perhaps few rows.
    """
    sides, classes = _sides(len(seen)), np.searchsorted(seen, target)
    rows, size = np.arange(len(classes)), sides.size

    def loss(asked: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        loudness, own, offsets = asked[0], asked[1 : size + 1].reshape(sides.shape), asked[size + 1 :]
        shares = softmax(decisions @ (loudness * sides + own).T + offsets)
        told = -np.log(np.maximum(shares[rows, classes], 1e-12)).sum()
        told += 0.5 * OWN_WEIGHT * (own**2).sum() + 0.5 * (offsets**2).sum()
        shares[rows, classes] -= 1.0
        slope = shares.T @ decisions
        slopes = [[(slope * sides).sum()], (slope + OWN_WEIGHT * own).ravel(), shares.sum(axis=0) + offsets]
        return float(told), np.concatenate(slopes)

    from scipy.optimize import minimize  # by fits alone

    start = np.zeros(1 + size + len(seen))
    start[0] = 1.0
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
    weights = found[0] * sides + found[1 : size + 1].reshape(sides.shape)
    return {"weights": weights, "offsets": found[size + 1 :]}


def _as_loud(told: State, heard: npt.NDArray[np.float64], target: Any, seen: npt.NDArray[Any]) -> State:
    """The weights as loud as validation rows say: one number, as machines of all rows are louder than those of half."""
    known = np.isin(target, seen)
    if not known.any():
        return told
    scores = heard[known] @ told["weights"].T + told["offsets"]
    rows, classes = np.arange(len(scores)), np.searchsorted(seen, target[known])

    def loss(logarithm: float) -> float:
        shares = softmax(np.exp(logarithm) * scores)[rows, classes]
        return float(-np.log(np.maximum(shares, 1e-12)).sum())

    from scipy.optimize import minimize_scalar  # by fits alone

    loudness = float(np.exp(minimize_scalar(loss, bounds=(SOFTEST, LOUDEST), method="bounded").x))
    return {"weights": loudness * told["weights"], "offsets": loudness * told["offsets"]}


def _sides(classes: int) -> npt.NDArray[np.float64]:
    """(classes, pairs) 1 where a pair's machine speaks for the class, -1 where against it."""
    first, second = np.triu_indices(classes, k=1)
    pairs = np.arange(len(first))
    sides = np.zeros((classes, len(first)))
    sides[first, pairs], sides[second, pairs] = 1.0, -1.0
    return sides
