"""The record survives whatever happens to the one who writes it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from fathometer.errors import BadRun
from fathometer.study.ledger import Ledger, Lock, Trial
from fathometer.testing.faults import disk_full, failing


def a_trial(key: str, **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "key": key,
        "family": "classical",
        "learner": "linear",
        "title": "línear 'model' \n\u2028",
        "settings": {"strength": 0.1, "shape": [1, 2]},
        "turn": 1,
        "fold": "r0f0",
        "seed": 7,
        "stage": "presets",
        "status": "done",
        "curve": ((1, 0.5), (2, 0.25)),
        "decided": {"steps": 12},
        "at": 1.5,
    }
    return Trial(**values | changes)


def new_ledger(folder: Path, trials: int = 0) -> Ledger:
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder)
    for number in range(trials):
        ledger.commit(a_trial(f"k{number}"), scratch_of(ledger, number))
    return ledger


def scratch_of(ledger: Ledger, number: int) -> Path:
    """Files as a worker leaves them."""
    scratch = ledger.scratch()
    save_file({"valid": np.full(3, float(number)), "test": np.zeros(2)}, scratch / "predictions.safetensors")
    (scratch / "model").mkdir()
    (scratch / "model" / "model.json").write_text("{}")
    return scratch


def check(ledger: Ledger) -> None:
    """Every trial in the record has its files, and none is there twice."""
    trials = ledger.trials()
    assert len({trial.key for trial in trials}) == len(trials)
    for trial in trials:
        assert set(ledger.predictions(trial)) == {"valid", "test"}
        assert (ledger.model_folder(trial) / "model.json").exists()


def test_what_is_entered_is_read_again(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    trials = [a_trial("a"), a_trial("b", status="failed", reason="ValueError: ü\n{}", valid_loss=0.1 + 0.2)]
    ledger.commit(trials[0], scratch_of(ledger, 4))
    ledger.commit(trials[1], None)
    assert ledger.trials() == [a_trial("a", settings={"strength": 0.1, "shape": [1, 2]}), trials[1]]
    assert ledger.predictions(trials[0])["valid"].tolist() == [4, 4, 4]
    check_no_drafts(tmp_path)


def check_no_drafts(folder: Path) -> None:
    assert not list((folder / "trials").glob(".draft-*"))


def test_no_record_yet_is_no_trials(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert (ledger.trials(), ledger.elapsed(), ledger.ended()) == ([], 0.0, None)


def test_ends_tell_why_how_long_and_what_it_cost(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    ledger.note_end(12.0, "interrupted", 20.0)
    ledger.commit(a_trial("a", at=15.0, status="failed"), None)
    ledger.note_end(30.0, "budget", 22.0)
    assert (ledger.elapsed(), ledger.ended(), ledger.cpu_seconds()) == (30.0, "budget", 42.0)


@given(share=st.floats(0, 1), more=st.binary(max_size=40))
@settings(deadline=None, max_examples=80)
def test_a_record_cut_at_any_byte_keeps_its_whole_lines_and_invents_none(
    tmp_path_factory: pytest.TempPathFactory, share: float, more: bytes
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    ledger = new_ledger(folder)
    written = [a_trial(f"k{number}", status="failed") for number in range(4)]
    for trial in written:
        ledger.commit(trial, None)
    path = folder / "ledger.jsonl"
    whole = path.read_bytes()
    cut = int(share * len(whole))
    # what a torn write may leave behind the cut: nothing, zeros, or bytes without an end of line
    path.write_bytes(whole[:cut] + (b"\0" * len(more) if share < 0.5 else b""))
    lines = whole[:cut].count(b"\n")
    # the last line may be whole but for its end
    least, most = lines, lines + (whole[cut : cut + 1] == b"\n")
    read = ledger.trials()
    assert least <= len(read) <= most
    assert read == written[: len(read)]
    ledger.mend()
    assert ledger.trials() == read
    ledger.commit(a_trial("after", status="failed"), None)
    assert [trial.key for trial in ledger.trials()] == [*(trial.key for trial in read), "after"]


@given(place=st.floats(0, 0.7), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=60)
def test_a_changed_byte_is_never_read_as_a_trial(
    tmp_path_factory: pytest.TempPathFactory, place: float, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    ledger = new_ledger(folder)
    written = [a_trial(f"k{number}", status="failed") for number in range(4)]
    for trial in written:
        ledger.commit(trial, None)
    path = folder / "ledger.jsonl"
    whole = bytearray(path.read_bytes())
    whole[int(place * len(whole))] = byte
    path.write_bytes(bytes(whole))
    try:
        read = ledger.trials()
    except BadRun as error:
        assert "is damaged" in str(error)
        return
    assert read == written[: len(read)] or read == written


def test_a_damaged_line_in_the_middle_is_told_with_its_number(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, 3)
    path = tmp_path / "ledger.jsonl"
    lines = [line + "\n" for line in path.read_text().split("\n")]
    for damage in (
        "{}\n",
        '{"entry": 5, "crc": 3}\n',
        "[1]\n",
        "null\n",
        "\n",
        lines[1].replace("seed", "sead"),
    ):
        path.write_text(lines[0] + damage + lines[2])
        with pytest.raises(BadRun, match=r"Line 2 of .* is damaged"):
            ledger.trials()


def test_missing_predictions_are_told(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, 1)
    path = tmp_path / "trials" / "k0" / "predictions.safetensors"
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(BadRun, match="missing or damaged"):
        ledger.predictions(ledger.trials()[0])
    path.unlink()
    with pytest.raises(BadRun, match="missing or damaged"):
        ledger.predictions(ledger.trials()[0])


def test_what_a_killed_run_left_is_cleared_and_written_over(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path, 1)
    ledger.scratch()
    (tmp_path / "trials" / "k1" / "model").mkdir(parents=True)  # moved into place, and never entered
    ledger.mend()
    check_no_drafts(tmp_path)
    ledger.commit(a_trial("k1"), scratch_of(ledger, 1))
    check(ledger)
    assert len(ledger.trials()) == 2


@pytest.mark.parametrize("error", [disk_full, SystemExit, KeyboardInterrupt])
def test_a_fault_at_any_request_leaves_a_record_that_can_be_gone_on_with(
    tmp_path: Path, error: Callable[[], BaseException]
) -> None:
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        ledger = new_ledger(folder, 1)
        scratch = scratch_of(ledger, 1)
        with failing(number, error, below=str(tmp_path)) as made, suppress(type(error())):
            ledger.commit(a_trial("k1"), scratch)
        before = [trial.key for trial in ledger.trials()]
        assert before in (["k0"], ["k0", "k1"])
        check(ledger)
        ledger.mend()
        if len(before) == 1:
            ledger.commit(a_trial("k1"), scratch_of(ledger, 1))
        assert [trial.key for trial in ledger.trials()] == ["k0", "k1"]
        check(ledger)
        if len(made) < number:
            break
    assert number > 8


def test_a_write_cut_short_by_a_full_disk_is_taken_back(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from test_ledger import a_trial, new_ledger;"
        "folder = Path(sys.argv[1]); ledger = new_ledger(folder, 1);"
        "size = (folder / 'ledger.jsonl').stat().st_size;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, size + 50));"
        "ledger.commit(a_trial('k1', status='failed'), None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    assert "File too large" in done.stderr
    text = (tmp_path / "ledger.jsonl").read_text()
    assert text.endswith("\n")
    assert len(Ledger(tmp_path).trials()) == 1


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with Lock(tmp_path):
        with pytest.raises(BadRun, match="worked on by another process"), Lock(tmp_path):
            pass
        with pytest.raises(BadRun), Lock(tmp_path):
            pass
    with Lock(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_left_behind_is_taken_over(tmp_path: Path) -> None:
    for left in ("", "{}", json.dumps({"pid": os.getpid(), "started": 0.0}), "\0\0"):
        (tmp_path / "run.lock").write_text(left)
        with Lock(tmp_path):
            pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, signal; from pathlib import Path; from fathometer.study.ledger import Lock\n"
        "with Lock(Path(sys.argv[1])): print('held', flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BadRun, match="another process"), Lock(tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    with Lock(tmp_path):
        pass


def test_a_copied_record_is_the_same(tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path / "one", 2)
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    assert Ledger(tmp_path / "other").trials() == ledger.trials()
