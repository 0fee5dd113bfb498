"""Packed files, whole, damaged and malicious."""

import gzip
from pathlib import Path
from types import SimpleNamespace

import pytest

from fathometer.data import unpacking
from fathometer.data.unpacking import read_bytes, refuse_bomb, refuse_zip_bomb
from fathometer.errors import UnreadableData


def test_a_plain_file_comes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n")
    assert read_bytes(path) == (b"a,b\n", ())


def test_a_bomb_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "RATIO_MATTERS_ABOVE", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"0" * (8 << 20)))
    with pytest.raises(UnreadableData, match="bomb"):
        read_bytes(path)


def test_ratio_matters_for_large_results_only() -> None:
    refuse_bomb(10, 9_000, "a.gz")
    with pytest.raises(UnreadableData, match="bomb"):
        refuse_bomb(10 << 30, 5 << 30, "a.gz")


def test_a_file_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n")
    monkeypatch.setattr(unpacking.psutil, "virtual_memory", lambda: SimpleNamespace(available=10))
    with pytest.raises(UnreadableData, match="memory"):
        read_bytes(path)


def test_a_damaged_zip_is_refused() -> None:
    with pytest.raises(UnreadableData, match="damaged"):
        refuse_zip_bomb(b"PK\x03\x04nothing", "a.xlsx")
