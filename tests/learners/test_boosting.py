"""Boosted trees over thousands of columns, as features of pictures are."""

from pathlib import Path

import numpy as np
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.kind import KINDS
from fathometer.learner import LEARNERS, Run
from fathometer.learners._rounds import Rounds
from fathometer.learners.ml.boosting import WIDE, _for_width
from fathometer.tasks.classification import Classification


def test_settings_of_usual_tables_are_as_they_were() -> None:
    assert _for_width(WIDE, 0.8) == {}


def test_thousands_of_columns_are_seen_a_part_at_a_time_and_the_signal_is_found() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(400, WIDE + 300)).astype(np.float32)
    frame = pd.DataFrame(numbers, columns=[f"x{place}" for place in range(numbers.shape[1])])
    rows = Rows(
        frame, dict.fromkeys(frame.columns, "number"), (numbers[:, 0] + numbers[:, 1] > 0).astype(np.int64)
    )
    task = Classification("label", "accuracy", 0.5, ("no", "yes"), (0.5, 0.5))
    parts = [rows.take(np.arange(*span)) for span in ((0, 250), (250, 320), (320, 400))]
    models = [LEARNERS.get("boosting")().fit(*parts[:2], task, Run(seconds=20)) for _ in range(2)]
    answers = [model.predict(parts[2]) for model in models]
    np.testing.assert_array_equal(*answers)
    assert (answers[0].argmax(axis=1) == parts[2].answers).mean() > 0.8


def test_a_fit_answers_as_its_saved_model_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(500, 4)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    frame = pd.DataFrame(numbers, columns=list("abcd"))
    levels = pd.Series([f"level {code}" for code in rng.integers(0, 12, 500)], dtype=object)
    kinds = dict.fromkeys("abcd", "number") | {"e": "category"}
    kind = KINDS.get("category")()
    frame["e"] = kind.read(levels, kind.learn_reading(levels))
    for classes in (2, 3):
        codes = (np.nan_to_num(numbers[:, 0]) > 0).astype(np.int64) + (classes == 3) * (
            frame["e"] == "level 3"
        )
        rows = Rows(frame, kinds, np.asarray(codes, dtype=np.int64))
        labels = ("no", "yes", "maybe")[:classes]
        task = Classification("label", "accuracy", 0.5, labels, (1 / classes,) * classes)
        train, valid = rows.take(np.arange(350)), rows.take(np.arange(350, 500))
        model = LEARNERS.get("boosting")().fit(train, valid, task, Run(seconds=5))
        assert "trees" not in vars(model)
        first = model.predict(valid)
        assert "trees" not in vars(model), "what the library wrote is not read anew"
        folder = tmp_path / str(classes)
        folder.mkdir()
        model.save(folder)
        np.testing.assert_array_equal(LEARNERS.get("boosting").load(folder).predict(valid), first)


def test_rounds_leave_time_for_one_more_and_for_what_comes_after() -> None:
    class Told(Run):
        now = 0.0

        def used(self) -> float:
            return self.now

    run = Told(seconds=10.0)
    rounds = Rounds(run)
    for step in range(1, 100):
        run.now += 1.0
        if not rounds.go_on(step):
            break
    assert run.now == 9.0, "at eight seconds one more round, and a tenth of them, still fit"
    assert run.decided["stopped_at"] == 9
