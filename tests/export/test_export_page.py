"""What docs/export.md says is true: its table, and its script run as it stands."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crafted_models import TASKS, packed, table

from fathometer.export import export_onnx

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "export.md"
BLOCKED = (
    "fathometer",
    "torch",
    "pandas",
    "sklearn",
    "scipy",
    "lightgbm",
    "catboost",
    "onnx",
    "pyarrow",
    "PIL",
)


def script() -> str:
    found = re.search(
        r"<!-- answer\.py -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    return found[1]


def test_the_table_is_the_registers_own() -> None:
    spec = importlib.util.spec_from_file_location("write_export", ROOT / "scripts" / "write_export.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = PAGE.read_text(encoding="utf-8")
    assert page == module.text(page), "run: python scripts/write_export.py"


def test_the_script_is_about_thirty_lines() -> None:
    assert len([line for line in script().splitlines() if line.strip()]) <= 30


@pytest.mark.parametrize("task", ["two classes", "a number"])
def test_the_script_answers_with_numpy_and_onnxruntime_alone(tmp_path: Path, task: str) -> None:
    bundle = packed(tmp_path / "b", TASKS[task], ("boosting", "mlp"), *table(300), {"town": "category"})
    export_onnx(bundle, tmp_path / "model.onnx")
    rows = table(40, seed=9)[0].astype(object)
    for row, missing in enumerate(("", "  ", " n/a", "NULL", "?")):  # in every column that is no category
        rows.loc[row, [name for name in rows if bundle.schema.column(name).kind != "category"]] = missing
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "answer.py").write_text(script(), encoding="utf-8")
    blocked = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({BLOCKED!r}))\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, "answer.py", "model.onnx", "rows.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    wanted = bundle.predict(pd.read_csv(tmp_path / "rows.csv", dtype=str))["prediction"]
    if task == "a number":
        assert np.allclose([float(one) for one in told], wanted, rtol=1e-5)
    else:
        assert told == list(wanted)
