"""Answering tables: in order, whole or not at all, every row that does not fit told, however the table is cut."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from fathometer import api
from fathometer.api import predicting
from fathometer.api.answering import Answered
from fathometer.api.predicting import Answering
from fathometer.bundle import Member, pack
from fathometer.data import streams
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.data.sources import read_table
from fathometer.data.streaming import part
from fathometer.errors import UnknownColumn, UnknownName, UserError
from fathometer.learner import LEARNERS, Run
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

LABELS = ("-1", "=no()")
PROBABILITIES = ["probability_-1", "probability_=no()"]


def shop(rows: int, seed: int = 0) -> pd.DataFrame:
    """Cells of a number, a category and a moment, and a code that tells rows apart."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "code": [f"K{number:05d}" for number in range(rows)],
            "amount": [f"{value:.2f}" for value in rng.normal(40, 9, rows)],
            "plan": rng.choice(["basic", "plus", "pro, or more"], rows),
            "day": [f"2024-0{1 + number % 9}-11" for number in range(rows)],
        }
    )


def model_of(
    frame: pd.DataFrame, folder: Path, *, drop: tuple[str, ...] = (), numbers: bool = False, **about: Any
) -> Path:
    schema, _ = learn_schema(frame, drop=drop)
    read = schema.read(frame)
    half = np.arange(len(frame)) % 2
    task = Regression("y", "rmse", 1.0) if numbers else Classification("y", "accuracy", 0.5, LABELS)
    rows = Rows(read.frame, read.kinds, half * 2.5 if numbers else half.astype(np.int64))
    members = []
    for name in ("linear", "tree"):
        place = folder / "trials" / name
        place.mkdir(parents=True)
        LEARNERS.get(name)().fit(rows, rows, task, Run()).save(place)
        members.append(Member(name, name, name, place))
    pack(
        folder / "model",
        schema=schema,
        task=task,
        members=members,
        mixes={"classical": [{"linear": 0.5, "tree": 0.5}]},
        default="classical",
        about=about,
    )
    return folder / "model"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(shop(120), tmp_path_factory.mktemp("shop"), drop=("code",), ids=["code"])


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(shop(120), tmp_path_factory.mktemp("prices"), drop=("code",), numbers=True)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["good", "bad"] * 30
    frame = pd.DataFrame(
        {"review": [f"this film is really very {word}, {n} times" for n, word in enumerate(words)]}
    )
    return model_of(frame, tmp_path_factory.mktemp("films"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    shop(50, seed=5).to_csv(tmp_path / "shop.csv", index=False)
    return tmp_path / "shop.csv"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    frame = shop(50, seed=5)
    frame.loc[[3, 17], "amount"] = ["=much", "x" * 500]
    frame.loc[17, "day"] = "someday"
    frame.to_csv(tmp_path / "broken.csv", index=False)
    return tmp_path / "broken.csv"


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json", "csv.gz"])
@pytest.mark.parametrize("size", [1, 7, 20_000])
def test_however_a_table_is_stored_and_cut_the_answers_are_the_same_bits(
    model: Path, tmp_path: Path, ending: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = shop(60, seed=3)
    wanted = api.predict(model, frame, ids=["code"])
    path = tmp_path / f"table.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending.startswith("json"):
        frame.to_json(path, orient="records", lines=ending == "jsonl")
    else:
        frame.to_csv(path, index=False)
    taken = streams.stream_table
    monkeypatch.setattr(
        predicting, "stream_table", lambda data, read, rows, **more: taken(data, read, size, **more)
    )
    found = api.predict(model, path)
    assert found["code"].tolist() == frame["code"].tolist()
    for name in wanted.columns:
        assert found[name].tolist() == wanted[name].tolist()
    done = api.predict(model, path, out=tmp_path / "answers.parquet")
    assert pd.read_parquet(done.out).equals(pd.DataFrame(found).reset_index(drop=True))


def test_rows_are_asked_in_whole_portions_whatever_the_parts(
    model: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "ROWS", 8)
    seen: list[Answering] = []
    small = api.predict(model, table, watcher=seen.append)
    assert [progress.done for progress in seen] == [8, 16, 24, 32, 40, 48, 50]
    monkeypatch.setattr(predicting, "ROWS", 20_000)
    whole = api.predict(model, table)
    assert small["code"].tolist() == whole["code"].tolist() == [f"K{n:05d}" for n in range(50)]
    np.testing.assert_allclose(small[PROBABILITIES], whole[PROBABILITIES], atol=1e-12)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("rows", [3, 20_000])
def test_portions_that_long_texts_end_early_give_the_same_bits_in_every_format(
    films: Path, tmp_path: Path, ending: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "PORTION_BYTES", 4_000)
    words = ["a good film, ", "bad, too bad: "]
    frame = pd.DataFrame({"n": range(40), "review": [words[n % 2] * (1 + n % 7 * 20) for n in range(40)]})
    seen: list[int] = []
    wanted = api.predict(films, frame, watcher=lambda progress: seen.append(progress.done))
    assert 5 < len(seen) < 40
    frame.insert(0, "more", "x" * 5_000)  # columns that nobody asks for do not matter
    path = tmp_path / f"films.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    taken = streams.stream_table
    monkeypatch.setattr(
        predicting, "stream_table", lambda data, read, _, **more: taken(data, read, rows, **more)
    )
    again: list[int] = []
    found = api.predict(films, path, watcher=lambda progress: again.append(progress.done))
    assert again == seen
    for name in wanted.columns:
        assert found[name].tolist() == wanted[name].tolist()


def test_many_columns_make_portions_smaller(
    model: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "PORTION_BYTES", 64 * 3 * 9)  # nine rows of the model's three columns
    seen: list[int] = []
    api.predict(model, table, watcher=lambda progress: seen.append(progress.done))
    assert seen == [9, 18, 27, 36, 45, 50]


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "jsonl"])
def test_what_is_written_is_what_is_given_back(model: Path, table: Path, tmp_path: Path, ending: str) -> None:
    wanted = api.predict(model, table)
    done = api.predict(model, table, out=tmp_path / f"answers.{ending}", raw=True)
    assert (done.rows, done.answered, done.skipped, done.bad_out) == (50, 50, 0, None)
    found = read_table(tmp_path / f"answers.{ending}").frame
    assert list(found.columns) == list(wanted.columns) == ["code", "prediction", *PROBABILITIES]
    assert found["code"].tolist() == wanted["code"].tolist()
    assert found["prediction"].astype(str).tolist() == wanted["prediction"].tolist()
    for name in PROBABILITIES:
        assert found[name].astype(float).tolist() == wanted[name].tolist()


def test_no_answer_can_be_run_as_a_formula_and_numbers_stay(model: Path, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table, dtype=str)
    frame["code"] = ["=cmd()", "-1", "+x", "@y", "\tz", *frame["code"][5:]]
    frame.to_csv(table, index=False)
    api.predict(model, table, out=tmp_path / "safe.csv")
    safe = pd.read_csv(tmp_path / "safe.csv", dtype=str)
    assert safe["code"][:5].tolist() == ["'=cmd()", "-1", "'+x", "'@y", "'\tz"]
    assert set(safe["prediction"]) <= {"-1", "'=no()"}
    api.predict(model, table, out=tmp_path / "raw.csv", raw=True)
    assert set(pd.read_csv(tmp_path / "raw.csv", dtype=str)["prediction"]) <= set(LABELS)


def test_cells_that_do_not_read_count_as_missing_and_are_listed(
    model: Path, broken: Path, tmp_path: Path
) -> None:
    done = api.predict(model, broken, out=tmp_path / "answers.csv")
    assert (done.rows, done.answered, done.bad_rows, done.bad_cells) == (50, 50, 2, 3)
    assert done.bad_out == tmp_path / "answers.bad.csv"
    bad = pd.read_csv(done.bad_out)
    assert bad[["row", "column"]].to_numpy().tolist() == [[4, "amount"], [18, "amount"], [18, "day"]]
    assert bad["value"].tolist() == ["'=much", "x" * 200, "someday"]
    assert bad["reason"].str.len().min() > 5
    assert "2 cells of 'amount' could not be read: counted as missing." in done.notes
    mended = pd.read_csv(broken, dtype=str)
    mended.loc[[3, 17], "amount"] = None
    mended.loc[17, "day"] = None
    wanted = api.predict(model, mended)["prediction"].tolist()
    assert api.predict(model, broken)["prediction"].tolist() == wanted


def test_stop_leaves_nothing_and_names_the_first_cells_as_a_person_counts_rows(
    model: Path, broken: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"row 4, column 'amount': '=much'.*row 18, column 'amount'"):
        api.predict(model, broken, out=tmp_path / "answers.csv", on_bad="stop")
    assert [path.name for path in tmp_path.iterdir()] == [broken.name]


def test_skip_leaves_rows_out_and_numbers_those_that_are_left(
    model: Path, broken: Path, tmp_path: Path
) -> None:
    done = api.predict(model, broken, out=tmp_path / "answers.csv", on_bad="skip")
    assert (done.rows, done.answered, done.skipped, done.empty) == (50, 48, 2, 0)
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert answers["row"].tolist() == [n for n in range(1, 51) if n not in (4, 18)]
    assert answers["code"].tolist() == [f"K{n - 1:05d}" for n in answers["row"]]
    whole = api.predict(model, broken).set_index("code")
    for name in PROBABILITIES:
        np.testing.assert_allclose(
            answers.set_axis(["row", "code", "prediction", *PROBABILITIES], axis=1)[name],
            whole.loc[answers["code"], name],
            atol=1e-12,
        )


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_null_keeps_rows_without_an_answer(numbers: Path, broken: Path, tmp_path: Path, ending: str) -> None:
    done = api.predict(numbers, broken, out=tmp_path / f"answers.{ending}", on_bad="null")
    assert (done.rows, done.answered, done.skipped, done.empty) == (50, 48, 0, 2)
    answers = read_table(tmp_path / f"answers.{ending}").frame
    assert answers["row"].astype(int).tolist() == list(range(1, 51))
    assert answers.index[answers["prediction"].isna()].tolist() == [3, 17]


def test_a_column_written_otherwise_is_refused_at_once(model: Path, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table, dtype=str)
    frame["amount"] = "about " + frame["amount"]
    frame.to_csv(table, index=False)
    with pytest.raises(UserError, match="Write the column as in the training data"):
        api.predict(model, table, out=tmp_path / "answers.csv")
    assert not (tmp_path / "answers.csv").exists()
    assert api.predict(model, table, out=tmp_path / "answers.csv", on_bad="null").answered == 0


def test_an_old_list_of_bad_cells_does_not_stay_beside_new_answers(
    model: Path, broken: Path, table: Path, tmp_path: Path
) -> None:
    assert api.predict(model, broken, out=tmp_path / "answers.csv").bad_cells == 3
    done = api.predict(model, table, out=tmp_path / "answers.csv")
    assert done.bad_cells == 0
    assert len(pd.read_csv(tmp_path / "answers.bad.csv")) == 0
    assert api.predict(model, table, bad_out=tmp_path / "asked.csv")["code"].size == 50
    assert (tmp_path / "asked.csv").read_text() == "row,column,value,reason\n"


def test_ids_are_those_found_or_named_and_else_the_row(model: Path, numbers: Path, table: Path) -> None:
    def columns(model: Path, ids: list[str] | None, on_bad: str = "missing") -> list[str]:
        found = api.predict(model, table, ids=ids, on_bad=on_bad)
        return [str(name) for name in found.columns if not str(name).startswith("prob")]

    assert columns(model, None) == ["code", "prediction"]
    assert columns(numbers, None) == ["row", "prediction"]
    assert columns(model, ["day", "code"]) == ["day", "code", "prediction"]
    assert columns(model, ["none"]) == ["prediction"]
    assert columns(model, ["none"], "skip") == ["row", "prediction"]
    assert list(api.predict(numbers, pd.read_csv(table)).columns) == ["prediction"]
    with pytest.raises(UnknownColumn, match="Did you mean 'code'"):
        columns(model, ["cod"])


def test_ids_that_are_called_like_answers_are_renamed_and_told(model: Path, table: Path) -> None:
    frame = pd.read_csv(table, dtype=str).assign(prediction="mine", row="r", source_row="s")
    frame.to_csv(table, index=False)
    answers = api.predict(model, table, ids=["prediction", "row", "source_row"])
    assert list(answers.columns)[:4] == ["source_prediction", "source_row", "source_source_row", "prediction"]
    assert set(answers["source_prediction"]) == {"mine"}
    assert any("Renamed" in note and "'source_prediction'" in note for note in answers.attrs["notes"])


def test_columns_may_come_in_any_order_with_others_and_other_types(model: Path, table: Path) -> None:
    frame = pd.read_csv(table, dtype=str)
    wanted = api.predict(model, frame)[PROBABILITIES]
    typed = frame.assign(
        amount=frame["amount"].astype(float),
        plan=frame["plan"].astype("category"),
        day=pd.to_datetime(frame["day"]),
        other=1,
    )
    typed[list(reversed(typed.columns))].to_parquet(table.with_suffix(".parquet"))
    found = api.predict(model, table.with_suffix(".parquet"))
    assert found[PROBABILITIES].equals(wanted)


def test_a_missing_column_is_refused_by_name_or_filled(model: Path, table: Path) -> None:
    frame = pd.read_csv(table, dtype=str).drop(columns="plan")
    frame.to_csv(table, index=False)
    with pytest.raises(UnknownColumn, match="plan"):
        api.predict(model, table)
    answers = api.predict(model, table, fill_missing=True)
    assert len(answers) == 50
    assert "Missing in every row, for there is no such column: 'plan'." in answers.attrs["notes"]


def test_a_table_without_names_is_told_that_they_are_what_is_missing(model: Path, table: Path) -> None:
    table.write_text(table.read_text().partition("\n")[2])
    with pytest.raises(UserError, match=r"have no names, and the model looks for 'amount', 'plan', 'day'"):
        api.predict(model, table)


def test_values_never_seen_are_answered_and_counted(model: Path, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table, dtype=str)
    frame.loc[[2, 9], "plan"] = "platinum"
    frame.to_csv(table, index=False)
    done = api.predict(model, table, out=tmp_path / "answers.csv")
    assert (done.answered, dict(done.unseen)) == (50, {"plan": 2})
    assert "2 cells of 'plan' hold what training never saw." in done.notes


def test_a_table_without_rows_gets_a_file_without_rows(model: Path, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "jsonl"):
        shop(3).iloc[:0].to_csv(tmp_path / "none.csv", index=False)
        done = api.predict(model, tmp_path / "none.csv", out=tmp_path / f"answers.{ending}")
        assert (done.rows, done.answered) == (0, 0)
        assert (tmp_path / f"answers.{ending}").exists()
    assert (tmp_path / "answers.csv").read_text().startswith("code,prediction,")


def test_every_text_of_a_folder_is_answered_whatever_part_it_lies_in(films: Path, tmp_path: Path) -> None:
    for place in ("films/train/pos", "films/train/neg", "films/test/pos", "films/unsup"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(3):
            (tmp_path / place / f"{number}.txt").write_text("a really very good film")
    answers = api.predict(films, tmp_path / "films")
    assert len(answers) == 12
    assert list(answers.columns[:2]) == ["file", "prediction"]
    assert answers["file"].tolist()[:2] == ["test/pos/0.txt", "test/pos/1.txt"]


def test_a_text_file_is_one_text_and_a_table_of_texts_a_table(films: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("Dear all,\nthis film is bad, very bad.\n")
    answers = api.predict(films, note)
    assert answers["file"].tolist() == ["note.txt"]
    assert (
        answers["prediction"][0]
        == api.predict(films, pd.DataFrame({"review": [note.read_text()]}))["prediction"][0]
    )
    note.write_text("id\treview\n1\tgood film\n2\tbad film\n")
    assert len(api.predict(films, note)) == 2


def test_answers_written_among_the_files_are_no_file_of_them(films: Path, tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("a really very good film")
    for _ in range(2):
        done = api.predict(films, tmp_path, out=tmp_path / "answers.csv")
        assert done.rows == 4


def test_a_single_picture_is_answered(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(24):
        pixels = rng.integers(0, 90, (8, 8)) + 160 * (number % 2)
        PIL.Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number:02d}.png")
    frame = read_table(tmp_path).frame.set_axis(["photo"], axis=1)
    made = model_of(frame, tmp_path / "made")
    answers = api.predict(made, tmp_path / "01.png")
    assert answers["file"].tolist() == ["01.png"]
    assert len(api.predict(made, tmp_path / "01.png", on_bad="skip")) == 1


def test_the_file_that_is_answered_is_not_replaced(model: Path, table: Path) -> None:
    with pytest.raises(UserError, match="Name another"):
        api.predict(model, table, out=table)
    with pytest.raises(UserError, match="Name another"):
        api.predict(model, table, bad_out=table)


def test_unknown_rules_endings_and_families_are_named_before_anything_is_read(
    model: Path, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(UnknownName, match="skip"):
        api.predict(model, table, on_bad="skp")
    with pytest.raises(UnknownName, match="parquet"):
        api.predict(model, table, out=tmp_path / "answers.xls")
    with pytest.raises(UserError, match="classical"):
        api.predict(model, table, family="deeep", out=tmp_path / "answers.csv")
    assert not (tmp_path / "answers.csv").exists()


def test_answers_may_be_printed_part_by_part(
    model: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "ROWS", 20)
    stream = io.StringIO()
    done = api.predict(model, table, out=stream)
    assert done.out is None
    printed = pd.read_csv(io.StringIO(stream.getvalue()))
    assert printed["code"].tolist() == [f"K{n:05d}" for n in range(50)]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    model: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "answers.csv").write_text("as before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"answers\.csv cannot be written: No space left on device\.$"):
        api.predict(model, table, out=tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text() == "as before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", table.name]


def test_a_watcher_that_fails_leaves_nothing(model: Path, table: Path, tmp_path: Path) -> None:
    def interrupt(progress: Answering) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.predict(model, table, out=tmp_path / "answers.csv", watcher=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [table.name]


KILLED = """
import os, signal, sys
from fathometer.api import predicting
predicting.ROWS = 10
def kill(progress):
    if progress.done >= 30:
        os.kill(os.getpid(), signal.SIGKILL)
predicting.predict(sys.argv[1], sys.argv[2], out=sys.argv[3], watcher=kill)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_kill_in_the_middle_leaves_the_old_answers(model: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    out.write_text("as before")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(model), str(table), str(out)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert out.read_text() == "as before"


def test_a_summary_tells_what_was_done(model: Path, broken: Path, tmp_path: Path) -> None:
    done = api.predict(model, broken, out=tmp_path / "answers.csv", on_bad="skip")
    assert isinstance(done, Answered)
    assert done.family == "classical"
    assert done.out == tmp_path / "answers.csv"
    assert any("rows left out" in note for note in done.notes)
