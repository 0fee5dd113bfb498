"""The commands in the docs run as they stand; only the port is another."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
import pytest
from live_models import Server, serving, small_models

from fathometer.tasks.classification import Classification

DOCS = Path(__file__).parents[2] / "docs"
PLACE = "127.0.0.1:8080"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
COMMANDS = [
    line
    for page in ("serve.md", "protocols.md")
    for block in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    for line in block.splitlines()
]


def churn(folder: Path) -> Path:
    """The model that the docs speak of."""
    rng = np.random.default_rng(0)
    ages, plans = rng.integers(18, 80, 90), rng.choice(["gold", "basic", "trial"], 90)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 90), unit="D")
    frame = pd.DataFrame(
        {"age": ages.astype(float), "plan": plans.astype(object), "since": days.strftime("%Y-%m-%d")}
    )
    target = ((ages > 50) ^ (plans == "gold")).astype(np.int64)
    task = Classification("left", "accuracy", 0.5, ("no", "yes"))
    kinds = {"age": "number", "plan": "category", "since": "moment"}
    return small_models.make_model(folder, frame, target, task, kinds)


@pytest.fixture(scope="module")
def churning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(churn(tmp_path_factory.mktemp("curl") / "churn"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the commands name, in which curl fails where it is refused."""
    folder = tmp_path_factory.mktemp("docs")
    rows = pd.DataFrame(
        {"age": [41, None], "plan": ["gold", "basic"], "since": ["2024-03-01", None], "more": [1, 2]}
    )
    rows.to_csv(folder / "rows.csv", index=False)
    rows.to_parquet(folder / "rows.parquet", index=False)
    (folder / ".curlrc").write_text("fail-with-body\nmax-time = 60\n")
    return folder


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_runs_as_it_stands(command: str, churning: Server, place: Path) -> None:
    assert PLACE in command and command.startswith("curl -s ")
    done = subprocess.run(
        ["bash", "-c", command.replace(PLACE, churning.host)],
        cwd=place,
        env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(place)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "text/csv' -H 'Accept" in command:
        assert sum(map(float, done.stdout.decode().split(","))) == pytest.approx(1)
    elif "/ping" in command:
        assert done.stdout == b"\n"
    else:
        told = set(orjson.loads(done.stdout))
        assert told & {"rows", "received", "new", "predictions", "outputs", "model_version_status"}


def test_every_protocol_has_its_command() -> None:
    told = "\n".join(COMMANDS)
    for path in ("/invocations", "/ping", ":predict", ":explain", "/infer", "deployedModels"):
        assert path in told
