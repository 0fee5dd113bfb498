"""Opening a model and asking it runs nothing that the model brought: Python itself watches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crafting import members_of_all, pack_members, pretrained_members

from fathometer.bundle import open_bundle, pack_archive

HERE = Path(__file__).parent
OLD = HERE / "old"
CACHES = ("TMPDIR", "HOME", "XDG_CACHE_HOME", "HF_HOME", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
"""Where libraries keep what is theirs: torch makes a folder for compiled code, though nothing is compiled."""
KEPT = sorted(path for folder in OLD.iterdir() if folder.is_dir() for path in folder.glob("model*"))


def watched(model: Path, rows: Path, tmp_path: Path, *further: str) -> subprocess.CompletedProcess[str]:
    outside, private = tmp_path / "outside", tmp_path / "private"
    for folder in (outside, private):
        folder.mkdir(exist_ok=True)
    (outside / "libevil.so").write_bytes(b"")
    (outside / "evil.py").write_text("raise SystemExit('it ran')")
    return subprocess.run(
        [sys.executable, str(HERE / "watched.py"), str(model), str(rows), *further],
        env={
            **os.environ,
            **dict.fromkeys(CACHES, str(private)),
            "OUTSIDE": str(outside),
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        cwd=outside,
    )


@pytest.fixture(scope="module")
def of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    return pack_members(folder, members_of_all(folder / "trials"))


def answers_of(run: subprocess.CompletedProcess[str]) -> dict[str, list[float]]:
    assert run.returncode == 0, run.stderr[-3_000:]
    said: dict[str, list[float]] = json.loads(run.stdout)
    return said


@pytest.mark.parametrize("model", KEPT, ids=lambda path: str(path.relative_to(OLD)))
def test_a_kept_model_is_opened_and_asked_without_running_anything(model: Path, tmp_path: Path) -> None:
    said = answers_of(watched(model, model.parent / "rows.json", tmp_path))
    wanted = json.loads((model.parent / "answers.json").read_text())
    for name, answer in said.items():
        if name != "predict":
            np.testing.assert_allclose(answer, wanted[name], rtol=0, atol=1e-6)


def test_a_model_in_one_file_is_opened_and_asked_without_running_anything(tmp_path: Path) -> None:
    pack_archive(OLD / "1" / "model", tmp_path / "model.fathom")
    said = answers_of(watched(tmp_path / "model.fathom", OLD / "1" / "rows.json", tmp_path))
    assert said == answers_of(watched(OLD / "1" / "model", OLD / "1" / "rows.json", tmp_path))
    assert not list((tmp_path / "private").glob("fathometer-*"))


def test_every_learner_is_opened_and_asked_without_running_anything(of_all: Path, tmp_path: Path) -> None:
    said = answers_of(watched(of_all, of_all.parent / "rows.json", tmp_path))
    assert {*said} == {"predict", *(f"member:{key}" for key in open_bundle(of_all).learners)}


def test_pretrained_encoders_are_opened_and_asked_without_running_anything(tmp_path: Path) -> None:
    model = pack_members(tmp_path / "made", pretrained_members(tmp_path / "trials"))
    shutil.rmtree(tmp_path / "trials")  # what is asked is what was packed
    said = answers_of(watched(model, tmp_path / "made" / "rows.json", tmp_path))
    assert len(said) == 4


def test_what_is_forbidden_would_be_seen(tmp_path: Path) -> None:
    said = answers_of(watched(OLD / "1" / "model", OLD / "1" / "rows.json", tmp_path, "crimes"))
    assert said == {"unseen": []}
