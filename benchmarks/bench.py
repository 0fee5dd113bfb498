"""The benchmarks: `make bench`.

Splits every table of benchmarks/tables.py, measures this product on each with 60 seconds, and writes
benchmarks/results/peers.md. Rivals are measured in the same run when their interpreters are named, each from an
environment of its own (they cannot live in one):

    make bench AUTOGLUON=/path/to/python FLAML=/path/to/python

About a quarter of an hour alone, three quarters with both rivals; nothing else may run on the machine meanwhile.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Splits, measurements, page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--work", type=Path, default=None, help="folder of splits and results, kept for the next time"
    )
    parser.add_argument("--budgets", nargs="+", default=["60"])
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="bench-"))
    environment = os.environ | {"FATHOMETER_BENCH_WORK": str(work / "splits")}
    steps = [
        [sys.executable, "-m", "benchmarks.fixed_costs"],
        [sys.executable, "-m", "benchmarks.tables"],
        [
            *(sys.executable, str(HERE / "peers" / "run_all.py"), "--splits", str(work / "splits")),
            *(
                "--out",
                str(work / "results"),
                "--budgets",
                *arguments.budgets,
                "--fathometer-python",
                sys.executable,
            ),
            *_rivals(),
        ],
        [
            sys.executable,
            "-m",
            "benchmarks.compare_peers",
            str(work / "results"),
            str(HERE / "results" / "peers.md"),
        ],
    ]
    for step in steps:
        code = subprocess.run(step, env=environment, cwd=HERE.parent, check=False).returncode
        if code:
            return code
    return 0


def _rivals() -> list[str]:
    named = {"--autogluon-python": os.environ.get("AUTOGLUON"), "--flaml-python": os.environ.get("FLAML")}
    return [part for option, path in named.items() if path for part in (option, path)]


if __name__ == "__main__":
    raise SystemExit(main())
