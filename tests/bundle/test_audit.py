"""Opening a model and asking it runs nothing that the model brought: Python itself watches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from crafting import watched

from fathometer.bundle import pack_archive

OLD = Path(__file__).parent / "old"
KEPT = sorted(path for folder in OLD.iterdir() if folder.is_dir() for path in folder.glob("model*"))


@pytest.mark.parametrize("model", KEPT, ids=lambda path: str(path.relative_to(OLD)))
def test_a_kept_model_is_opened_and_asked_without_running_anything(model: Path, tmp_path: Path) -> None:
    said = watched(model, model.parent / "rows.json", tmp_path)
    wanted = json.loads((model.parent / "answers.json").read_text())
    assert len(said) > 10
    for name, answer in said.items():
        if name != "predict":
            np.testing.assert_allclose(answer, wanted[name], rtol=0, atol=1e-6)


def test_what_an_archive_was_unpacked_for_is_gone(tmp_path: Path) -> None:
    pack_archive(OLD / "1" / "model", tmp_path / "model.fathom")
    said = watched(tmp_path / "model.fathom", OLD / "1" / "rows.json", tmp_path)
    assert len(said) > 10
    assert not list((tmp_path / "private").glob("fathometer-*"))


def test_what_is_forbidden_would_be_seen(tmp_path: Path) -> None:
    said = watched(OLD / "1" / "model", OLD / "1" / "rows.json", tmp_path, "crimes")
    assert said == {"unseen": []}
