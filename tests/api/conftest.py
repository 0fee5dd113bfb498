"""One small run that the tests of the verbs share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shop_rows import shop

import fathometer as fm


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "shop"
    asked = {"budget": "20s", "recipes": 1, "learners": ("linear", "mlp"), "engine": "inline", "out": folder}
    fm.compare(shop(), "left", **asked)  # type: ignore[arg-type]
    return folder


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished_run, tmp_path / "shop"))
