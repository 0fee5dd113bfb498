"""`fathom predict`: answers on the standard output, words beside it, one sentence for what goes wrong."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fathometer.api import Answering
from fathometer.bundle import Member, pack
from fathometer.cli import predicting
from fathometer.cli.app import app
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.errors import UserError
from fathometer.learner import LEARNERS, Run
from fathometer.tasks.classification import Classification


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    frame = pd.DataFrame({"size": np.arange(40.0), "colour": ["red", "blue"] * 20})
    schema, _ = learn_schema(frame)
    read = schema.read(frame)
    task = Classification("y", "accuracy", 0.5, ("no", "yes"))
    rows = Rows(read.frame, read.kinds, (np.arange(40) > 20).astype(np.int64))
    LEARNERS.get("tree")().fit(rows, rows, task, Run()).save(folder / "trial")
    pack(
        folder / "model",
        schema=schema,
        task=task,
        members=[Member("tree", "tree", "tree", folder / "trial")],
        mixes={"classical": [{"tree": 1.0}]},
        default="classical",
        about={},
    )
    return folder / "model"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "new.csv").write_text("key,size,colour\na,3,red\nb,\x1b[31mmuch,red\nc,33,red\nd,34,blue\n")
    return tmp_path / "new.csv"


def test_answers_are_printed_and_words_go_beside_them(model: Path, table: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(model), str(table), "--id", "key"])
    assert done.exit_code == 0, done.output
    answers = pd.read_csv(io.StringIO(done.stdout))
    assert list(answers.columns) == ["key", "prediction", "probability_no", "probability_yes"]
    assert answers["key"].tolist() == list("abcd")
    assert "1 cell of 'size' could not be read: counted as missing." in done.stderr
    assert "4 of 4 rows answered by the classical model." in done.stderr


def test_what_was_left_out_is_counted_and_listed(model: Path, table: Path) -> None:
    out = table.with_name("answers.csv")
    done = CliRunner().invoke(app, ["predict", str(model), str(table), "-o", str(out), "--on-bad", "skip"])
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert f"3 of 4 rows answered by the classical model, 1 left out: {out}" in done.stderr
    assert "1 cell in 1 row does not read as learned: " in done.stderr
    assert pd.read_csv(out)["row"].tolist() == [1, 3, 4]


def test_stop_answers_nothing(model: Path, table: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(model), str(table), "--on-bad", "stop"])
    assert isinstance(done.exception, UserError)
    assert "row 2, column 'size'" in str(done.exception)
    assert done.stdout == ""


def test_progress_is_for_a_terminal_and_at_most_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    clock = iter([0.0, 0.5, 1.5, 1.9, 3.0])
    monkeypatch.setattr(predicting.time, "monotonic", lambda: next(clock))
    for stream, wanted in ((Terminal(), 2), (io.StringIO(), 0)):
        monkeypatch.setattr("sys.stderr", stream)
        clock = iter([0.0, 0.5, 1.5, 1.9, 3.0])
        with predicting._Counter(quiet=False) as counter:
            for done in (10, 20, 30, 40):
                counter.watch(Answering(done, 40, 2.0))
        assert stream.getvalue().count("rows answered") == wanted


def test_an_interrupted_command_says_that_nothing_was_written(
    model: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: object, progress: Answering) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(predicting._Counter, "watch", interrupt)
    done = CliRunner().invoke(app, ["predict", str(model), str(table), "-o", str(table.with_name("a.csv"))])
    assert done.exit_code == 130
    assert "fathom: interrupted. Nothing was written." in done.stderr
    assert [path.name for path in table.parent.iterdir()] == [table.name]
