"""One small model for all protocols."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback import Loopback
from small_models import three_classes


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder called parcels, of which each test that stops its server makes a server of its own."""
    return three_classes(tmp_path_factory.mktemp("models") / "parcels")


@pytest.fixture(scope="session")
def server(model: Path) -> Loopback:
    """A server of it that nobody stops."""
    return Loopback(model)
