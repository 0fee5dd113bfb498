"""What is to be predicted where nobody says it, and how answers of files are named."""

from pathlib import Path
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
    with pytest.raises(UserError, match="without classes to tell apart"):
        api.compare(reviews(tmp_path / "films", labels=False))


def test_a_target_that_the_data_says_cannot_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be left out"):
        api.compare(reviews(tmp_path / "films"), drop=["class"])


class Echo:
    """A model that answers with the row's number, and has learned from one column."""

    default = "classical"

    def __init__(self, column: str) -> None:
        self.schema, self.task, self.column = self, self, column
        self.names = (column,)

    def read(self, frame: pd.DataFrame) -> pd.Series:
        return frame[self.column]

    def demand_readable(self, frame: pd.DataFrame, rows: Any) -> dict[str, int]:
        return {}

    def predict_raw(self, rows: pd.Series, family: str | None) -> pd.Series:
        return rows

    def answer(self, raw: pd.Series) -> pd.DataFrame:
        return pd.DataFrame({"prediction": np.arange(len(raw))})


@pytest.mark.parametrize("column", ["text", "review"])
def test_answers_of_files_name_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    monkeypatch.setattr(verbs, "open_model", lambda model: Echo(column))
    films = reviews(tmp_path / "films", labels=False)
    for _ in range(2):  # the second time the answers lie among the files
        answers = api.predict(tmp_path, films, out=films / "answers.csv")
        assert list(answers.columns) == ["file", "prediction"]
        assert list(answers["file"]) == sorted(f"{label}{n}.txt" for label in WORDS for n in range(12))
    assert list(api.predict(tmp_path, pd.DataFrame({column: ["a"]})).columns) == ["prediction"]
