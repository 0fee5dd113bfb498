"""No packed encoder runs anything when it is loaded and asked: Python itself watches."""

from __future__ import annotations

import shutil
from pathlib import Path

from crafting import pack_members, pretrained_members, watched


def test_pretrained_encoders_are_opened_and_asked_without_running_anything(tmp_path: Path) -> None:
    model = pack_members(tmp_path / "made", pretrained_members(tmp_path / "trials"))
    shutil.rmtree(tmp_path / "trials")  # what is asked is what was packed
    said = watched(model, tmp_path / "made" / "rows.json", tmp_path)
    assert len(said) == 4
