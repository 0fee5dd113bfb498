"""What work costs (processor time, memory, energy) and the machine it was done on, as plain data."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import resource
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

POWERCAP = Path("/sys/class/powercap")
# ru_maxrss counts kilobytes on Linux and bytes on macOS (getrusage(2) of each).
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """Processor seconds (user and system) and peak resident bytes."""

    cpu_seconds: float
    peak_bytes: int


def cost_of(usage: resource.struct_rusage) -> Cost:
    """The cost in a record of getrusage or wait4: of a process and the children it waited for.

    Its peak is that of the largest one of these processes, not their sum.
    """
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MAXRSS_UNIT)


def cpu_seconds() -> float:
    """Processor seconds of this process so far, and of the children it has waited for."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(cost_of(resource.getrusage(kind)).cpu_seconds for kind in kinds)


def peak_bytes() -> int:
    """The most memory this process has had resident so far."""
    return cost_of(resource.getrusage(resource.RUSAGE_SELF)).peak_bytes


def allowed_cores() -> int:
    """Logical cores this process may use: its affinity, cut by a container's processor quota; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota_cores(Path("/sys/fs/cgroup"))
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _quota_cores(folder: Path) -> float | None:
    """Cores granted by a control group, version 2 or 1, or None when there is no limit that can be read."""
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (folder / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    if limit in ("max", "-1") or not limit.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(limit) / int(period)


def energy_counters(folder: Path = POWERCAP) -> dict[str, int] | None:
    """Energy counters of the processor packages in microjoules, by zone; None where they cannot be read.

    RAPL: the whole machine's packages, not this process alone; often for root only.
    """
    counters = {}
    # Sub-zones (intel-rapl:0:1, the cores within the package) are already contained in their package.
    for zone in sorted(folder.glob("intel-rapl:*")):
        if zone.name.count(":") != 1:
            continue
        try:
            counters[zone.name] = int((zone / "energy_uj").read_text())
        except (OSError, ValueError):
            return None
    return counters or None


def joules_between(
    before: Mapping[str, int] | None, after: Mapping[str, int] | None, folder: Path = POWERCAP
) -> float | None:
    """Energy used between two readings of `energy_counters`, or None where it cannot be told.

    A counter starts again from zero after `max_energy_range_uj`; one such turn is put right.
    """
    if before is None or after is None or before.keys() != after.keys():
        return None
    microjoules = 0
    for zone, start in before.items():
        used = after[zone] - start
        if used < 0:
            try:
                used += int((folder / zone / "max_energy_range_uj").read_text())
            except (OSError, ValueError):
                return None
        microjoules += used
    return microjoules / 1e6


def machine() -> dict[str, Any]:
    """Facts about this machine for the record: plain data, nothing that names its owner."""
    return {
        "processor": _processor_name(),
        "architecture": platform.machine(),
        "cores": os.cpu_count() or 1,
        "allowed_cores": allowed_cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Installed version of each distribution package, None for those not installed; nothing is imported."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
