"""What is to be predicted where nobody says it."""

from pathlib import Path

import pandas as pd
import pytest

from fathometer import api
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
