"""Thrift's compact encoding [1], in which parquet describes itself: read into plain data and written again.

A struct is `{(number, kind): value}`: a reader made from a specification skips a field that has another kind than it
expects, so the kind belongs to the name. Fields and elements keep their kinds, and what was read is written the same.

[1] https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEEPEST = 16
LONGEST_VARINT = 10

Struct = dict[tuple[int, int], Any]


class BadThriftError(ValueError):
    """What stands there is no such encoding; the text says why, as a clause."""


@dataclass(frozen=True)
class Listed:
    """The elements of a list, all of one kind."""

    kind: int
    values: list[Any]


def read_struct(raw: bytes, place: int, end: int, depth: int = 0) -> tuple[Struct, int]:
    """(struct, where it ends).

    Raises:
        BadThriftError: it does not end before `end`, is nested deeply, or holds a map or a set.
    """
    if depth > DEEPEST:
        raise BadThriftError("it is nested too deeply")
    fields: Struct = {}
    number = 0
    while True:
        mark, place = _byte(raw, place, end)
        if mark == 0:
            return fields, place
        kind = mark & 15
        if mark >> 4:
            number += mark >> 4
        else:
            number, place = _zigzag(raw, place, end)
        if kind in (TRUE, FALSE):
            fields[number, TRUE] = kind == TRUE
        else:
            fields[number, kind], place = _value(raw, place, end, kind, depth)


def write_struct(fields: Struct) -> bytes:
    """The struct, its fields by their numbers."""
    parts, last = [], 0
    for (number, kind), value in sorted(fields.items(), key=lambda field: field[0]):
        mark = (TRUE if value else FALSE) if kind == TRUE else kind
        step = number - last
        parts.append(bytes([step << 4 | mark]) if 0 < step < 16 else bytes([mark]) + _zigzagged(number))
        if kind != TRUE:
            parts.append(_written(kind, value))
        last = number
    return b"".join([*parts, b"\0"])


def _value(raw: bytes, place: int, end: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == BYTE:
        return _byte(raw, place, end)
    if kind in (I16, I32, I64):
        return _zigzag(raw, place, end)
    if kind in (DOUBLE, BINARY):
        length, place = (8, place) if kind == DOUBLE else _varint(raw, place, end)
        if length > end - place:
            raise BadThriftError("a text is cut off")
        return raw[place : place + length], place + length
    if kind == LIST:
        return _list(raw, place, end, depth)
    if kind == STRUCT:
        return read_struct(raw, place, end, depth + 1)
    raise BadThriftError("it holds what it should not")


def _list(raw: bytes, place: int, end: int, depth: int) -> tuple[Listed, int]:
    mark, place = _byte(raw, place, end)
    length, kind = mark >> 4, mark & 15
    if length == 15:
        length, place = _varint(raw, place, end)
    if length > end - place or depth > DEEPEST:  # every element takes a byte at least
        raise BadThriftError("a list is cut off")
    values = []
    for _ in range(length):
        value, place = _value(raw, place, end, BYTE if kind in (TRUE, FALSE) else kind, depth + 1)
        values.append(value)
    return Listed(kind, values), place


def _byte(raw: bytes, place: int, end: int) -> tuple[int, int]:
    if place >= end:
        raise BadThriftError("it is cut off")
    return raw[place], place + 1


def _zigzag(raw: bytes, place: int, end: int) -> tuple[int, int]:
    value, place = _varint(raw, place, end)
    return (value >> 1) ^ -(value & 1), place


def _varint(raw: bytes, place: int, end: int) -> tuple[int, int]:
    value = 0
    for step in range(LONGEST_VARINT):
        byte, place = _byte(raw, place, end)
        value |= (byte & 127) << 7 * step
        if byte < 128:
            return value, place
    raise BadThriftError("a number is too long")


def _written(kind: int, value: Any) -> bytes:
    if kind == BYTE:
        return bytes([value])
    if kind in (I16, I32, I64):
        return _zigzagged(value)
    if kind == DOUBLE:
        return bytes(value)
    if kind == BINARY:
        return _unsigned(len(value)) + bytes(value)
    if kind == STRUCT:
        return write_struct(value)
    head = bytes([0xF0 | value.kind]) + _unsigned(len(value.values))
    inner = BYTE if value.kind in (TRUE, FALSE) else value.kind
    return head + b"".join(_written(inner, one) for one in value.values)


def _zigzagged(value: int) -> bytes:
    return _unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def _unsigned(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
