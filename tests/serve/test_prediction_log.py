"""What was answered is kept: whole, bounded, private, and never waited for."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_process import NAMES, ROW, Asked

from fathometer.bundle import Bundle, open_bundle
from fathometer.errors import UserError
from fathometer.serve import log as log_module
from fathometer.serve.desk import Desk
from fathometer.serve.log import PredictionLog, default_place, open_log
from fathometer.serve.settings import LogSettings, Settings
from fathometer.serve.trimming import used_bytes


@contextmanager
def logging(bundle: Bundle, file: Path, **settings: Any) -> Iterator[Asked]:
    desk = Desk(bundle, Settings(log=LogSettings(file, **settings)))
    try:
        yield Asked(desk)
    finally:
        desk.close()


def rows_of(file: Path, what: str = "*", table: str = "prediction") -> list[dict[str, Any]]:
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute(f"SELECT {what} FROM {table} ORDER BY id")]
    connection.close()
    return found


def test_every_answer_is_kept_with_its_cells(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "new" / "log.sqlite"
    with logging(bundle, file) as served:
        said = served.ask(
            "POST", "/predict", {"rows": [ROW | {"other": 1}, ROW | {"age": None}], "keys": ["a", "b"]}
        )
    first, second = rows_of(file)
    answers = said.json["rows"]
    assert (first["row_key"], second["row_key"]) == ("a", "b")
    assert json.loads(first["features"]) == ROW and json.loads(second["features"])["age"] is None
    assert json.loads(first["score"]) == list(answers[0]["probabilities"].values())
    assert first["label"] == answers[0]["prediction"]
    assert (first["deployment"], first["model_version"]) == (bundle.name, bundle.version)
    assert (first["role"], first["protocol"], first["family"], second["row_no"]) == (
        "champion",
        "native",
        "classical",
        1,
    )
    assert first["request_id"] == said.json["request"] and first["latency_ms"] > 0


def test_numbers_are_kept_as_numbers(prices: Path, tmp_path: Path) -> None:
    with logging(open_bundle(prices), tmp_path / "log") as served:
        said = served.ask("POST", "/predict", {"rows": [ROW]}).json["rows"][0]["prediction"]
    (row,) = rows_of(tmp_path / "log")
    assert (json.loads(row["score"]), row["label"]) == (said, None)


def test_nobody_else_may_read_it(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "mine" / "log.sqlite"
    with logging(bundle, file) as served:
        served.ask("POST", "/predict", {"rows": [ROW]})
        assert served.desk.log is not None and served.desk.log.flush()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
        assert set(modes.values()) == {0o600} and len(modes) == 3
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_cells_are_kept_as_hashes_or_not_at_all_where_asked(bundle: Bundle, tmp_path: Path) -> None:
    for features, file in {"hash": tmp_path / "h", "none": tmp_path / "n"}.items():
        with logging(bundle, file, features=features) as served:
            served.ask("POST", "/predict", {"rows": [ROW, ROW | {"age": None}]})
    with logging(bundle, tmp_path / "h", features="hash") as served:
        served.ask("POST", "/predict", {"rows": [ROW]})
    with logging(bundle, tmp_path / "other", features="hash") as served:
        served.ask("POST", "/predict", {"rows": [ROW]})
    kept = [json.loads(row["features"]) for row in rows_of(tmp_path / "h")]
    assert kept[0] == kept[2] and kept[1]["age"] is None and set(kept[0]) == set(NAMES)
    assert "gold" not in str(kept) and kept[0] != json.loads(rows_of(tmp_path / "other")[0]["features"])
    assert [row["features"] for row in rows_of(tmp_path / "n")] == [None, None]


def test_the_oldest_go_first(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "log"
    with logging(bundle, file, rows=5) as served:
        for place in range(8):
            served.ask("POST", "/predict", {"rows": [ROW], "keys": [str(place)]})
        served.ask(
            "POST", "/feedback", {"feedback": [{"id": str(place), "value": "no"} for place in range(8)]}
        )
        served.ask("POST", "/predict", {"rows": [ROW], "keys": ["8"]})
    assert [row["row_key"] for row in rows_of(file)] == ["4", "5", "6", "7", "8"]
    assert [row["row_key"] for row in rows_of(file, table="feedback")] == ["3", "4", "5", "6", "7"]


def test_it_stays_within_its_size(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "log"
    with logging(bundle, file, size_bytes=300_000) as served:
        for _ in range(30):
            served.ask("POST", "/predict", {"rows": [ROW | {"<i>plan": "x" * 200}] * 100})
            assert served.desk.log is not None and served.desk.log.flush()
    assert 0 < len(rows_of(file)) < 3000
    assert file.stat().st_size < 600_000


def test_a_server_that_starts_again_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    for key in ("a", "b"):
        with logging(bundle, tmp_path / "log") as served:
            served.ask("POST", "/predict", {"rows": [ROW], "keys": [key]})
    assert [row["row_key"] for row in rows_of(tmp_path / "log")] == ["a", "b"]


def test_two_servers_write_one_file(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "log"
    with logging(bundle, file) as one, logging(bundle, file) as two:
        for place in range(20):
            (one, two)[place % 2].ask("POST", "/predict", {"rows": [ROW], "keys": [str(place)]})
    assert {row["row_key"] for row in rows_of(file)} == set(map(str, range(20)))


def test_a_log_that_cannot_be_written_costs_no_answer(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LOCK_SECONDS", 0.01)
    file = tmp_path / "log"
    with logging(bundle, file) as served:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert served.ask("POST", "/predict", {"rows": [ROW]}).status == 200
        assert served.desk.log is not None and served.desk.log.flush(30)
        assert served.ask("POST", "/feedback", {"feedback": [{"id": "a", "value": "no"}]}).status == 503
        holder.execute("ROLLBACK")
        holder.close()
        served.ask("POST", "/predict", {"rows": [ROW], "keys": ["later"]})
        page = served.ask("GET", "/metrics").body.decode()
    assert "fathometer_log_write_errors_total 2.0" in page
    assert "fathometer_log_dropped_rows_total 1.0" in page
    assert [row["row_key"] for row in rows_of(file)] == ["later"]


def test_a_full_disk_costs_no_answer(bundle: Bundle, tmp_path: Path) -> None:
    with logging(bundle, tmp_path / "log") as served:
        log = served.desk.log
        assert log is not None
        pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
        log._connection.execute(f"PRAGMA max_page_count={pages}")
        big = [ROW | {"<i>plan": "x" * 1000}] * 100
        assert served.ask("POST", "/predict", {"rows": big}).status == 200
        assert log.flush()
        assert "fathometer_log_dropped_rows_total 100.0" in served.ask("GET", "/metrics").body.decode()
        log._connection.execute("PRAGMA max_page_count=100000")
        served.ask("POST", "/predict", {"rows": [ROW]})
    assert len(rows_of(tmp_path / "log")) == 1


def test_a_log_that_is_too_slow_drops_and_counts(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "QUEUED_ROWS", 10)
    with logging(bundle, tmp_path / "log") as served:
        assert served.ask("POST", "/predict", {"rows": [ROW] * 11}).status == 200
        assert "fathometer_log_dropped_rows_total 11.0" in served.ask("GET", "/metrics").body.decode()


def test_what_waits_to_be_written_is_bounded_by_its_bytes_too(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "QUEUED_BYTES", 10_000)
    long = ROW | {"<i>plan": "x" * 10_000}
    with logging(bundle, tmp_path / "log") as served:
        assert served.ask("POST", "/predict", {"rows": [long]}).status == 200
        assert served.ask("POST", "/predict", {"rows": [ROW]}).status == 200
        assert served.desk.log is not None and served.desk.log.flush()
        assert served.desk.log._queued_bytes == 0
        assert "fathometer_log_dropped_rows_total 1.0" in served.ask("GET", "/metrics").body.decode()
    assert len(rows_of(tmp_path / "log")) == 1


def test_a_text_in_many_rows_of_parquet_counts_in_each(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "QUEUED_BYTES", 500_000)
    stream = io.BytesIO()
    pd.DataFrame([ROW | {"<i>plan": "x" * 10_000}] * 100).to_parquet(stream)
    with logging(bundle, tmp_path / "log") as served:
        sort = {"content-type": "application/vnd.apache.parquet"}
        assert len(stream.getvalue()) < 50_000
        assert served.ask("POST", "/invocations", stream.getvalue(), sort).status == 200
        assert "fathometer_log_dropped_rows_total 100.0" in served.ask("GET", "/metrics").body.decode()


def test_what_waits_is_written_in_parts(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "WRITTEN_BYTES", 1)
    with logging(bundle, tmp_path / "log") as served:
        for place in range(5):
            served.ask("POST", "/predict", {"rows": [ROW], "keys": [str(place)]})
        assert served.desk.log is not None and served.desk.log.flush()
        assert len(rows_of(tmp_path / "log")) == 5


def test_of_a_long_text_the_digest_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    with logging(bundle, tmp_path / "log") as served:
        rows = [ROW | {"<i>plan": "ü" * size} for size in (1024, 1025, 1025)]
        assert served.ask("POST", "/predict", {"rows": rows}).status == 200
    kept = [json.loads(row["features"])["<i>plan"] for row in rows_of(tmp_path / "log")]
    assert kept[0] == "ü" * 1024
    assert kept[1] == kept[2] and set(kept[1]) == {"blake2b", "bytes"} and kept[1]["bytes"] == 2050


def test_true_answers_push_out_no_more_predictions_than_they_leave_room_for(
    bundle: Bundle, tmp_path: Path
) -> None:
    file, limit = tmp_path / "log", 400_000
    with logging(bundle, file, size_bytes=limit) as served:
        served.ask("POST", "/predict", {"rows": [ROW] * 200})
        assert served.desk.log is not None and served.desk.log.flush()
        for part in range(6):
            truths = [
                {"id": f"{part}-{place}", "value": "no", "note": "x" * 900, "source": "t" * 900}
                for place in range(100)
            ]
            assert served.ask("POST", "/feedback", {"feedback": truths}).json["new"] == 100
            connection = open_log(file)
            assert used_bytes(connection) <= limit
            assert connection.execute("PRAGMA freelist_count").fetchone()[0] < 10  # the file shrinks
            connection.close()
    assert len(rows_of(file)) == 200
    kept = [row["row_key"] for row in rows_of(file, table="feedback")]
    assert 0 < len(kept) < 300 and kept[-1] == "5-99"


def test_predictions_leave_true_answers_as_much_room(bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "log"
    with logging(bundle, file, size_bytes=400_000) as served:
        served.ask(
            "POST", "/feedback", {"feedback": [{"id": str(place), "value": "no"} for place in range(100)]}
        )
        for _ in range(10):
            served.ask("POST", "/predict", {"rows": [ROW | {"<i>plan": "x" * 500}] * 200})
            assert served.desk.log is not None and served.desk.log.flush()
    assert 0 < len(rows_of(file)) < 2000 and len(rows_of(file, table="feedback")) == 100


def test_a_log_with_room_for_nothing_is_emptied(bundle: Bundle, tmp_path: Path) -> None:
    with logging(bundle, tmp_path / "log", size_bytes=1) as served:
        served.ask("POST", "/predict", {"rows": [ROW] * 50})
        assert served.ask("POST", "/feedback", {"feedback": [{"id": "a", "value": "no"}]}).json["new"] == 1
    assert rows_of(tmp_path / "log") == []


def test_cells_that_no_json_holds_are_kept_as_near_as_can_be(bundle: Bundle, tmp_path: Path) -> None:
    with logging(bundle, tmp_path / "log") as served:
        raw = b'{"rows": [{"age": 123456789012345678901234567890, "<i>plan": "\\u0000", "since": 1e308}]}'
        assert served.ask("POST", "/predict", raw).status == 200
    (row,) = rows_of(tmp_path / "log")
    assert json.loads(row["features"]) == {
        "age": 123456789012345678901234567890.0,
        "<i>plan": "\0",
        "since": 1e308,
    }


def test_files_that_are_something_else_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    text = tmp_path / "text"
    text.write_text("no database at all " * 100)
    before = other.read_bytes(), text.read_bytes()
    for file in (other, text, tmp_path):
        with pytest.raises(UserError, match="--log"):
            open_log(file)
    assert (other.read_bytes(), text.read_bytes()) == before


def test_each_model_has_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(tmp_path))
    assert default_place("churn") == tmp_path / "fathometer" / "served" / "churn" / "log.sqlite"


def test_without_a_log_nothing_is_kept(bundle: Bundle) -> None:
    desk = Desk(bundle, replace(Settings(), log=LogSettings(None)))
    assert desk.log is None
    assert Asked(desk).ask("POST", "/feedback", {"feedback": []}).status == 409


def test_what_finds_the_file_locked_is_written_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.0)
    file = tmp_path / "log.sqlite"
    log = PredictionLog(LogSettings(file), ("x",), lambda: None, lambda rows: None)
    tries: list[int] = []

    def locked_twice(entries: Sequence[object]) -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error

    monkeypatch.setattr(log, "_write", locked_twice)
    log._write_patiently([])
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(log_module, "TRIES", 2)
    with pytest.raises(sqlite3.OperationalError):
        log._write_patiently([])
    log.close()
