"""Measure every system on every table and budget, one run at a time, skipping what is there already.

    python benchmarks/peers/run_all.py --splits SPLITS --out RESULTS --budgets 60 --fathometer-python PYTHON \
        --autogluon-python PYTHON --flaml-python PYTHON

It needs the standard library only. `benchmarks/tables.py` writes the splits beforehand.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KILL_FACTOR: Final = 3.0
KILL_GRACE_SECONDS: Final = 120.0
# Of the processor time the machine's cores offered during the fit, the share that others may have
# had before the run counts as disturbed.
DISTURBED_SHARE: Final = 0.05


@dataclass(frozen=True)
class Order:
    """One run: a system's script and interpreter, a table's folder, the budget and where results go."""

    system: str
    python: Path
    split: Path
    budget_seconds: float
    out_folder: Path

    @property
    def stem(self) -> str:
        """Name of the result and log files, without their endings."""
        return f"{self.split.name}__{self.system}__{self.budget_seconds:g}s"

    @property
    def result_path(self) -> Path:
        """File of this run's result."""
        return self.out_folder / f"{self.stem}.json"

    @property
    def log_path(self) -> Path:
        """File of what the peer printed."""
        return self.out_folder / "logs" / f"{self.stem}.log"


def _command(order: Order, table: dict[str, Any]) -> list[str]:
    """The peer script's command line."""
    script = Path(__file__).resolve().parent / f"run_{order.system}.py"
    return [
        str(order.python),
        str(script),
        str(order.split / "train.csv"),
        str(order.split / "test.csv"),
        table["target"],
        table["task"],
        table["metric"],
        f"{order.budget_seconds:g}",
        str(order.result_path),
    ]


def _parents() -> dict[int, int]:
    """Map every process alive to its parent."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(encoding="ascii", errors="replace")
            except OSError:
                continue  # the process ended between listing and reading
            parents[int(folder.name)] = int(text[text.rindex(")") + 2 :].split()[1])
    return parents


def _kill_tree(root: int) -> None:
    """Kill a process and its descendants; Ray's daemons leave the process group, so that is not enough."""
    parents = _parents()
    family = [root]
    for member in family:  # grows while it is walked, until no child is left out
        family.extend(process for process, parent in parents.items() if parent == member)
    for process in family:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself


def _failed(order: Order, table: dict[str, Any], reason: str, seconds: float) -> dict[str, Any]:
    """The result of a run whose script left none."""
    return {
        "system": order.system,
        "version": None,
        "table": order.split.name,
        "metric": table["metric"],
        "budget": order.budget_seconds,
        "wall_seconds": seconds,
        "cpu_seconds": None,
        "predict_seconds": None,
        "scores": {},
        "details": {},
        "error": reason,
    }


def is_disturbed(result: dict[str, Any]) -> bool:
    """Whether processes of others had a noticeable share of the cores while the peer was fitted."""
    foreign, wall = result.get("foreign_cpu_seconds"), result["wall_seconds"]
    if foreign is None or not wall:
        return False  # nothing is known, as after a kill
    return bool(foreign > DISTURBED_SHARE * wall * result["cores"])


def _set_aside(order: Order) -> None:
    """Move a disturbed result out of the way, so that it is measured again and yet not lost."""
    folder = order.out_folder / "disturbed"
    folder.mkdir(exist_ok=True)
    order.result_path.replace(folder / f"{order.stem}__{int(time.time())}.json")


def run_one(order: Order) -> dict[str, Any]:
    """Carry one order out, write its result and return it."""
    table: dict[str, Any] = json.loads((order.split / "table.json").read_text(encoding="utf-8"))
    order.log_path.parent.mkdir(parents=True, exist_ok=True)
    limit = KILL_FACTOR * order.budget_seconds + KILL_GRACE_SECONDS
    load_before = os.getloadavg()[0]
    started = time.time()
    clock = time.perf_counter()
    reason = "the script ended without a result"
    with order.log_path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            _command(order, table), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            reason = f"{reason}, exit status {process.wait(timeout=limit)}"
        except subprocess.TimeoutExpired:
            _kill_tree(process.pid)
            process.wait()
            reason = f"killed after {limit:g} s"
    seconds = time.perf_counter() - clock
    if order.result_path.exists():
        result: dict[str, Any] = json.loads(order.result_path.read_text(encoding="utf-8"))
    else:
        result = _failed(order, table, reason, seconds)
    result |= {
        "cores": len(os.sched_getaffinity(0)),
        "load_average_before": load_before,
        "started_unix": started,
        "script_seconds": seconds,
    }
    result["disturbed"] = is_disturbed(result)
    order.result_path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def _orders(arguments: argparse.Namespace) -> Iterator[Order]:
    """All runs in their order: budget by budget, table by table, system by system."""
    pythons: dict[str, Path | None] = {
        "autogluon": arguments.autogluon_python,
        "flaml": arguments.flaml_python,
        "fathometer": arguments.fathometer_python,
    }
    present = sorted(path.parent.name for path in arguments.splits.glob("*/table.json"))
    names: list[str] = arguments.tables or present
    for budget in arguments.budgets:
        for name in names:
            for system, python in pythons.items():
                if python is not None:
                    yield Order(system, python, arguments.splits / name, budget, arguments.out)


def _parse() -> argparse.Namespace:
    """The command line; a system whose interpreter is not given is left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--splits", type=Path, required=True, help="folder that benchmarks/tables.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results, one JSON a run")
    parser.add_argument("--budgets", type=float, nargs="+", required=True, help="seconds")
    parser.add_argument("--tables", nargs="*", default=[], help="names; by default all in the splits")
    parser.add_argument("--repeat-disturbed", action="store_true", help="measure disturbed runs again")
    parser.add_argument("--autogluon-python", type=Path)
    parser.add_argument("--flaml-python", type=Path)
    parser.add_argument(
        "--fathometer-python", type=Path, help="an interpreter that has this product installed"
    )
    return parser.parse_args()


def main() -> int:
    """Run what is missing; a peer's failure is recorded and is not a failure of this script."""
    arguments = _parse()
    for order in _orders(arguments):
        if order.result_path.exists():
            known = json.loads(order.result_path.read_text(encoding="utf-8"))
            if not (arguments.repeat_disturbed and known["disturbed"]):
                continue
            _set_aside(order)
        result = run_one(order)
        wall = f"{result['wall_seconds']:.1f} s"
        print(order.stem, result["scores"], wall, result["error"] or "", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
