"""Run as a program: change models at random, list what was changed, open them and ask them.

    python mutating.py FOLDER SEED COUNT

FOLDER holds models, `<name>/model`, and `<name>/rows.json` with rows to ask. Whatever is changed, the model answers or
is refused in a sentence. Anything else is told on a line, and a crash of the interpreter ends the program.
"""

from __future__ import annotations

import copy
import faulthandler
import hashlib
import json
import resource
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load, save

from fathometer.bundle import Bundle, open_bundle
from fathometer.data.wire import from_wire
from fathometer.errors import UserError

MOST_MEMORY = 12 << 30
MOST_SECONDS = 120  # for one model; opening and asking takes a fraction of a second
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        255,
        10**6,
        2**31,
        2**31 - 1,
        -(2**31),
        2**63,
        10**30,
        0.5,
        -0.0,
        1e-300,
    ),
    *(
        1e300,
        "",
        "a",
        "NaN",
        "os.system",
        "../../etc/passwd",
        "x" * 10_000,
        "\u202e",
        [],
        {},
        [[]],
        [0],
        [None],
    ),
    *(
        {"$array": "a0"},
        {"$array": "nowhere", "shape": [1]},
        {"$float": "nan"},
        {"$float": "inf"},
        {"$float": "x"},
    ),
)
ODD_NUMBERS = (
    *(
        "0",
        "-1",
        "1",
        "2147483647",
        "2147483648",
        "-2147483648",
        "1e308",
        "1e999",
        "nan",
        "inf",
        "",
        "x",
        "0.5",
    ),
    "9" * 400,
)

Change = Callable[[bytes, np.random.Generator], bytes]


def any_bytes(raw: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut, doubled, put in or taken out."""
    changed = bytearray(raw)
    # the beginnings of files say how the rest is read
    reach = len(raw) if rng.random() < 0.5 else min(len(raw), 2_000)
    place = int(rng.integers(0, max(reach, 1)))
    length = int(rng.integers(1, 1 + min(64, max(1, len(raw) - place))))
    what = rng.integers(0, 6)
    if what == 0:
        for _ in range(int(rng.integers(1, 9))):
            if changed:
                changed[int(rng.integers(0, max(reach, 1)))] ^= 1 << int(rng.integers(0, 8))
    elif what == 1:
        changed[place : place + length] = rng.bytes(length)
    elif what == 2:
        del changed[place : place + length]
    elif what == 3:
        changed[place:place] = rng.bytes(length)
    elif what == 4:
        changed[place:place] = changed[place : place + length]
    else:
        del changed[place:]
    return bytes(changed)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from places(inside, (*path, key))


def any_json(raw: bytes, rng: np.random.Generator) -> bytes:
    """Another value, another number, one less or one more, at some places of a JSON file."""
    value = json.loads(raw)
    for _ in range(int(rng.integers(1, 4))):
        value = _with_another(value, rng)
    return json.dumps(value).encode()


def _with_another(value: Any, rng: np.random.Generator) -> Any:
    value = copy.deepcopy(value)
    found = list(places(value))
    path = found[int(rng.integers(0, len(found)))]
    if not path:
        return value
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    here, last = inside[path[-1]], path[-1]
    what = rng.integers(0, 4)
    if what == 0:
        del inside[last]
    elif what == 1 and isinstance(here, int | float) and not isinstance(here, bool):
        inside[last] = here + [1, -1, here, 1_000, -2 * here][int(rng.integers(0, 5))]
    elif what == 2 and isinstance(here, list):
        inside[last] = here[: len(here) // 2] if rng.random() < 0.5 else [*here, *here]
    else:
        inside[last] = ODD[int(rng.integers(0, len(ODD)))]
    return value


def any_header(raw: bytes, rng: np.random.Generator) -> bytes:
    """Another header of a safetensors file, of the right length."""
    length = int.from_bytes(raw[:8], "little")
    header = any_json(raw[8 : 8 + length], rng)
    return len(header).to_bytes(8, "little") + header + raw[8 + length :]


def any_arrays(raw: bytes, rng: np.random.Generator) -> bytes:
    """Other numbers, shapes or types of the arrays in a safetensors file, which stays a sound one."""
    arrays = load(raw)
    if not arrays:
        return raw
    name = sorted(arrays)[int(rng.integers(0, len(arrays)))]
    array = arrays[name].copy()
    what = rng.integers(0, 6)
    if what == 0 and array.size:
        odd = [0, -1, 1, 255, 2**31 - 1, -(2**31), np.nan, np.inf, -np.inf, 1e30, 1e300]
        places_changed = rng.integers(0, array.size, int(rng.integers(1, 4)))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array.reshape(-1)[places_changed] = np.asarray(odd[int(rng.integers(0, len(odd)))]).astype(
                array.dtype
            )
    elif what == 1:
        array = array.reshape(-1)[: array.size // 2]
    elif what == 2:
        array = np.concatenate([array, array]) if array.ndim else np.zeros(3, array.dtype)
    elif what == 3:
        array = array.astype(
            [np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_][int(rng.integers(0, 6))]
        )
    elif what == 4:
        array = array.T.copy() if array.ndim > 1 else array.reshape(-1, 1)
    else:
        del arrays[name]
        return bytes(save(arrays))
    arrays[name] = np.ascontiguousarray(array)
    return bytes(save(arrays))


def any_text(raw: bytes, rng: np.random.Generator) -> bytes:
    """Other numbers or lines in a text."""
    lines = raw.decode("utf-8", "replace").split("\n")
    place = int(rng.integers(0, len(lines)))
    what = rng.integers(0, 4)
    if what == 0:
        del lines[place]
    elif what == 1:
        lines.insert(place, lines[int(rng.integers(0, len(lines)))])
    elif what == 2:
        words = lines[place].replace("=", "= ").split(" ")
        words[int(rng.integers(0, len(words)))] = ODD_NUMBERS[int(rng.integers(0, len(ODD_NUMBERS)))]
        lines[place] = " ".join(words).replace("= ", "=")
    else:
        words = lines[place].split(" ")
        lines[place] = " ".join(words[: len(words) // 2] if rng.random() < 0.5 else [*words, *words])
    return "\n".join(lines).encode()


CHANGES: dict[str, tuple[Change, ...]] = {
    ".json": (any_json, any_json, any_json, any_bytes),
    ".safetensors": (any_arrays, any_arrays, any_header, any_bytes),
    ".txt": (any_text, any_text, any_bytes),
}


def changed_once(model: Path, rng: np.random.Generator) -> tuple[str, str, bytes]:
    """A file of a model, how it was changed, and what it held."""
    files = sorted(path for path in model.rglob("*") if path.is_file() and path.name != "manifest.json")
    path = files[int(rng.integers(0, len(files)))]
    ways = CHANGES.get(path.suffix, (any_bytes,))
    way = ways[int(rng.integers(0, len(ways)))]
    before = path.read_bytes()
    after = way(before, rng)
    path.unlink()
    path.write_bytes(after)
    manifest = json.loads((model / "manifest.json").read_bytes())
    for one in manifest["files"]:
        if model / one["path"] == path:
            one["size"], one["sha256"] = len(after), hashlib.sha256(after).hexdigest()
    if "total_size" in manifest:
        manifest["total_size"] = sum(one["size"] for one in manifest["files"])
    (model / "manifest.json").write_text(json.dumps(manifest))
    return path.relative_to(model).as_posix(), way.__name__, before


def frame_of(rows: Path) -> pd.DataFrame:
    asked = json.loads(rows.read_text(encoding="utf-8"))
    cells = [[from_wire(cell) for cell in row] for row in asked["rows"]]
    return pd.DataFrame(cells, columns=asked["columns"], dtype=object)


def fault_of(model: Path, frame: pd.DataFrame) -> str:
    """What else than answers or refusals came of opening a model and asking it; "" where nothing did."""
    opened: list[Bundle] = []
    fault = _fault(lambda: opened.append(open_bundle(model)))
    if fault or not opened:
        return fault
    bundle = opened[0]
    asked = [_fault(lambda name=name: _ask(bundle, name, frame)) for name in bundle.mixes]
    extras = [_fault(lambda name=name: getattr(bundle, name)) for name in ("reference", "golden", "verdict")]
    return next(filter(None, [*asked, *extras, _fault(bundle.check)]), "")


def _ask(bundle: Bundle, name: str, frame: pd.DataFrame) -> None:
    if len(bundle.predict(frame, name)) != len(frame):
        raise AssertionError("an answer of another length")


def _fault(call: Callable[[], object]) -> str:
    try:
        call()
    except UserError as error:
        return "a refusal of several lines" if "\n" in str(error) else ""
    except Exception:
        return traceback.format_exc()
    return ""


def main() -> None:
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    faulthandler.enable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    names = sorted(path.name for path in folder.iterdir() if (path / "model").is_dir())
    frames = {name: frame_of(folder / name / "rows.json") for name in names}
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError("it took too long")))
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        name = names[number % len(names)]
        work = folder / f".work-{seed}"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(folder / name / "model", work)
        path, way, _ = changed_once(work, rng)
        sys.stderr.write(f"{number} {name} {path} {way}\n")
        sys.stderr.flush()
        signal.alarm(MOST_SECONDS)
        fault = fault_of(work, frames[name])
        signal.alarm(0)
        if fault:
            sys.stdout.write(
                json.dumps({"seed": [seed, number], "name": name, "path": path, "way": way, "fault": fault})
                + "\n"
            )
            sys.stdout.flush()
    shutil.rmtree(folder / f".work-{seed}", ignore_errors=True)


if __name__ == "__main__":
    main()
