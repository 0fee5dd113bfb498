"""The kernel machine's own parts: axes that keep distances, votes of pairs that become probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.svm import SVC

from fathometer.data.rows import Rows
from fathometer.kind import KINDS
from fathometer.learner import Facts, Run
from fathometer.learners._sklearn import softmax
from fathometer.learners.ml.svm import KEPT, WIDE, Svm, _along, _as_loud, _axes, _calibrated, _halves, _sides
from fathometer.task import TASKS


def test_axes_keep_most_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(600, 40)) @ rng.normal(size=(40, WIDE + 100))
    rows = (hidden + 0.01 * rng.normal(size=hidden.shape)).astype(np.float32)
    axes = _axes(rows)
    kept = _along(rows, axes)
    assert kept.shape[1] <= 40
    before = ((rows[:100] - rows[100:200]) ** 2).sum(axis=1)
    after = ((kept[:100] - kept[100:200]) ** 2).sum(axis=1)
    assert after.sum() / before.sum() > KEPT - 0.02


def test_few_columns_or_rows_have_no_axes() -> None:
    rows = np.ones((2000, WIDE), dtype=np.float32)
    assert _axes(rows).size == 0 and _along(rows, _axes(rows)) is rows
    assert _axes(np.ones((50, WIDE + 1), dtype=np.float32)).size == 0
    assert _axes(np.ones((2000, WIDE + 1), dtype=np.float32)).size == 0  # constant


def test_calibrated_votes_find_the_class_that_wins_its_pairs() -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(0, 4, 300)
    sides = _sides(4)
    votes = np.tanh(sides[target] + 0.7 * rng.normal(size=(300, 6)))
    parts = _calibrated(votes, target, np.arange(4))
    shares = softmax(votes @ parts["weights"].T + parts["offsets"])
    plain = (votes @ sides.T).argmax(axis=1)
    assert (shares.argmax(axis=1) == target).mean() >= (plain == target).mean() - 0.01
    assert abs(shares.max(axis=1).mean() - (shares.argmax(axis=1) == target).mean()) < 0.05, (
        "neither shy nor bold"
    )


def test_a_class_without_validation_rows_stays_possible() -> None:
    target = np.array([0, 1, 3] * 20)
    votes = np.tanh(_sides(4)[target])
    parts = _calibrated(votes, target, np.arange(4))
    shares = softmax(np.tanh(_sides(4)) @ parts["weights"].T + parts["offsets"])
    assert (shares[2] > 0).all() and np.isfinite(shares).all()


def test_every_class_is_in_both_halves_and_a_lone_row_in_neither_that_is_judged() -> None:
    target = np.array([4] * 7 + [2] + [0] * 2 + [9] * 30)
    halves = _halves(target, seed=0)
    assert halves[target == 2].tolist() == [-1]
    for seen in (4, 0, 9):
        counts = np.bincount(halves[target == seen], minlength=2)
        assert abs(counts[0] - counts[1]) <= 1
    assert halves.tolist() == _halves(target, seed=0).tolist()


def test_validation_rows_set_one_number_only() -> None:
    rng = np.random.default_rng(0)
    votes = np.tanh(rng.normal(size=(100, 6)))
    told = {"weights": _sides(4), "offsets": rng.normal(size=4)}
    loud = _as_loud(told, votes, rng.integers(0, 4, 100), np.arange(4))
    loudness = loud["weights"][0, 0] / told["weights"][0, 0]
    assert 0 < loudness < 0.3, "of noise it says little"
    np.testing.assert_allclose(loud["weights"], loudness * told["weights"])
    np.testing.assert_allclose(loud["offsets"], loudness * told["offsets"])


def test_without_time_for_halves_every_pair_counts_alike() -> None:
    digits = load_digits()
    kind = KINDS.get("number")()
    frame = {}
    for place in range(64):
        cells = pd.Series(digits.data[:, place].astype(object))
        frame[f"{place}"] = kind.read(cells, kind.learn_reading(cells))
    rows = Rows(pd.DataFrame(frame), dict.fromkeys(frame, "number"), digits.target.astype(np.int64))
    labels = tuple("0123456789")
    task = TASKS.get("classification")(target="y", metric="accuracy", margin=0.5, labels=labels)  # type: ignore[call-arg]
    train, valid, test = (rows.take(np.arange(*span)) for span in ((0, 600), (600, 800), (800, 1797)))
    right = {}
    for seconds in (1e-6, 60.0):
        run = Run(seed=0, seconds=seconds)
        model = Svm().fit(train, valid, task, run)
        assert run.decided["halves"] is (seconds == 60.0)
        right[seconds] = (model.predict(test).argmax(axis=1) == test.answers).mean()
        alike = np.unique(np.abs(model.parts["weights"][model.parts["weights"] != 0]).round(9))
        assert (len(alike) == 1) is (seconds < 1)
    assert min(right.values()) > 0.9


def test_presets_for_pictures_are_their_own() -> None:
    facts = Facts(rows=100, columns=1, task="classification", outputs=2, kinds=("image",))
    assert Svm.presets_for(facts) != Svm.presets
    assert Svm.presets_for(Facts(rows=100, columns=1, task="classification", outputs=2)) == Svm.presets


def test_digits_as_pictures_are_told_as_well_as_a_plain_machine_does() -> None:
    digits = load_digits()
    kind = KINDS.get("image")()
    cells = pd.Series(list(digits.images), dtype=object)
    photo = kind.read(cells, kind.learn_reading(cells))
    rows = Rows(pd.DataFrame({"photo": photo}), {"photo": "image"}, digits.target.astype(np.int64))
    labels = tuple("0123456789")
    task = TASKS.get("classification")(target="y", metric="accuracy", margin=0.5, labels=labels)  # type: ignore[call-arg]
    train, valid, test = (rows.take(np.arange(*span)) for span in ((0, 780), (780, 898), (898, 1797)))
    model = Svm(penalty=5.0).fit(train, valid, task, Run(seed=0))
    found = (model.predict(test).argmax(axis=1) == test.answers).mean()
    flat = digits.images.reshape(len(digits.images), -1)
    plain = SVC(gamma=0.001).fit(flat[:898], digits.target[:898]).score(flat[898:], digits.target[898:])
    assert found > plain - 0.005  # although a part of the rows was kept for validation
