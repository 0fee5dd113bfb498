"""The API is what its description says: schemathesis makes up requests from it, right and wrong ones, and looks on."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_models import SECONDS, Server, serving, small_models

FOLDER = Path(__file__).parent / "description"
KEY = secrets.token_hex(16)
EXAMPLES = int(os.environ.get("FATHOMETER_EXAMPLES", "20"))


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a key."""
    place = tmp_path_factory.mktemp("description")
    keys = place / "keys"
    keys.write_text(KEY)
    keys.chmod(0o600)
    yield from serving(small_models.three_classes(place / "parcels"), "--key-file", str(keys))


@pytest.mark.parametrize("has_key", [False, True])
def test_schemathesis_finds_nothing(server: Server, keyed: Server, has_key: bool) -> None:
    python = os.environ.get("FATHOMETER_CLIENTS", "")
    if not python:
        pytest.skip("FATHOMETER_CLIENTS does not name a Python with schemathesis; type: make clients")
    asked = keyed if has_key else server
    header = ["--header", f"Authorization: Bearer {KEY}"] if has_key else []
    command = [str(Path(python).with_name("st")), "--config-file", str(FOLDER / "schemathesis.toml")]
    command += ["run", f"{asked.url}/openapi.json", "--seed", "1", f"--max-examples={EXAMPLES}", *header]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(FOLDER)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment, cwd=FOLDER
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
