"""The verb that serves: options become settings, and what cannot be is told before anything listens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fathometer.api import serving
from fathometer.errors import UserError
from fathometer.serve.settings import Settings

KEY = "0123456789abcdef"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Path, Settings]]:
    """What would have been started."""
    found: list[tuple[Path, Settings]] = []
    monkeypatch.setattr(serving, "run", lambda path, settings, say: found.append((path, settings)))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("FATHOMETER_API_KEYS", raising=False)
    return found


def test_usual_settings_are_local_logged_and_bounded(started: list[Any], tmp_path: Path) -> None:
    (tmp_path / "churn.fathom").touch()
    serving.serve(tmp_path / "churn.fathom")
    ((path, settings),) = started
    assert path == tmp_path / "churn.fathom" and settings.is_local
    assert settings.log.file == tmp_path / "state" / "fathometer" / "served" / "churn" / "log.sqlite"
    assert settings.limits.body_bytes == 16 * 2**20 and settings.limits.rows == 10_000


def test_a_run_serves_its_model(started: list[Any], tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    with pytest.raises(UserError, match="no model yet"):
        serving.serve(tmp_path)
    (tmp_path / "model").mkdir()
    serving.serve(tmp_path, no_log=True)
    assert started[0][0] == tmp_path / "model" and started[0][1].log.file is None


def test_keys_come_from_the_environment(
    started: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FATHOMETER_API_KEYS", KEY)
    serving.serve(tmp_path, host="0.0.0.0", names=["Model.Example"], rows=5, seconds=2.5)
    settings = started[0][1]
    assert settings.keys == (KEY,) and settings.names == ("model.example",)
    assert (settings.limits.rows, settings.limits.seconds) == (5, 2.5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"log": "x", "no_log": True}, "Leave one out"),
        ({"rows": 0}, "above 0"),
        ({"seconds": -1.0}, "above 0"),
        ({"key_file": "nowhere"}, "cannot be read"),
    ],
)
def test_options_that_cannot_be_are_told(
    started: list[Any], tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        serving.serve(tmp_path, **options)
    assert not started


def test_a_model_that_is_not_there_is_told(started: list[Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no model"):
        serving.serve(tmp_path / "nothing")


def test_nothing_listens_wider_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FATHOMETER_API_KEYS", raising=False)
    with pytest.raises(UserError, match="no key is set"):
        serving.serve(tmp_path, host="0.0.0.0", no_log=True)


@pytest.mark.parametrize("package", serving.PACKAGES)
def test_what_serving_needs_and_is_not_installed_is_told_with_the_command(
    tmp_path: Path, package: str
) -> None:
    told = f"import sys; sys.modules[{package!r}] = None; from fathometer.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", told, "serve", os.fspath(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = " ".join(done.stderr.split())
    assert done.returncode != 0 and "Traceback" not in said
    assert f"Serving needs the package '{package.replace('_', '-')}', which is not installed." in said
    assert 'pip install "fathometer[serve]"' in said
