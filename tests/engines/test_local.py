"""The local engine: what only processes on this machine can promise."""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from fathometer.core.cost import allowed_cores
from fathometer.engine import Job, Outcome
from fathometer.engines.local import Local
from fathometer.errors import FathometerError
from fathometer.testing.engines import add, give, hang, job, outcomes_of, spin

PATIENCE_SECONDS = 20.0

# A script as users write them: no guard against being imported, and a trace of every time it is executed.
UNGUARDED = """
import os, sys
from fathometer.engines.local import Local
from fathometer.testing.engines import add, job
print("executed")
engine = Local(workers=2)
for outcome in engine.map(iter([job(add, str(number), first=number, second=1) for number in range(3)])):
    print(outcome.status, file=sys.stderr)
{close}
"""

# Has two jobs hanging, one of which has started a process; tells the numbers of all, and waits to be killed.
VICTIM = """
import os, sys, time, psutil
from pathlib import Path
from fathometer.engines.local import Local
from fathometer.testing.engines import hang, job, start_and_hang
folder = sys.argv[1]
def tell():
    for name in ("one", "two"):
        while not Path(folder, name).exists():
            time.sleep(0.01)
    numbers = [process.pid for process in psutil.Process().children(recursive=True)]
    copy = 0
    if "forked" in sys.argv:
        # A copy of this process holds everything open when this one is dead.
        copy = os.fork()
        if copy == 0:
            time.sleep(60)
            os._exit(0)
    print(copy, *numbers, flush=True)
def jobs():
    yield job(hang, note=folder + "/one")
    yield job(start_and_hang, note=folder + "/two", new_session=True)
import threading
threading.Thread(target=tell, daemon=True).start()
try:
    list(Local(workers=2).map(jobs()))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def environment(name: str) -> str | None:
    return os.environ.get(name)


def print_everywhere() -> None:
    print("from Python")
    print("as an error", file=sys.stderr)
    ctypes.CDLL(None).puts(b"from C")
    ctypes.CDLL(None).fflush(None)


def close_output() -> None:
    sys.stdout.close()


def number_of_server() -> int:
    return os.getppid()


def count_up(size: int) -> npt.NDArray[np.float64]:
    return np.arange(size, dtype=np.float64)


def crash() -> None:
    ctypes.string_at(0)


def sample() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 20))
    return features, (features[:, 0] > 0).astype(np.float64)


def fit_lightgbm() -> float:
    lightgbm = importlib.import_module("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(*sample())
    return float(model.predict_proba(sample()[0])[:, 1].sum())


def fit_sklearn() -> float:
    forest = importlib.import_module("sklearn.ensemble").RandomForestClassifier(20, random_state=0, n_jobs=2)
    return float(forest.fit(*sample()).predict_proba(sample()[0])[:, 1].sum())


def fit_torch() -> float:
    torch = importlib.import_module("torch")
    assert torch.get_num_threads() == 1
    torch.manual_seed(0)
    features, target = (torch.from_numpy(part).float() for part in sample())
    network = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    steps = torch.optim.Adam(network.parameters())
    for _ in range(20):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(features)[:, 0], target)
        steps.zero_grad()
        loss.backward()
        steps.step()
    return float(loss)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    assert not alive


def told(line: str) -> tuple[psutil.Process | None, list[psutil.Process]]:
    """The forked copy, if any, and the descendants that a victim tells of."""
    copy, *descendants = [int(number) for number in line.split()]
    return psutil.Process(copy) if copy else None, [psutil.Process(number) for number in descendants]


def test_output_of_jobs_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "engine.log"
    log.write_text("before\n")
    with closing(Local(workers=1, log=log)) as engine:
        assert outcomes_of(engine, job(print_everywhere))["job"].status == "done"
    assert capfd.readouterr() == ("", "")
    assert set(log.read_text().splitlines()) >= {"before", "from Python", "as an error", "from C"}


def test_a_crash_leaves_its_stack_in_the_log(tmp_path: Path) -> None:
    with closing(Local(workers=1, log=tmp_path / "log")) as engine:
        assert outcomes_of(engine, job(crash))["job"].reason == "ended from outside by SIGSEGV"
    assert "in crash" in (tmp_path / "log").read_text()


def test_jobs_use_one_thread_and_the_callers_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("OWN_SETTING", "kept")
    before = dict(os.environ)
    with closing(Local(workers=1)) as engine:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OWN_SETTING")
        found = outcomes_of(engine, *(job(environment, name, name=name) for name in names))
    assert [found[name].value for name in names] == ["1", "1", "kept"]
    assert dict(os.environ) == before


def test_jobs_see_the_callers_folder_and_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_later.py").write_text("import os\ndef where():\n    return os.getcwd()\n")
    with closing(Local(workers=1)) as engine:
        outcomes_of(engine, job(add, first=1, second=1))
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend("")
        made_later = importlib.import_module("made_later")
        assert outcomes_of(engine, job(made_later.where))["job"].value == str(tmp_path)


@pytest.mark.parametrize("close", ["engine.close()", ""])
@pytest.mark.parametrize("how", ["file", "module", "text", "standard input"])
def test_a_script_is_executed_once(tmp_path: Path, how: str, close: str) -> None:
    script = UNGUARDED.format(close=close)
    (tmp_path / "script.py").write_text(script)
    arguments = {
        "file": ["script.py"],
        "module": ["-m", "script"],
        "text": ["-c", script],
        "standard input": ["-"],
    }[how]
    given = script if how == "standard input" else ""
    ended = subprocess.run(
        [sys.executable, *arguments], input=given, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert ended.stdout == "executed\n"
    assert ended.stderr == "done\n" * 3


@pytest.mark.parametrize("forked", ["", "forked"])
def test_killing_the_caller_ends_everything(tmp_path: Path, forked: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path), forked], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        copy, descendants = told(victim.stdout.readline())
        assert len(descendants) >= 4  # the server, two jobs, and what one of them started
        victim.kill()
    assert_gone(descendants)
    if copy:
        copy.kill()


def test_an_interrupt_in_the_terminal_ends_everything(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as victim:
        assert victim.stdout is not None
        _, descendants = told(victim.stdout.readline())
        os.killpg(victim.pid, signal.SIGINT)
        assert victim.stdout.readline() == "interrupted\n"
    assert victim.returncode == 0
    assert_gone(descendants)


def test_an_interrupt_in_the_terminal_reaches_the_caller_alone() -> None:
    script = """
import os, signal
from fathometer.engines.local import Local
from fathometer.testing.engines import job, spin
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
def jobs():
    yield job(spin, cpu_seconds=0.2)
    os.killpg(0, signal.SIGINT)
print(*(outcome.status for outcome in Local(workers=2).map(jobs())), heard)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, start_new_session=True, timeout=60
    )
    assert ended.stdout == "done [1]\n"


def test_the_server_serves_until_closed() -> None:
    with closing(Local(workers=2)) as engine:
        first = outcomes_of(engine, job(number_of_server))["job"].value
        assert outcomes_of(engine, job(number_of_server))["job"].value == first
        engine.close()
        assert not psutil.pid_exists(first)
        assert outcomes_of(engine, job(number_of_server))["job"].value != first


def test_a_killed_server_is_replaced(tmp_path: Path) -> None:
    note = tmp_path / "note"

    def jobs() -> Iterator[Job | None]:
        yield job(hang, "hang", note=str(note))
        while not note.exists():
            time.sleep(0.01)
        running.append(psutil.Process(int(note.read_text())))
        running[0].parent().kill()  # type: ignore[union-attr]
        yield None
        yield job(add, "add", first=1, second=1)

    running: list[psutil.Process] = []
    with closing(Local(workers=2)) as engine:
        lost, next_one = list(engine.map(jobs()))
    assert (lost.job.key, lost.status) == ("hang", "killed") and lost.reason
    assert next_one.value == 2
    assert_gone(running)


def test_a_package_that_cannot_be_preloaded_is_logged(tmp_path: Path) -> None:
    with closing(Local(workers=1, preload=("no_such_package",), log=tmp_path / "log")) as engine:
        assert outcomes_of(engine, job(add, first=1, second=1))["job"].value == 2
    assert "No module named 'no_such_package'" in (tmp_path / "log").read_text()


def test_preloaded_packages_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_early.py").write_text(
        "import os\nloader = os.getpid()\ndef numbers():\n    return loader, os.getppid()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    loaded_early = importlib.import_module("loaded_early")
    with closing(Local(workers=1, preload=("loaded_early",))) as engine:
        loader, server = outcomes_of(engine, job(loaded_early.numbers))["job"].value
    assert loader == server


@pytest.mark.parametrize(
    ("package", "work"),
    [("lightgbm", fit_lightgbm), ("sklearn.ensemble", fit_sklearn), ("torch", fit_torch)],
)
def test_libraries_work_where_they_were_preloaded(package: str, work: Callable[[], float]) -> None:
    with closing(Local(workers=2, preload=(package,))) as engine:
        found = outcomes_of(engine, job(work, "one"), job(work, "two"))
    assert [outcome.reason for outcome in found.values()] == ["", ""]
    assert found["one"].value == found["two"].value


@pytest.mark.parametrize("end", ["import os; os.write(2, b'no licence'); os._exit(1)", "exit('no licence')"])
def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    (tmp_path / "deadly.py").write_text(end)
    monkeypatch.syspath_prepend(tmp_path)
    with closing(Local(preload=("deadly",))) as engine, pytest.raises(FathometerError, match="no licence"):
        outcomes_of(engine, job(add, first=1, second=1))


def test_closing_does_not_wait_for_loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with closing(Local(preload=("slow",))) as engine:
        closer = threading.Timer(0.3, engine.close)
        closer.start()
        assert outcomes_of(engine, job(add, first=1, second=1))["job"].status == "stopped"
        closer.join(PATIENCE_SECONDS)
    assert psutil.Process().children() == []


def test_killing_the_caller_ends_a_server_that_is_loading(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('loading')\ntime.sleep(60)\n")
    script = """
from pathlib import Path
from fathometer.engines.local import Local
from fathometer.testing.engines import add, job
list(Local(preload=("slow",), log=Path("log")).map(iter([job(add, first=1, second=1)])))
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) as victim:
        log = tmp_path / "log"
        while not log.exists() or "loading" not in log.read_text():
            time.sleep(0.01)
        descendants = psutil.Process(victim.pid).children(recursive=True)
        assert descendants
        victim.kill()
    assert_gone(descendants)


def test_limits_are_kept_while_the_caller_is_busy(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with closing(Local(workers=2)) as engine:
        jobs = [job(hang, "hang", seconds=0.5, note=str(note)), job(add, "add", first=1, second=1)]
        outcomes = engine.map(iter(jobs))
        first = next(outcomes)
        # From here on nobody asks the engine for anything until the job is gone.
        if first.job.key == "add":
            end = time.monotonic() + PATIENCE_SECONDS
            while not note.exists() and time.monotonic() < end:
                time.sleep(0.01)
            number = int(note.read_text())
            while psutil.pid_exists(number) and time.monotonic() < end:
                time.sleep(0.01)
            assert not psutil.pid_exists(number)
        statuses = {outcome.job.key: outcome.status for outcome in [first, *outcomes]}
    assert statuses == {"hang": "out_of_time", "add": "done"}


def test_a_finished_job_waits_for_a_busy_caller() -> None:
    with closing(Local(workers=2)) as engine:
        outcomes = engine.map(job(give, str(number), seconds=1.5, size_bytes=10**6) for number in range(2))
        first = next(outcomes)
        time.sleep(1.6)  # longer than the jobs' limit
        assert [first.status, *(outcome.status for outcome in outcomes)] == ["done", "done"]


def test_arrays_come_back_equal() -> None:
    size = 50_000_000 // 8
    with closing(Local(workers=1)) as engine:
        value = outcomes_of(engine, job(count_up, size=size))["job"].value
    np.testing.assert_array_equal(value, count_up(size))


def test_work_of_the_main_script_is_refused_with_a_reason() -> None:
    script = """
from fathometer.engines.local import Local
from fathometer.testing.engines import job
def mine(): return 1
for outcome in Local().map(iter([job(mine)])): print(outcome.status, outcome.reason)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (
        ended.stdout == "failed work must be a function of a module that can be imported, not __main__.mine\n"
    )


def test_the_engine_works_in_a_thread() -> None:
    found: list[Outcome] = []

    def use() -> None:
        with closing(Local(workers=2)) as engine:
            found.extend(engine.map(job(add, str(number), first=1, second=1) for number in range(4)))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert [outcome.value for outcome in found] == [2] * 4


def test_a_job_that_closes_its_output_is_done() -> None:
    with closing(Local(workers=1)) as engine:
        assert outcomes_of(engine, job(close_output))["job"].status == "done"


def test_two_engines_do_not_disturb_each_other() -> None:
    with closing(Local(workers=1)) as one, closing(Local(workers=1)) as other:
        first = one.map(job(spin, str(number), cpu_seconds=0.05) for number in range(3))
        second = other.map(job(spin, str(number), cpu_seconds=0.05) for number in range(3))
        statuses = [(a.status, b.status) for a, b in zip(first, second, strict=True)]
    assert statuses == [("done", "done")] * 3


def test_there_are_as_many_workers_as_cores_unless_said() -> None:
    assert Local().workers == allowed_cores() >= 1
    assert Local(workers=3).workers == 3
