"""A live server in a process of its own, and the small models that it answers with."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from fathometer.bundle import Bundle, open_bundle

SECONDS = 600  # until a client is given up, on a machine that is busy
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
    log = folder.parent / "log.sqlite"
    command = [sys.executable, "-m", "fathometer", "serve", str(folder), "--port", "0", "--log", str(log)]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://([\w.:]+)", line)
            assert found, f"the server did not say where it answers: {line!r}"
            yield Server(found[1], open_bundle(folder))
        finally:
            process.terminate()


def _small_models() -> ModuleType:
    """The module beside the tests of protocols; their folder is not on the path, for it has a conftest of its own."""
    place = Path(__file__).parents[1] / "serve" / "protocols" / "small_models.py"
    spec = importlib.util.spec_from_file_location("small_models", place)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


small_models = _small_models()
