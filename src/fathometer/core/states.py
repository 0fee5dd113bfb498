"""What a state read from a file holds, looked at before it is used.

A model may come from a stranger: what he says of sizes must fit the arrays that are there, so that nothing is read out
of bounds, and nothing is allocated that is not in his files already.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fathometer.errors import BadBundle

MOST_CLASSES = 10_000
WRONG = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
)
"""What code that expects a right state raises at a wrong one."""
MOST = 1 << 31  # no count in a state is as large
LARGEST_SUM = 1 << 62  # that 64 bits hold without wrapping


def damaged(what: str) -> NoReturn:
    """Refuse a model's file.

    Raises:
        BadBundle: always; `what` is a clause.
    """
    raise BadBundle(f"A file of the model is damaged: {what}. Make the model again.")


def demand(sound: object, what: str) -> None:
    """Refuse a model's file unless this holds.

    Raises:
        BadBundle: it does not.
    """
    if not sound:
        damaged(what)


@contextmanager
def sound_state() -> Iterator[None]:
    """What a wrong state does to code that expects a right one is told as a damaged file.

    Raises:
        BadBundle: something is missing, or of another type or shape.
    """
    try:
        yield
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        OverflowError,
        RuntimeError,
    ) as error:
        shown = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise BadBundle(f"A file of the model is damaged ({shown}). Make the model again.") from error


def array(
    value: Any,
    name: str,
    *shape: int | None,
    kinds: str = "f",
    low: float | None = None,
    high: float | None = None,
    endless: bool = False,
) -> npt.NDArray[Any]:
    """An array of this shape, where None is any length.

    Args:
        kinds: letters of numpy's kinds of number: "f", "i", "u", "b".
        low, high: what all of it must lie between, both included.
        endless: whether it may hold NaN and infinity.

    Raises:
        BadBundle: it is none.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        damaged(f"{name} should be an array of {kinds}, and is {_shown(value)}")
    if len(value.shape) != len(shape) or any(
        wanted is not None and found != wanted for found, wanted in zip(value.shape, shape, strict=True)
    ):
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        damaged(f"{name} should have the shape ({sizes}), and has {value.shape}")
    if value.dtype.kind == "f" and not endless:
        demand(np.isfinite(value).all(), f"{name} holds what is no number")
    if value.size and low is not None:
        demand(value.min() >= low, f"{name} should not lie below {low}")
    if value.size and high is not None:
        demand(value.max() <= high, f"{name} should not lie above {high}")
    return value


def counts(
    value: Any, name: str, total: int, *, count: int | None = None, low: int = 0
) -> npt.NDArray[np.int64]:
    """How many each of several things has, of `total` in all.

    What is repeated or cut by such numbers trusts them: their sum must be the total, and no sum of them may wrap.

    Args:
        count: of things, where that is known.
        low: the least that one has.

    Raises:
        BadBundle: they are no such numbers.
    """
    found = array(value, name, count, kinds="i", low=low, high=total)
    demand(len(found) * total < LARGEST_SUM, f"{name} are too many")
    demand(int(found.sum(dtype=np.int64)) == total, f"{name} should add up to {total:,}")
    return found.astype(np.int64)


def whole(value: Any, name: str, low: int = 0, high: int = MOST) -> int:
    """A whole number between these, both included.

    Raises:
        BadBundle: it is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        damaged(f"{name} should be a whole number from {low:,} to {high:,}, and is {_shown(value)}")
    return value


def wholes(
    value: Any, name: str, low: int = 0, high: int = MOST, *, count: int | None = None
) -> tuple[int, ...]:
    """A list of such numbers.

    Raises:
        BadBundle: it is none, or has not so many.
    """
    return tuple(whole(one, name, low, high) for one in several(value, name, count))


def number(value: Any, name: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number between these, both included.

    Raises:
        BadBundle: it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) < 1e308 or not low <= value <= high:
        damaged(f"{name} should be a number from {low:g} to {high:g}, and is {_shown(value)}")
    return float(value)


def classes(value: Any) -> int:
    """How many classes a member tells apart; 0 for a number.

    Raises:
        BadBundle: it is no such number.
    """
    count = whole(value, "classes", 0, MOST_CLASSES)
    demand(count != 1, "one class is no question")
    return count


def truth(value: Any, name: str) -> bool:
    """True or false.

    Raises:
        BadBundle: it is neither.
    """
    if not isinstance(value, bool):
        damaged(f"{name} should be true or false, and is {_shown(value)}")
    return value


def text(value: Any, name: str, among: Collection[str] | None = None) -> str:
    """A text, one of these where they are given.

    Raises:
        BadBundle: it is none.
    """
    if not isinstance(value, str) or (among is not None and value not in among):
        wanted = "a text" if among is None else f"one of {', '.join(sorted(among))}"
        damaged(f"{name} should be {wanted}, and is {_shown(value)}")
    return value


def texts(value: Any, name: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        BadBundle: it is none.
    """
    return tuple(text(one, name) for one in several(value, name))


def several(value: Any, name: str, count: int | None = None) -> Sequence[Any]:
    """A list, of so many where that is given.

    Raises:
        BadBundle: it is none.
    """
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        damaged(f"{name} should be a list{'' if count is None else f' of {count}'}, and is {_shown(value)}")
    return value


def table(value: Any, name: str, keys: Collection[str], others: Collection[str] = ()) -> dict[str, Any]:
    """An object with these keys, and of `others` any.

    Raises:
        BadBundle: it is none.
    """
    if not isinstance(value, dict) or not set(keys) <= value.keys() <= {*keys, *others}:
        damaged(f"{name} should hold {', '.join(sorted(keys))}, and is {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value in a few letters."""
    if isinstance(value, np.ndarray):
        return f"one of {value.dtype}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value):,}"
    if isinstance(value, dict):
        return f"an object with {', '.join(sorted(map(str, value))[:10])[:80] or 'no keys'}"
    if isinstance(value, int) and abs(value) >= MOST:
        return "a huge one"
    return repr(value)[:60]
