"""A live server in a process of its own, asked by other people's clients in an environment of their own.

`make clients` installs these clients apart, for they move packages of ours, and names that environment's Python in
FATHOMETER_CLIENTS; where it is not named, the tests that need it are skipped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fathometer.bundle import Bundle, open_bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "serve" / "protocols"))  # where small models are made

from small_models import three_classes

SCRIPTS = Path(__file__).parent / "scripts"
SECONDS = 120
ROWS = [
    {"size": 0.5, "colour": "red", "day": "2024-05-01", "note": "late parcel"},
    {"size": None, "colour": "Ünï", "day": "2024-02-29T12:00:00", "note": None},
    {"size": -1e300, "colour": "never seen", "day": None, "note": 'so "lovely", so slow'},
    {"size": 0.1, "colour": None, "day": "1999-12-31", "note": ""},
]


@dataclass(frozen=True)
class Server:
    """A running server. host: with the port."""

    host: str
    bundle: Bundle

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    def answers(self, rows: list[dict[str, Any]] = ROWS) -> pd.DataFrame:
        """What the model says in this process."""
        return self.bundle.predict(pd.DataFrame(rows, dtype=object))


def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server of this model, until it is let go."""
    command = [sys.executable, "-m", "fathometer", "serve", str(folder), "--port", "0", "--no-log", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://([\w.:]+)", line)
            assert found, f"the server did not say where it answers: {line!r}"
            yield Server(found[1], open_bundle(folder))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a model called parcels."""
    yield from serving(three_classes(tmp_path_factory.mktemp("clients") / "parcels"))


@pytest.fixture(scope="session")
def client() -> Callable[..., Any]:
    """Runs one of the scripts with some arguments, as JSON; gives what it printed, as JSON."""
    python = os.environ.get("FATHOMETER_CLIENTS", "")
    if not python:
        pytest.skip("FATHOMETER_CLIENTS does not name a Python with the clients; type: make clients")

    def run(script: str, **arguments: Any) -> Any:
        done = subprocess.run(
            [python, str(SCRIPTS / script)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
