"""A small model, made once, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import CLASSES, NUMBERS, Asked, make_model

from fathometer.bundle import Bundle, open_bundle
from fathometer.serve.desk import Desk
from fathometer.serve.settings import Settings


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of classes."""
    return make_model(tmp_path_factory.mktemp("models") / "churn", CLASSES)


@pytest.fixture(scope="session")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of numbers."""
    return make_model(tmp_path_factory.mktemp("models") / "prices", NUMBERS)


@pytest.fixture
def bundle(churn: Path) -> Bundle:
    return open_bundle(churn)


@pytest.fixture
def served(bundle: Bundle) -> Iterator[Asked]:
    """A server of the model of classes, with usual settings."""
    desk = Desk(bundle, Settings())
    yield Asked(desk)
    desk.close()
