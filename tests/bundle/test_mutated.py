"""A model that was changed at random, and listed anew, answers or is refused in a sentence: nothing else happens.

FATHOMETER_MUTATIONS=100000 makes it many more; the program `mutating.py` says which seed gave what.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from crafting import asked, members_of_all, pack_members, small_model
from mutating import any_bytes, any_json

from fathometer.bundle import open_bundle, pack_archive
from fathometer.errors import BadBundle, UserError

COUNT = int(os.environ.get("FATHOMETER_MUTATIONS", "150"))
HERE = Path(__file__).parent
OLD = HERE / "old"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each learner, and those that are kept."""
    folder = tmp_path_factory.mktemp("models")
    for member in members_of_all(folder / "trials"):
        pack_members(folder / member.key, [member])
    for kept in sorted(path for path in OLD.iterdir() if path.is_dir()):
        shutil.copytree(kept, folder / f"kept-{kept.name}")
        if (kept / "model.fathom").is_file():
            shutil.unpack_archive(kept / "model.fathom", folder / f"kept-{kept.name}" / "model", "zip")
    return folder


def test_a_changed_model_answers_or_is_refused(models: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(HERE / "mutating.py"), str(models), "1", str(COUNT)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    last = run.stderr.splitlines()[-1:] or [""]
    assert run.returncode == 0, f"crashed at {last[0]}: {run.stderr[-1_000:]}"
    faults = [json.loads(line) for line in run.stdout.splitlines()]
    told = "\n".join(
        f"{one['seed']} {one['name']} {one['path']} {one['way']}: {one['fault'][-400:]}" for one in faults
    )
    assert not faults, told


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("small"))


def test_a_changed_archive_gives_the_same_answers_or_is_refused(small: Path, tmp_path: Path) -> None:
    pack_archive(small, tmp_path / "a.fathom")
    raw, wanted = (tmp_path / "a.fathom").read_bytes(), open_bundle(small).predict(asked())
    path, opened = tmp_path / "b.fathom", 0
    for number in range(COUNT):
        path.write_bytes(any_bytes(raw, np.random.default_rng([2, number])))
        try:
            with open_bundle(path) as bundle, zipfile.ZipFile(path) as archive:
                assert bundle.predict(asked()).equals(wanted)
                # nobody who reads it otherwise sees anything else
                found = {
                    one.relative_to(bundle.folder).as_posix()
                    for one in bundle.folder.rglob("*")
                    if one.is_file()
                }
                assert set(archive.namelist()) == found
                assert all(archive.read(name) == (bundle.folder / name).read_bytes() for name in found)
                opened += 1
        except UserError as error:
            assert "\n" not in str(error)
    assert opened < COUNT / 2  # a date, a mode


def test_a_changed_manifest_is_refused_or_says_the_same(small: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "model"))
    raw, wanted = (folder / "manifest.json").read_bytes(), open_bundle(small).predict(asked())
    for number in range(COUNT):
        rng = np.random.default_rng([3, number])
        (folder / "manifest.json").write_bytes((any_bytes if number % 2 else any_json)(raw, rng))
        try:
            assert open_bundle(folder).predict(asked()).equals(wanted)
        except BadBundle as error:
            assert "\n" not in str(error)
