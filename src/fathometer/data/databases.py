"""Read the answer of an SQL query as a table, through SQLAlchemy."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pandas as pd

from fathometer.errors import MissingExtra, UnreadableData

COMMAND = 'pip install "fathometer[sql]"'


def is_database_url(source: str) -> bool:
    """Whether a source is a database's address: a scheme that is not a web or file one, then ://."""
    scheme, mark, _ = source.partition("://")
    return (
        bool(mark) and scheme.split("+")[0].isalnum() and scheme not in ("http", "https", "ftp", "s3", "file")
    )


def query_database(url: str, query: str | None) -> pd.DataFrame:
    """The query's answer; nothing the query may have changed is kept.

    Raises:
        MissingExtra: SQLAlchemy or the database's driver is not installed.
        UnreadableData: there is no query, no such database, or the database refuses. The address's
            password is never part of the message.
    """
    if query is None:
        raise UnreadableData(
            "Expected a query beside the database's address. Give one, such as SELECT * FROM sales."
        )
    try:
        sqlalchemy: Any = importlib.import_module("sqlalchemy")  # heavy, and optional
    except ModuleNotFoundError as error:
        raise MissingExtra("Reading from a database", "sqlalchemy", COMMAND) from error
    try:
        address = sqlalchemy.engine.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise UnreadableData(
            "The database's address is malformed. Expected: dialect://user@host/database."
        ) from error
    _refuse_missing_file(address)
    shown = address.render_as_string(hide_password=True)
    try:
        engine = sqlalchemy.create_engine(address)
        with engine.connect() as connection:  # left without commit: whatever the query changed is undone
            frame: pd.DataFrame = pd.read_sql_query(sqlalchemy.text(query), connection)
        engine.dispose()
    except ModuleNotFoundError as error:
        driver = error.name or "the driver"
        raise MissingExtra(
            f"The database {address.get_backend_name()}", driver, f"pip install {driver}"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, ValueError, OSError) as error:
        reason = _reason(error, address.password)
        raise UnreadableData(f"The database {shown} does not answer the query: {reason}") from None
    return frame


def _refuse_missing_file(address: Any) -> None:
    """SQLite would make an empty database of a misspelt name."""
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return
    path = Path(address.database)
    if not address.database.startswith("file:") and not path.is_file():
        raise UnreadableData(f"There is no database file {path}.")


def _reason(error: Exception, password: object) -> str:
    text = str(getattr(error, "orig", None) or error).splitlines()
    first = text[0] if text else type(error).__name__
    return first.replace(str(password), "***") if password else first
