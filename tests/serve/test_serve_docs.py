"""What docs/serve.md shows works: every command, against a model of these columns."""

from __future__ import annotations

import itertools
import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from in_process import Asked, make_model, table

from fathometer.bundle import open_bundle
from fathometer.serve.desk import Desk
from fathometer.serve.log import open_log
from fathometer.serve.settings import LogSettings, Settings
from fathometer.tasks.classification import Classification

PAGE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("docs")
    frame = table().rename(columns={"<i>plan": "plan"})
    target = np.arange(len(frame)) % 2
    model = make_model(
        folder / "churn", Classification("left", "accuracy", 0.5, ("no", "yes")), frame, target
    )
    desk = Desk(open_bundle(model), Settings(log=LogSettings(folder / "log")))
    yield Asked(desk)
    desk.close()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_as_it_stands(documented: Asked, command: str) -> None:
    words = shlex.split(command.replace("$'", "'").replace("\\n", "\n"))
    assert words[:2] == ["curl", "-s"]
    headers = dict(word.lower().split(": ") for flag, word in itertools.pairwise(words) if flag == "-H")
    path = words[2].removeprefix("http://127.0.0.1:8080")
    assert documented.ask("POST", path, words[-1].encode(), headers).status == 200


def test_every_route_and_table_is_told(tmp_path: Path, documented: Asked) -> None:
    from_native = {
        place.route.path for place in documented.app.routes.places if place.protocol.name == "native"
    }
    assert all(f"{path}`" in PAGE for path in from_native)
    open_log(tmp_path / "log").close()
    connection = sqlite3.connect(tmp_path / "log")
    for name in ("prediction", "feedback", "deployment_event"):
        told = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}`"))
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
        assert columns and all(f"`{column}`" in told for column in columns)
    connection.close()


def test_every_count_is_told(documented: Asked) -> None:
    page = documented.ask("GET", "/metrics").body.decode()
    names = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE fathometer")}
    shared = ("_created",)
    for name in names:
        if not name.endswith(shared):
            short = re.sub(r"^fathometer_(inference|model|prediction|log)?", "", name)
            assert name in PAGE or short in PAGE, name
