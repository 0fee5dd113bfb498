"""Boosted trees over thousands of columns, as features of pictures are."""

import numpy as np
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.learner import LEARNERS, Run
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
