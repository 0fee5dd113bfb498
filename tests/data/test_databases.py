"""Answers of SQL queries as tables."""

import importlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fathometer.data.databases import is_database_url
from fathometer.data.sources import ReadOptions, read_table
from fathometer.errors import MissingExtra, UnreadableData


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table sales (day text, amount real)")
        connection.executemany("insert into sales values (?, ?)", [("mon", 1.5), ("tue", None)])
        connection.commit()
    return f"sqlite:///{path}"


def test_a_query_gives_a_table(database: str) -> None:
    table = read_table(database, ReadOptions(query="select day, amount from sales order by day"))
    assert table.frame["day"].tolist() == ["mon", "tue"]
    assert table.frame["amount"].isna().tolist() == [False, True]
    assert table.origin == "query"


def test_nothing_a_query_changes_is_kept(database: str) -> None:
    with pytest.raises(UnreadableData):
        read_table(database, ReadOptions(query="delete from sales"))
    assert len(read_table(database, ReadOptions(query="select * from sales")).frame) == 2


def test_a_query_is_asked_for(database: str) -> None:
    with pytest.raises(UnreadableData, match="query"):
        read_table(database)


def test_a_missing_database_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UnreadableData, match="no database file"):
        read_table(f"sqlite:///{tmp_path / 'none.db'}", ReadOptions(query="select 1"))
    assert not (tmp_path / "none.db").exists()


def test_the_databases_refusal_is_passed_on(database: str) -> None:
    with pytest.raises(UnreadableData, match="no such table: buys"):
        read_table(database, ReadOptions(query="select * from buys"))


@pytest.mark.parametrize("url", ["postgresql://me:s3cret@localhost:1/db", "nonsense://me:s3cret@host/db"])
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises((UnreadableData, MissingExtra)) as caught:
        read_table(url, ReadOptions(query="select 1"))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(caught.value.__cause__)


def test_a_missing_package_is_named_with_its_command(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingExtra, match=r'pip install "fathometer\[sql\]"'):
        read_table(database, ReadOptions(query="select 1"))


def test_addresses_of_the_web_are_no_databases() -> None:
    assert is_database_url("sqlite:///a.db")
    assert is_database_url("postgresql+psycopg://u@h/d")
    assert not is_database_url("https://example.org/a.csv")
    assert not is_database_url("C:\\a.csv")
