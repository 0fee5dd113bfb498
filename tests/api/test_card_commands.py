"""Every command and every line of Python that a model card shows works as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from shop_rows import shop
from typer.testing import CliRunner

from fathometer import api
from fathometer.bundle import open_bundle
from fathometer.cli.app import app


@pytest.fixture
def blocks(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Language -> the code of the card; in a folder where there is a model called MODEL, and a table."""
    (tmp_path / "MODEL").symlink_to(finished_run / "model")
    shop(12, seed=4).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    card = (finished_run / "model" / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^```(\w*)\n(.*?)^```", card, re.DOTALL | re.MULTILINE))


def test_the_commands_of_a_card_work(blocks: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    served: list[Any] = []
    monkeypatch.setattr(api, "serve", lambda model, **_: served.append(open_bundle(model)))
    lines = [shlex.split(line, comments=True) for line in blocks[""].splitlines()]
    assert [line[:2] for line in lines] == [["fathom", verb] for verb in ("predict", "serve", "export")]
    further = shlex.split(blocks[""].splitlines()[0].partition("# or")[2])
    for line in [*lines, [*lines[0], *further]]:
        done = CliRunner().invoke(app, line[1:])
        assert done.exit_code == 0, (line, done.output)
    assert served
    assert len(pd.read_csv("answers.csv")) == 12
    assert Path("model.onnx").is_file()


def test_the_python_of_a_card_works(blocks: dict[str, str]) -> None:
    known: dict[str, Any] = {"frame": shop(5)}
    exec(blocks["python"], known)  # noqa: S102 - it was just written by our own code
    assert len(known["answers"]) == 5
