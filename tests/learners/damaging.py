"""Damage saved models at random, load each, ask it, and tell what came of it, line by line.

    python damaging.py COUNT LEARNER [LEARNER ...]

Run as a program of its own, so that a crash of the process, an endless loop or a flood of memory is seen. Each line is
JSON: the learner, the number of the attempt, what was damaged, what came of it, and the most memory so far (bytes).
"""

from __future__ import annotations

import copy
import json
import random
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fathometer.core.files import read_state, size_bytes, write_state
from fathometer.errors import UserError
from fathometer.learner import LEARNERS, Facts, Run
from fathometer.testing.learners import Toy, make_toy

LONE = [None, True, False, -1, 0, 1, 2, 7, 2**31, 10**9, 10**18, 1e308, -0.5, float("nan"), float("inf")]
WORDS = ["", "x", "text", "image", "number", "../..", "\x00", "1e9"]
NUMBERS = [-1, 0, 1, 2, 127, 2**31 - 1, 10**9, float("nan"), float("inf"), -1e300, 0.5]
TYPES = ["float16", "float32", "float64", "int8", "int32", "int64", "uint8", "uint64", "bool"]


def main() -> None:
    """Damage so many copies of each learner's model."""
    count, names = int(sys.argv[1]), sys.argv[2:]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            for toy in toys_for(name):
                saved = Path(place) / f"{name}-{toy.name}"
                fitted(name, toy, saved)
                damage_all(name, toy, saved, count)


def toys_for(name: str) -> list[Toy]:
    """Small tables that this learner takes."""
    learner = LEARNERS.get(name)
    kinds = [
        kind
        for kind in ("number", "category", "moment", "text", "image")
        if not learner.only or kind in learner.only
    ]
    toys = [make_toy("three classes", kinds, 3), make_toy("a number", kinds, 0)]
    return [toy for toy in toys if toy.task.name in learner.solves][:2]


def fitted(name: str, toy: Toy, folder: Path) -> None:
    """A model of this learner, saved."""
    learner = LEARNERS.get(name)
    facts = Facts(200, 9, toy.task.name, toy.task.outputs, tuple(sorted(set(toy.train.kinds.values()))))
    if learner.unsuited(facts) and LEARNERS.place(name).startswith("fathometer.learners.dl"):
        kinds = ["number", "category", "moment"]
        toy = make_toy(toy.name, kinds, 3 if toy.task.outputs > 1 else 0)
    model = learner().fit(toy.train, toy.valid, toy.task, Run(seed=3, seconds=0.25))
    folder.mkdir(parents=True)
    model.save(folder)


def damage_all(name: str, toy: Toy, saved: Path, count: int) -> None:
    """Damage copies, and tell what comes of each."""
    asked = toy.asked.take(np.arange(8))
    sound = LEARNERS.get(name).load(saved).predict(asked)
    for attempt in range(count):
        chance = random.Random(f"{name} {toy.name} {attempt}")
        copied = saved.parent / "copy"
        shutil.copytree(saved, copied)
        what = damaged(copied, chance)
        report = {
            "learner": f"{name}, {toy.name}",
            "attempt": attempt,
            "what": what,
            "size": size_bytes(copied),
        }
        print(json.dumps({**report, "begins": True}), flush=True)
        print(
            json.dumps({**report, "came": came_of(name, copied, asked, sound.shape), "most": most()}),
            flush=True,
        )
        shutil.rmtree(copied)


def came_of(name: str, folder: Path, asked: Any, shape: tuple[int, ...]) -> str:
    """What loading and asking ends in."""
    stage = "load"
    try:
        model = LEARNERS.get(name).load(folder)
        stage = "predict"
        answer = model.predict(asked)
    except UserError as error:
        return f"refused: {str(error)[:300]}"
    except Exception as error:
        return f"{stage} raised {type(error).__name__}: {error} at {traceback.extract_tb(error.__traceback__)[-1]}"
    if not np.isfinite(answer).all():
        return "told what is no number"
    return "answered" if answer.shape == shape else f"answered in the shape {answer.shape}"


def most() -> int:
    """The most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def damaged(folder: Path, chance: random.Random) -> str:
    """Damage one thing; say which."""
    states = sorted(path.stem for path in folder.glob("*.json") if path.stem in ("model", "network"))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    texts = [path for path in files if path.name == "trees.txt"]
    pick = chance.random()
    if texts and pick < 0.5:
        return damaged_lines(texts[0], chance)
    if states and pick < 0.85:
        name = chance.choice(states)
        state = read_state(folder, name)
        what = damaged_state(state, chance)
        for old in folder.glob(f"{name}.*"):
            if old.suffix in (".json", ".safetensors"):
                old.unlink()
        write_state(folder, name, state)
        return what
    path = chance.choice(files)
    raw = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        raw[chance.randrange(min(len(raw), 4096 if chance.random() < 0.5 else len(raw)))] = chance.randrange(
            256
        )
    path.write_bytes(raw[: chance.randrange(len(raw))] if chance.random() < 0.2 else raw)
    return f"bytes of {path.name}"


def damaged_lines(path: Path, chance: random.Random) -> str:
    """Change a text of trees: lines twice, away, in another order, other numbers."""
    lines = path.read_text(encoding="utf-8").split("\n")
    place = chance.randrange(len(lines))
    end = next((at for at, line in enumerate(lines) if line == "end of trees"), len(lines))
    while chance.random() < 0.95 and (not lines[place] or place > end):
        place = chance.randrange(end)
    line = lines[place]
    key, _, value = line.partition("=")
    kind = chance.choice(
        ["twice", "away", "swapped", "number", "number", "number", "number", "longer", "shorter", "key"]
    )
    numbers = value.split(" ")
    if kind == "twice":
        lines.insert(place, line)
    elif kind == "away":
        del lines[place]
    elif kind == "swapped":
        other = chance.randrange(len(lines))
        lines[place], lines[other] = lines[other], line
    elif kind == "key":
        lines[place] = (
            f"{chance.choice(['num_leaves', 'left_child', 'is_linear', 'leaf_const', 'x'])}={value}"
        )
    else:
        at = chance.randrange(len(numbers))
        if kind == "number":
            numbers[at] = str(
                chance.choice([-1, -2, 0, 1, 3, 31, 255, 2**31, -(2**31), 2**40, "1e400", "nan", "", "1_0"])
            )
        elif kind == "longer":
            numbers.insert(at, numbers[at])
        else:
            del numbers[at]
        lines[place] = f"{key}={' '.join(numbers)}"
    path.write_text("\n".join(lines), encoding="utf-8")
    return f"line {place} of {path.name}, {key}: {kind}"


def damaged_state(state: dict[str, Any], chance: random.Random) -> str:
    """Change one or two values somewhere in a state, arrays among them."""
    told = []
    for _ in range(chance.choice([1, 1, 1, 2])):
        places = list(_places(state, ""))
        if not places:
            break
        name, holder, key = chance.choice(places)
        arrays = [one for one in places if isinstance(one[1][one[2]], np.ndarray)]
        if arrays and chance.random() < 0.5:
            name, holder, key = chance.choice(arrays)
        change = _changed_array if isinstance(holder[key], np.ndarray) else _changed
        what, value = change(holder[key], chance)
        if what == "gone":
            del holder[key]
        else:
            holder[key] = value
        told.append(f"{name}: {what}")
    return "; ".join(told)


def _places(value: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield f"{name}/{key}", value, key
        yield from _places(value[key], f"{name}/{key}")


def _changed(value: Any, chance: random.Random) -> tuple[str, Any]:
    changes: list[Callable[[], tuple[str, Any]]] = [
        lambda: ("gone", None),
        lambda: _named(chance.choice(LONE)),
        lambda: _named(chance.choice(LONE)),
        lambda: _named(chance.choice(WORDS)),
        lambda: ("a list in a list", [copy.deepcopy(value)]),
        lambda: ("empty list", []),
        lambda: ("empty object", {}),
        lambda: ("an array", np.zeros((2, 3), dtype=chance.choice(TYPES))),
    ]
    if isinstance(value, list) and value:
        changes += [
            lambda: ("longer", [*copy.deepcopy(value), copy.deepcopy(value[-1])]),
            lambda: ("shorter", value[:-1]),
            lambda: ("turned round", value[::-1]),
        ]
    if isinstance(value, int | float) and not isinstance(value, bool):
        changes += [
            lambda: ("one more", value + 1),
            lambda: ("one less", value - 1),
            lambda: ("a float", value + 0.5),
        ]
    return chance.choice(changes)()


def _named(value: Any) -> tuple[str, Any]:
    return repr(value)[:20], value


def _changed_array(value: Any, chance: random.Random) -> tuple[str, Any]:
    kind = chance.choice(
        ["type", "number", "number", "number", "flat", "longer", "shorter", "turned", "empty", "wide", "gone"]
    )
    if kind == "type":
        dtype = chance.choice(TYPES)
        with np.errstate(all="ignore"):
            return f"as {dtype}", value.astype(dtype)
    if kind == "number" and value.size:
        found = value.copy()
        number = chance.choice(NUMBERS)
        try:
            found.reshape(-1)[chance.randrange(value.size)] = number
        except (ValueError, OverflowError):
            return "gone", None
        return f"holds {number}", found
    if kind == "flat":
        return "flat", value.reshape(-1)
    if kind == "longer" and value.ndim:
        return "longer", np.concatenate([value, value[:1]])
    if kind == "shorter" and value.ndim:
        return "shorter", value[:-1]
    if kind == "turned":
        return "turned", value.T
    if kind == "wide" and value.ndim:
        return "wide", np.zeros((*value.shape[:-1], 0), dtype=value.dtype)
    return ("empty", value[:0]) if kind == "empty" and value.ndim else ("gone", None)


if __name__ == "__main__":
    main()
