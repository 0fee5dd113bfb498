"""A server as a process of its own, for tests that need a socket, signals or workers.

python live_server.py MODEL '{"setting": value}' [PIPE]: with a pipe, the model answers what is asked after it is warm
only once something was written to that pipe. When it has stopped, it prints which large packages were loaded.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from fathometer.bundle import Bundle, open_bundle
from fathometer.serve import run
from fathometer.serve.limits import Limits
from fathometer.serve.settings import LogSettings, Settings

WATCHED = (
    "torch",
    "sklearn",
    "catboost",
    "starlette",
    "fathometer.study",
    "fathometer.verdict",
    "fathometer.api",
)


class Waiting:
    """A model that answers when something is written to a pipe; each question after the warm-up waits once."""

    def __init__(self, model: Any, pipe: Path) -> None:
        self.model, self.pipe = model, pipe
        self.is_warm = False

    def predict(self, rows: Any) -> Any:
        if self.is_warm:
            self.pipe.read_text()  # ends when a writer has opened and closed it
        return self.model.predict(rows)


def settings_of(told: dict[str, Any]) -> Settings:
    """Settings from plain data."""
    limits, file = Limits(**told.pop("limits", {})), told.pop("log", None)
    for name in {"unix_socket", "key_file"} & set(told):
        told[name] = Path(told[name])
    return replace(
        Settings(port=0, drain_seconds=0.0),
        limits=limits,
        log=LogSettings(Path(file) if file else None),
        **{name: tuple(value) if isinstance(value, list) else value for name, value in told.items()},
    )


def main() -> None:
    """Run until told to stop."""
    path, settings = Path(sys.argv[1]), settings_of(json.loads(sys.argv[2]))
    gates: list[Waiting] = []

    def opened(path: Path, **options: bool) -> Bundle:
        bundle = open_bundle(path, **options)
        if len(sys.argv) > 3:
            gates.append(Waiting(bundle.member("a-linear"), Path(sys.argv[3])))
            bundle.loaded["a-linear"] = gates[0]  # type: ignore[assignment]
        return bundle

    def say(told: str) -> None:
        for gate in gates:
            gate.is_warm = True
        print(told, flush=True)

    run.open_bundle = opened
    run.run(path, settings, say)
    print(json.dumps([name for name in WATCHED if name in sys.modules]), flush=True)


if __name__ == "__main__":
    main()
