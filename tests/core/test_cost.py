"""What is measured is what was used, and what cannot be measured is None."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fathometer.core import cost
from fathometer.core.cost import (
    allowed_cores,
    cpu_seconds,
    energy_counters,
    joules_between,
    machine,
    peak_bytes,
    versions,
)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rapl(folder: Path, *, package: int, dram: int, limit: int = 1_000_000) -> None:
    """Files as the kernel shows them: two packages, of which one has a zone within."""
    for zone, value in (("intel-rapl:0", package), ("intel-rapl:0:0", package // 2), ("intel-rapl:1", dram)):
        put(folder / zone / "energy_uj", f"{value}\n")
        put(folder / zone / "max_energy_range_uj", f"{limit}\n")
    put(folder / "intel-rapl" / "enabled", "1\n")


def test_processor_time_is_that_of_this_process_and_its_children() -> None:
    before, own = cpu_seconds(), time.process_time()
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    while time.process_time() - own < 0.1:
        pass
    assert cpu_seconds() - before >= 0.3 - 0.02  # the kernel counts in ticks of ten milliseconds


def test_the_peak_is_at_least_what_is_held() -> None:
    held = bytearray(b"x" * 50_000_000)
    assert peak_bytes() >= psutil.Process().memory_info().rss - 5_000_000 > len(held) - 5_000_000


def test_no_more_cores_are_allowed_than_there_are() -> None:
    assert 1 <= allowed_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
    ],
)
def test_a_containers_quota_is_read(tmp_path: Path, files: dict[str, str], expected: float | None) -> None:
    for name, text in files.items():
        put(tmp_path / name, text)
    assert cost._quota_cores(tmp_path) == expected


def test_energy_is_the_sum_of_the_packages(tmp_path: Path) -> None:
    rapl(tmp_path, package=100_000, dram=10_000)
    before = energy_counters(tmp_path)
    rapl(tmp_path, package=400_000, dram=30_000)
    assert joules_between(before, energy_counters(tmp_path), tmp_path) == pytest.approx(0.32)


def test_an_energy_counter_that_started_again_is_put_right(tmp_path: Path) -> None:
    rapl(tmp_path, package=900_000, dram=0)
    before = energy_counters(tmp_path)
    rapl(tmp_path, package=200_000, dram=0)
    assert joules_between(before, energy_counters(tmp_path), tmp_path) == pytest.approx(0.3)


def test_energy_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert energy_counters(tmp_path / "nowhere") is None
    assert joules_between(None, None) is None
    rapl(tmp_path, package=1, dram=1)
    assert joules_between(energy_counters(tmp_path), None) is None
    put(tmp_path / "intel-rapl:0" / "energy_uj", "")
    assert energy_counters(tmp_path) is None


def test_facts_about_the_machine_are_plain_data() -> None:
    facts = machine()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["memory_bytes"] > 0 and facts["processor"]


def test_versions_are_those_installed() -> None:
    import numpy

    assert versions(["numpy", "no-such-package"]) == {"numpy": numpy.__version__, "no-such-package": None}
