"""The log-count ratio is that of the paper, and probabilities are sound for many classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse

from fathometer.data.rows import Rows
from fathometer.learner import Facts, Run
from fathometer.learners.ml.nbsvm import MOST_CLASSES, NbSvm, log_count_ratios
from fathometer.task import TASKS


def test_ratio_is_that_of_the_plain_formula() -> None:
    rng = np.random.default_rng(0)
    shown = rng.random((30, 12)) < 0.3
    side = rng.random(30) < 0.4
    rows = scipy.sparse.csr_matrix(shown * rng.random((30, 12)))  # whatever the weights, shown is shown
    wanted = []
    for term in range(12):
        mine = sum(1 for row in range(30) if side[row] and shown[row, term])
        others = sum(1 for row in range(30) if not side[row] and shown[row, term])
        all_mine = sum(0.5 + shown[side, other].sum() for other in range(12))
        all_others = sum(0.5 + shown[~side, other].sum() for other in range(12))
        wanted.append(np.log(((0.5 + mine) / all_mine) / ((0.5 + others) / all_others)))
    np.testing.assert_allclose(log_count_ratios(rows, side, 0.5), wanted, rtol=1e-12)


def test_ratios_of_the_two_sides_are_opposite() -> None:
    rng = np.random.default_rng(1)
    rows = scipy.sparse.csr_matrix(rng.random((20, 8)) < 0.5).astype(np.float32)
    side = rng.random(20) < 0.5
    np.testing.assert_allclose(log_count_ratios(rows, side, 1.0), -log_count_ratios(rows, ~side, 1.0))


def test_a_class_that_was_never_shown_has_no_chance() -> None:
    texts = pd.Series([f"word{place % 3} again and again" for place in range(90)], dtype=object)
    target = np.arange(90) % 3
    labels = ["a", "b", "c", "never"]
    value = {"name": "classification", "target": "y", "metric": "accuracy", "margin": 0.5, "labels": labels}
    task = TASKS.get("classification").from_json(value)
    rows = Rows(pd.DataFrame({"t": texts}), {"t": "text"}, target)
    predicted = NbSvm().fit(rows, rows, task, Run(seconds=30)).predict(rows)
    assert (predicted[:, 3] == 0).all()
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0)
    assert (predicted.argmax(axis=1) == target).all()


def test_hundreds_of_classes_are_left_to_others() -> None:
    facts = Facts(rows=9000, columns=1, task="classification", outputs=MOST_CLASSES + 1, kinds=("text",))
    assert "each class" in (NbSvm.unsuited(facts) or "")
