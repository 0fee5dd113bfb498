"""Other people's clients live in an environment of their own, for they move packages of ours.

`make clients` makes it, and names its Python in FATHOMETER_CLIENTS; where it is not named, the tests that need it are
skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_models import SECONDS, Server, serving, small_models

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a model called parcels."""
    yield from serving(small_models.three_classes(tmp_path_factory.mktemp("clients") / "parcels"))


@pytest.fixture(scope="session")
def clients_python() -> str:
    """The Python of the clients' environment."""
    python = os.environ.get("FATHOMETER_CLIENTS", "")
    if not python:
        pytest.skip("FATHOMETER_CLIENTS does not name a Python with the clients; type: make clients")
    return python


@pytest.fixture(scope="session")
def client(clients_python: str) -> Callable[..., Any]:
    """Runs one of the scripts with some arguments, as JSON; gives what it printed, as JSON."""

    def run(script: str, **arguments: Any) -> Any:
        done = subprocess.run(
            [clients_python, str(SCRIPTS / script)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
