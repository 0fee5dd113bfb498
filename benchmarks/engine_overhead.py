"""What running a job costs besides the job: the local engine, and the other ways that were weighed.

    OMP_NUM_THREADS=1 python -m benchmarks.engine_overhead

Processor time is that of all processes concerned, for a job that does nothing, with the packages that trials
use loaded. The figures in docs/decisions/0003-local-engine.md are from here.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable
from contextlib import closing

import psutil

from fathometer.core.cost import machine, versions
from fathometer.engine import Job
from fathometer.engines.local import Local
from fathometer.testing.engines import hang, leave

PACKAGES = (
    "torch",
    "torch.optim",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "lightgbm",
    "pandas",
)
JOBS = 100
WATCHED_SECONDS = 5.0


def nothing() -> None:
    """The least a job can do."""


def load_packages() -> None:
    """What every job must do where nothing is loaded beforehand."""
    for name in PACKAGES:
        __import__(name)


def processor_seconds() -> float:
    """Of this process and those it has waited for."""
    usages = [resource.getrusage(kind) for kind in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_local(preload: tuple[str, ...], label: str) -> None:
    """Start-up, then many jobs, then one long one; the server's own time is read while it runs."""

    def job(number: int) -> Job:
        return Job(str(number), time.process_time, {}, 60.0, 60.0, 10**10)

    with closing(Local(workers=1, preload=preload)) as engine:
        began = time.perf_counter()
        (first,) = engine.map(iter([job(0)]))
        (server,) = psutil.Process().children()
        startup = sum(server.cpu_times()[:2])
        print(f"{label}: start {startup:.2f} s CPU, {time.perf_counter() - began:.2f} s wall, ", end="")
        held, peak = server.memory_info().rss / 1e6, first.peak_bytes / 1e6
        print(f"server {held:.0f} MB, job that does nothing {peak:.0f} MB")

        own, theirs, began = time.process_time(), sum(server.cpu_times()[:2]), time.perf_counter()
        outcomes = list(engine.map(job(number) for number in range(JOBS)))
        wall = (time.perf_counter() - began) / JOBS
        parts = {
            "caller": (time.process_time() - own) / JOBS,
            "server": (sum(server.cpu_times()[:2]) - theirs) / JOBS,
            "job": sum(outcome.cpu_seconds for outcome in outcomes) / JOBS,
        }
        listed = ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in parts.items())
        print(f"  per job: {1e3 * sum(parts.values()):.1f} ms CPU ({listed}), {1e3 * wall:.1f} ms wall")

        theirs = sum(server.cpu_times()[:2])
        list(engine.map(iter([Job("long", hang, {}, WATCHED_SECONDS, 60.0, 10**10)])))
        watching = (sum(server.cpu_times()[:2]) - theirs) / WATCHED_SECONDS
        print(f"  watching one job: {100 * watching:.1f} % of a core")

        began = time.perf_counter()
        list(engine.map(iter([Job("crash", leave, {"code": 1}, 60.0, 60.0, 10**10)])))
        print(f"  a job that dies is known after {1e3 * (time.perf_counter() - began):.0f} ms")


def measure_processes(method: str, jobs: int, work: Callable[[], None]) -> None:
    """The standard library's processes, without limits, logs or clean ends."""
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload(list(PACKAGES))

    def run(work: Callable[[], None]) -> None:
        process = context.Process(target=work)
        process.start()
        process.join()

    run(nothing)  # starts the fork server
    before = processor_seconds()
    servers = [child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline())]
    # The fork server waits for its children itself, so their time is among its children's.
    theirs = sum(sum(server.cpu_times()[:4]) for server in servers)
    began = time.perf_counter()
    for _ in range(jobs):
        run(work)
    wall = (time.perf_counter() - began) / jobs
    used = processor_seconds() - before + sum(sum(server.cpu_times()[:4]) for server in servers) - theirs
    print(f"multiprocessing {method}: {1e3 * used / jobs:.1f} ms CPU, {1e3 * wall:.1f} ms wall per job")


if __name__ == "__main__":
    print(machine())
    print(versions(["torch", "scikit-learn", "lightgbm", "numpy", "psutil"]))
    measure_local((), "local engine, nothing preloaded")
    measure_local(PACKAGES, "local engine, packages preloaded")
    measure_processes("forkserver", JOBS, nothing)
    measure_processes("spawn", 2, load_packages)
