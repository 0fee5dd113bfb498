"""Runs that are killed, interrupted or refused a disk, and gone on with: in processes of their own."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import fathometer as fm
from fathometer.errors import UserError
from fathometer.study.ledger import Ledger, Trial

SHORT = (
    "import sys, fathometer as fm; data, folder, recipes, *learners = sys.argv[1:]; "
    "fm.compare(data, 'answer', out=folder, budget='40s', recipes=int(recipes), learners=learners)"
)
"""A plan that mostly ends before its budget."""

LEARNERS = ("--learner", "linear", "--learner", "tree", "--learner", "mlp")
PATIENCE = 120.0  # seconds to wait for something that comes within a few


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6))
    said = np.where(x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=300) * 0.3 > 0, "yes", "no")
    path = tmp_path_factory.mktemp("data") / "table.csv"
    pd.DataFrame(x, columns=list("abcdef")).assign(answer=said).to_csv(path, index=False)
    return path


class Running:
    """A run at work."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [sys.executable, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen: dict[int, psutil.Process] = {}

    def wait_until(self, holds: Callable[[], bool]) -> bool:
        """Until it holds; False when the run has ended before."""
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "it never came"
            if self.process.poll() is not None:
                return False
            for child in psutil.Process(self.process.pid).children(recursive=True):
                self.seen[child.pid] = child
            time.sleep(0.01)  # between two looks at another process
        return True

    def end(self, number: int) -> tuple[str, str]:
        """Send a signal, and wait for the end of everything it has started."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.result()

    def result(self) -> tuple[str, str]:
        told = self.process.communicate(timeout=PATIENCE)
        _, alive = psutil.wait_procs(list(self.seen.values()), timeout=20)
        assert alive == [], "processes are left"
        return told


def fathom(data: Path, folder: Path) -> tuple[str | Path, ...]:
    """The command line, with a plan that ends with its budget."""
    return (
        "-m",
        "fathometer",
        "compare",
        data,
        "-t",
        "answer",
        "-o",
        folder,
        "-b",
        "10m",
        "--json",
        *LEARNERS,
    )


def resume(folder: Path) -> tuple[str | Path, ...]:
    """Go on with a run."""
    return ("-m", "fathometer", "compare", "--resume", folder, "--json")


def trials(folder: Path) -> list[Trial]:
    return Ledger(folder).trials() if (folder / "ledger.jsonl").exists() else []


def keys(folder: Path) -> list[str]:
    return [trial.key for trial in trials(folder)]


def check_whole(folder: Path, printed: str) -> None:
    """A verdict, a model that opens, no trial twice, every finished one with its files, nothing half-made."""
    result = json.loads(printed)
    assert result["verdict"]["sentence"]
    assert json.loads((folder / "result.json").read_text()) == result
    known = keys(folder)
    assert len(set(known)) == len(known)
    ledger = Ledger(folder)
    for trial in ledger.trials():
        if trial.status == "done":
            ledger.predictions(trial)
            assert ledger.model_folder(trial).is_dir()
    assert not list((folder / "trials").glob(".draft-*"))
    assert not list(folder.glob(".model-*"))
    assert not (folder / "run.lock").exists()


@pytest.fixture(scope="module")
def killed(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[list[str]], str]]:
    """A run killed at four moments and then let to its end: its folder, its trials at each kill, what it printed."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    moments: list[Callable[[], bool]] = [
        lambda: (folder / "run.json").exists(),
        lambda: len(trials(folder)) >= 3,
        lambda: bool(list((folder / "trials").glob(".draft-*/model"))) and len(trials(folder)) >= 7,
        lambda: len(trials(folder)) >= 12,
    ]
    before: list[list[str]] = []
    for place, moment in enumerate(moments):
        first = ("-c", SHORT, data, folder, "2", "linear", "tree", "mlp")
        run = Running(*(first if place == 0 else resume(folder)))
        run.wait_until(moment)
        run.end(signal.SIGKILL)
        before.append(keys(folder))
    last = Running(*resume(folder))
    printed, told = last.result()
    assert last.process.returncode == 0, told
    yield folder, before, printed
    shutil.rmtree(folder)


def test_a_killed_run_goes_on_and_repeats_nothing(killed: tuple[Path, list[list[str]], str]) -> None:
    folder, before, printed = killed
    assert len(before[1]) >= 3
    assert len(before[3]) >= 12
    after = keys(folder)
    for known in before:
        assert after[: len(known)] == known
    assert len(after) > len(before[3])
    assert len(json.loads(printed)["folds"]["deep"]) >= 1
    check_whole(folder, printed)


def test_a_killed_run_can_be_judged_and_used_at_any_time(
    killed: tuple[Path, list[list[str]], str], data: Path
) -> None:
    folder, _, printed = killed
    assert fm.judge(folder).to_json() == json.loads(printed)
    assert len(fm.predict(folder, data)) == 300


def test_an_interrupted_run_ends_with_a_verdict_and_a_model(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = Running(*fathom(data, folder))

    def both() -> bool:
        done = [(trial.fold, trial.family) for trial in trials(folder) if trial.status == "done"]
        return {("r0f0", "classical"), ("r0f0", "deep"), ("r0f1", "deep")} <= set(done)

    assert run.wait_until(both)
    printed, told = run.end(signal.SIGINT)
    assert run.process.returncode == 0, told
    check_whole(folder, printed)
    assert Ledger(folder).ended() == "interrupted"
    assert len(fm.predict(folder, data)) == 300
    assert json.loads(printed)["table"]["deep"]["trials"] >= 2


def test_a_run_interrupted_before_anything_is_finished_says_so(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = Running(*fathom(data, folder))
    assert run.wait_until(lambda: (folder / "run.log").exists())
    printed, told = run.end(signal.SIGTERM)
    assert "Traceback" not in told
    if run.process.returncode == 0:
        assert json.loads(printed)["verdict"]["answer"] == "cannot_tell"
    else:
        assert run.process.returncode == 130
        assert "interrupted" in told


def limited(size: int) -> Callable[[], None]:
    """No file may grow beyond this: as a full disk, for those who may not mount one."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def done(*arguments: str | Path, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=PATIENCE)


def test_a_place_that_cannot_be_written_is_told_in_a_sentence(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = done(*fathom(data, tmp_path / "file"))
    assert refused.returncode == 2, refused.stderr
    assert "Traceback" not in refused.stderr
    frame = pd.read_csv(data)
    for place in (
        "/proc/nowhere",
        tmp_path / "file",
        tmp_path / "file" / "run",
        "/sys/run",
        tmp_path / ("x" * 300),
    ):
        with pytest.raises(UserError, match=r"(could not be written|is a file).*--out") as caught:
            fm.compare(frame, "answer", out=place, budget="10s", engine="inline")
        assert str(place) in str(caught.value)


@pytest.mark.parametrize("size", [5_000, 24_000])
def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(
    data: Path, tmp_path: Path, size: int
) -> None:
    folder = tmp_path / "run"
    first = done("-c", SHORT, data, folder, "1", "linear", "mlp", limit=limited(size))
    assert "UserError" in first.stderr
    assert "could not be written: File too large" in first.stderr
    if not (folder / "run.json").exists():  # it had not even begun
        return
    known = keys(folder)
    again = done(*resume(folder))
    assert again.returncode == 0, again.stderr
    assert keys(folder)[: len(known)] == known
