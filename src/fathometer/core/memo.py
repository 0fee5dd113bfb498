"""Remember what is made of single values, by their content, for as long as a run is at work.

Features of a picture or a text cost much and are wanted again by every learner, size and fold. They are kept in files
beside the run, one array per recipe, each row under the digest of the value that it was made of. So what is
remembered is right wherever the value turns up, in whatever order, and forgetting everything changes nothing but time.

Nothing is remembered outside `remembering`.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State, read_state, write_state

try:
    import fcntl
except ImportError:  # not on Windows: two workers may then both make what one could have waited for
    fcntl = None  # type: ignore[assignment]

T = TypeVar("T")
Digests = npt.NDArray[np.uint64]

BORROWED, MADE = 0, 1  # places in what is noted of seconds

_place: ContextVar[Path | None] = ContextVar("place", default=None)
_shared: ContextVar[dict[tuple[str, bytes], npt.NDArray[np.float32]] | None] = ContextVar(
    "shared", default=None
)
_at_hand: ContextVar[dict[tuple[int, ...], tuple[tuple[object, ...], Any]] | None] = ContextVar(
    "at_hand", default=None
)
_spent: ContextVar[list[float] | None] = ContextVar("spent", default=None)


@contextmanager
def remembering(folder: Path) -> Iterator[None]:
    """Inside, what is made is kept in this folder, and looked up there first."""
    folder.mkdir(parents=True, exist_ok=True)
    token, spent = _place.set(folder), _spent.set([0.0, 0.0])
    try:
        yield
    finally:
        _place.reset(token)
        _spent.reset(spent)


@contextmanager
def sharing() -> Iterator[None]:
    """Inside, what one model makes of some values is at hand for the next that wants the same of them; kept nowhere.

    For several models that answer one question together. Where something is remembered anyway, or shared already,
    nothing changes.
    """
    if _at_hand.get() is not None:
        yield
        return
    token, at_hand = _shared.set({}), _at_hand.set({})
    try:
        yield
    finally:
        _shared.reset(token)
        _at_hand.reset(at_hand)


def once(owners: tuple[object, ...], make: Callable[[], T]) -> T:
    """What is made of these very objects, which nobody changes: made once while `sharing`, else each time."""
    kept = _at_hand.get()
    if kept is None:
        return make()
    key = tuple(map(id, owners))
    found = kept.get(key)
    if found is None:
        # the owners are kept with it, or another object could come to lie in the place of one that is gone
        found = kept[key] = (owners, make())
    value: T = found[1]
    return value


def is_remembering() -> bool:
    """Whether anything is kept now, if only for the moment."""
    return _place.get() is not None or _shared.get() is not None


def borrowed_seconds() -> float:
    """Processor seconds that others had spent on what was looked up since `remembering` began."""
    return _noted(BORROWED)


def made_seconds() -> float:
    """Processor seconds spent since then on what was made and kept, and will cost others nothing."""
    return _noted(MADE)


def name_of(*parts: object) -> str:
    """A file name for a recipe: the same parts give the same name."""
    text = "\x1f".join(part.hex() if isinstance(part, bytes) else repr(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def recalled_state(name: str, make: Callable[[], State]) -> State:
    """The state under this name, or what `make` gives, which is then kept."""
    folder = _place.get()
    if folder is None:
        return make()
    place = folder / name
    with _locked(folder / f"{name}.lock"):
        if (place / "seconds").exists():
            _note(BORROWED, float((place / "seconds").read_text(encoding="ascii")))
            return read_state(place, "state")
        started = time.process_time()
        state = make()
        seconds = time.process_time() - started
        write_state(place, "state", state)
        # last, and whole or not at all: a state without it is made anew
        draft = place / "seconds.draft"
        draft.write_text(repr(seconds), encoding="ascii")
        draft.replace(place / "seconds")
        _note(MADE, seconds)
        return state


def recalled_rows(
    name: str,
    digests: Digests,
    width: int,
    make: Callable[[npt.NDArray[np.intp]], npt.NDArray[np.float32]],
    most_rows: int = 1024,
) -> npt.NDArray[np.float32]:
    """(rows, width) one row for each digest: those known are looked up, the others made and kept.

    Args:
        make: given positions in `digests`, makes their rows, (positions, width); called for at most `most_rows` at a
            time, each of which is kept before the next is begun, so that a fit that is ended has not worked in vain.
    """
    folder = _place.get()
    if folder is None:
        shared, key = _shared.get(), (name, digests.tobytes())
        if shared is None:
            return _made_in_parts(digests, width, make, most_rows)
        if key not in shared:
            shared[key] = _made_in_parts(digests, width, make, most_rows)
        return shared[key].copy()
    with _locked(folder / f"{name}.lock"):
        store = _Store(folder, name, width)
        _, first = np.unique(digests, return_index=True)
        absent = np.sort(first[store.find(digests[first]) < 0])
        for start in range(0, len(absent), most_rows):
            some = absent[start : start + most_rows].astype(np.intp)
            before = time.process_time()
            rows = make(some)
            seconds = time.process_time() - before
            store.add(digests[some], rows, seconds)
            _note(MADE, seconds)
        _note(BORROWED, store.seconds_per_row * (len(first) - len(absent)))
        return store.rows(store.find(digests))


def remembered(name: str, digests: Digests) -> npt.NDArray[np.bool_]:
    """(rows,) which of these have a row under this name already."""
    folder = _place.get()
    if folder is None or not (folder / f"{name}.keys").exists():
        return np.zeros(len(digests), dtype=bool)
    with _locked(folder / f"{name}.lock"):
        known = np.fromfile(folder / f"{name}.keys", dtype=np.uint64)
    return np.isin(digests, known)


def _made_in_parts(
    digests: Digests,
    width: int,
    make: Callable[[npt.NDArray[np.intp]], npt.NDArray[np.float32]],
    most_rows: int,
) -> npt.NDArray[np.float32]:
    """Each different value once, some at a time."""
    _, first, same = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    made = np.zeros((len(first), width), dtype=np.float32)
    for start in range(0, len(order), most_rows):
        some = order[start : start + most_rows]
        made[some] = make(first[some].astype(np.intp))
    return made[same.reshape(-1)]


class _Store:
    """Rows of one recipe: digests and rows are appended to two files; a row counts when its digest is written."""

    def __init__(self, folder: Path, name: str, width: int) -> None:
        self.width = width
        self.keys_file = folder / f"{name}.keys"
        self.rows_file = folder / f"{name}.rows"
        self.cost_file = folder / f"{name}.cost"
        self.keys = _NO_KEYS
        if self.keys_file.exists():
            self.keys = np.fromfile(self.keys_file, dtype=np.uint64)
            os.truncate(self.keys_file, self.keys.nbytes)  # a kill may have left a part of a digest
        self._sort()

    def _sort(self) -> None:
        self.order = np.argsort(self.keys, kind="stable")
        self.sorted = self.keys[self.order]

    def find(self, digests: Digests) -> npt.NDArray[np.int64]:
        """(rows,) where each is kept, -1 where it is not."""
        if not len(self.keys):
            return np.full(len(digests), -1, dtype=np.int64)
        spots = np.minimum(np.searchsorted(self.sorted, digests), len(self.keys) - 1)
        return np.where(self.sorted[spots] == digests, self.order[spots], -1).astype(np.int64)

    def add(self, digests: Digests, rows: npt.NDArray[np.float32], seconds: float) -> None:
        """Keep these rows; after a crash between the two writes the rows without digests are written over."""
        with self.rows_file.open("r+b" if self.rows_file.exists() else "wb") as stream:
            stream.seek(len(self.keys) * self.width * 4)
            stream.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
        with self.keys_file.open("ab") as stream:
            stream.write(digests.tobytes())
        self.keys = np.concatenate([self.keys, digests])
        self._sort()
        with self.cost_file.open("ab") as stream:
            stream.write(np.float64(seconds).tobytes())

    def rows(self, wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The rows at these places."""
        if not len(self.keys) or not self.width:
            return np.zeros((len(wanted), self.width), dtype=np.float32)
        kept = np.memmap(self.rows_file, dtype=np.float32, mode="r", shape=(len(self.keys), self.width))
        return np.array(kept[wanted])

    @property
    def seconds_per_row(self) -> float:
        """What a row has cost, in the mean."""
        spent = np.fromfile(self.cost_file, dtype=np.float64) if self.cost_file.exists() else np.zeros(1)
        return float(spent.sum()) / max(len(self.keys), 1)


_NO_KEYS: Digests = np.zeros(0, dtype=np.uint64)


def _note(what: int, seconds: float) -> None:
    spent = _spent.get()
    if spent is not None:
        spent[what] += seconds


def _noted(what: int) -> float:
    spent = _spent.get()
    return 0.0 if spent is None else spent[what]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One worker at a time; whoever comes second finds what the first has made. Freed when a process ends."""
    with path.open("ab") as stream:
        if fcntl is not None:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
        yield
