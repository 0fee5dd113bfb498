"""The description of a model (model.json), read strictly: every key of the right type, every name a known one."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from fathometer.bundle.format import SAFE_NAME
from fathometer.data.metrics import METRICS
from fathometer.data.schema import Column, Schema
from fathometer.kind import KINDS, kind_named
from fathometer.learner import LEARNERS
from fathometer.task import TASKS, Task, task_from_json

MOST_COLUMNS = 20_000
KEYS = {"schema", "task", "members", "mixes", "default", "about"}
KEYS_SINCE_2 = {"requires"}
DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,80}[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,60}")
_COMPARED = r"(?:==|>=|<=|!=|~=|<|>)\s?[A-Za-z0-9.*+!_-]{1,60}"
REQUIREMENT = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,80}}(?:\[[a-z0-9,_-]{{1,80}}\])?\s?(?:{_COMPARED}(?:,\s?{_COMPARED})*)?"
    r"""(?:\s?;\s?[A-Za-z0-9_.,<>=!'"() -]{1,200})?"""
)
_COLUMN_TYPES = {"name": str, "kind": str, "reading": dict, "summary": dict, "guessed": bool, "why": str}


@dataclass(frozen=True)
class Description:
    """What a model folder says of itself. members: key -> (learner, title)."""

    schema: Schema
    task: Task
    members: Mapping[str, tuple[str, str]]
    mixes: Mapping[str, Sequence[Mapping[str, float]]]
    default: str
    about: Mapping[str, Any]
    requires: Mapping[str, str]


def described(value: Any, format_number: int) -> Description:
    """The description of this plain data.

    Raises:
        ValueError: it is not what it should be; the text says why, as a clause.
    """
    keys = KEYS | KEYS_SINCE_2 if format_number > 1 else KEYS
    found = _object(value, "it", keys)
    known = set(LEARNERS.names())
    members = {key: _member(key, one, known) for key, one in _object(found["members"], "its members").items()}
    mixes = {
        name: _mixes(name, several, members) for name, several in _object(found["mixes"], "its mixes").items()
    }
    default = _text(found["default"], "its default")
    if default not in mixes:
        raise ValueError(f"there is no {default[:60]!r} to answer by default")
    return Description(
        schema=_schema(found["schema"]),
        task=_task(found["task"]),
        members=members,
        mixes=mixes,
        default=default,
        about=_object(found["about"], "its about"),
        requires=_requires(found.get("requires", {})),
    )


def demand_requirements(text: str) -> None:
    """Refuse what is more than packages by name: people give this file to pip, which does as it is told.

    Raises:
        ValueError: a line is an option, a place or an address.
    """
    for line in text.split("\n"):
        if line and not line.startswith("#") and not REQUIREMENT.fullmatch(line):
            raise ValueError(f"{line[:80]!r} is no package with a version")


def _schema(value: Any) -> Schema:
    columns = _object(value, "its schema", {"columns"})["columns"]
    if not isinstance(columns, list):
        raise ValueError("its columns are no list")
    if len(columns) > MOST_COLUMNS:
        raise ValueError(f"it has {len(columns):,} columns, and {MOST_COLUMNS:,} are the most")
    known, names, kinds = {item.name for item in fields(Column)}, set(), set(KINDS.names())
    for one in columns:
        column = _object(one, "a column", known)
        for key, wanted in _COLUMN_TYPES.items():
            if not isinstance(column[key], wanted):
                raise ValueError(f"the {key} of a column is not of type {wanted.__name__}")
        if column["kind"] not in kinds:
            raise ValueError(f"a column is of a kind {column['kind'][:60]!r} that is not known")
        if column["name"] in names:
            raise ValueError(f"two columns are called {column['name'][:60]!r}")
        names.add(column["name"])
        fault = _fault_of_reading(column["kind"], json.dumps(column["reading"], sort_keys=True))
        if fault:
            raise ValueError(f"the reading of {column['name'][:60]!r} is no {column['kind']}'s: {fault}")
    return Schema.from_json(value)


@functools.lru_cache(maxsize=4_096)
def _fault_of_reading(kind: str, reading: str) -> str:
    """As the kind says; looked at once, for most columns are written alike."""
    return kind_named(kind).fault_of_reading(json.loads(reading))


def _task(value: Any) -> Task:
    found = _object(value, "its task")
    name = _text(found.get("name"), "the name of its task")
    if name not in TASKS.names():
        raise ValueError(f"its task {name[:60]!r} is not known")
    _text(found.get("target"), "its target")
    metric = _text(found.get("metric"), "its metric")
    if metric not in METRICS:
        raise ValueError(f"its metric {metric[:60]!r} is not known")
    _number(found.get("margin"), "its margin")
    labels, shares = found.get("labels", []), found.get("shares", [])
    if not isinstance(labels, list) or not isinstance(shares, list):
        raise ValueError("its labels or shares are no list")
    texts = [_text(label, "a label") for label in labels]
    for share in shares:
        if _number(share, "a share") < 0:
            raise ValueError("a share is below zero")
    if len(set(texts)) < len(texts) or len(shares) not in (0, len(texts)):
        raise ValueError("a label stands twice, or there are more labels than shares")
    try:
        task = task_from_json(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its task lacks something ({error})") from error
    if task.outputs < 1 or set(found) - set(task.to_json()):
        raise ValueError("its task has no answers, or something that is not known")
    return task


def _member(key: str, value: Any, known: Collection[str]) -> tuple[str, str]:
    if not SAFE_NAME.fullmatch(key):
        raise ValueError(f"it names a member {key[:60]!r}, which is no file name")
    found = _object(value, f"the member {key!r}", {"learner", "title"})
    learner, title = (_text(found[name], f"the {name} of {key!r}") for name in ("learner", "title"))
    if learner not in known:
        raise ValueError(f"the learner {learner[:60]!r} of {key!r} is not known here")
    return learner, title


def _mixes(name: str, value: Any, members: Mapping[str, Any]) -> list[dict[str, float]]:
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(f"it names a competitor {name[:60]!r}, which can be none")
    if not isinstance(value, list) or not value:
        raise ValueError(f"{name!r} has no members")
    mixes = []
    for one in value:
        mix = {key: _number(weight, "a weight") for key, weight in _object(one, f"a mix of {name!r}").items()}
        unknown = sorted(set(mix) - set(members))
        if unknown:
            raise ValueError(f"{name!r} names {unknown[0][:60]!r}, which is no member")
        if any(weight < 0 for weight in mix.values()) or not math.isclose(sum(mix.values()), 1, abs_tol=1e-6):
            raise ValueError(f"the weights of {name!r} do not sum to one")
        mixes.append(mix)
    return mixes


def _requires(value: Any) -> dict[str, str]:
    found = _object(value, "its requires")
    for name, version in found.items():
        if not DISTRIBUTION.fullmatch(name) or not VERSION.fullmatch(_text(version, "a version")):
            raise ValueError(f"it requires {name[:60]!r}, which is no package with a version")
    return found


def _object(value: Any, what: str, keys: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    if keys is not None and set(value) != keys:
        lacking, further = sorted(keys - set(value)), sorted(set(value) - keys)
        fault = f"lacks {lacking[0]!r}" if lacking else f"has a key {further[0][:60]!r} that is not known"
        raise ValueError(f"{what} {fault}")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is no text")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} is too large") from None
