"""What is to be predicted where nobody says it, and how answers of files are named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer import api
from fathometer.api import verbs
from fathometer.errors import UserError

WORDS = {"pos": "good", "neg": "bad"}


def reviews(root: Path, labels: bool = True) -> Path:
    for label, word in WORDS.items():
        folder = root / label if labels else root
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(12):
            (folder / f"{label}{number}.txt").write_text(f"a {word} film number {number} {'very ' * number}")
    return root


def test_class_folders_say_the_target(tmp_path: Path) -> None:
    found = api.inspect(reviews(tmp_path / "films"))
    assert found.understood is not None
    assert found.understood.target.labels == ("neg", "pos")
    assert found.schema.names == ("text",)


def test_without_a_target_the_columns_are_named() -> None:
    frame = pd.DataFrame({"age": [1, 2], "plan": ["a", "b"]})
    with pytest.raises(UserError, match=r"Say what to predict: --target COLUMN\. Columns: 'age', 'plan'\."):
        api.compare(frame)


def test_files_without_class_folders_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="class folders"):
        api.compare(reviews(tmp_path / "films", labels=False))


def test_a_target_that_the_data_says_cannot_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be left out"):
        api.compare(reviews(tmp_path / "films"), drop=["class"])


def test_answers_of_files_name_them_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        def read(self, frame: pd.DataFrame) -> pd.DataFrame:
            return frame

        def demand_readable(self, frame: pd.DataFrame, rows: Any) -> dict[str, int]:
            return {}

    answer = SimpleNamespace(answer=lambda raw: pd.DataFrame({"prediction": raw}))
    bundle = SimpleNamespace(
        schema=Anything(), task=answer, predict_raw=lambda rows, family: np.arange(len(rows))
    )
    monkeypatch.setattr(verbs, "open_model", lambda model: bundle)
    answers = api.predict(tmp_path, reviews(tmp_path / "films", labels=False))
    assert list(answers.columns) == ["file", "prediction"]
    assert list(answers["file"]) == sorted(f"{label}{number}.txt" for label in WORDS for number in range(12))
    assert list(api.predict(tmp_path, pd.DataFrame({"text": ["a"]})).columns) == ["prediction"]
