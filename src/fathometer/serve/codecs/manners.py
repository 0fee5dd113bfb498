"""In what manner a client wants its answers, and answers as the values that it gets.

MLflow, SageMaker, Vertex and KServe know nothing of probabilities or of bad cells, so the same few parameters are
understood in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from fathometer.serve.limits import check_cells
from fathometer.serve.protocol import Request
from fathometer.serve.question import Question, RefusedError, Reply

if TYPE_CHECKING:
    from fathometer.serve.desk import Desk

T = TypeVar("T")

OUTPUTS = ("prediction", "probabilities", "all")
"""What is answered to a row: a label or number; the probability of each label; both, by name."""
PLACED = ("missing", "stop", "null")
"""What may become of bad rows where every row must have its place in the answer (`bundle.asking.ON_BAD`)."""
TRUTHS = {True: True, False: False, "true": True, "false": False}
LARGE_BODY = 100_000
"""Bytes that take long enough to be decoded elsewhere than where all others wait."""
LARGE_REPLY = 100_000  # numbers in a reply, likewise


@dataclass(frozen=True)
class Manner:
    """How to answer."""

    output: str = "prediction"
    family: str | None = None
    on_bad: str = "missing"
    fill_missing: bool = False

    def question(self, frame: pd.DataFrame, request: str = "") -> Question:
        """Rows to be answered so."""
        return Question(frame, self.family, request, None, on_bad=self.on_bad, fill_missing=self.fill_missing)


def manner_of(parameters: Any) -> Manner:
    """The manner that these parameters ask for.

    Raises:
        RefusedError: an unknown one, or a value that there is not.
    """
    if parameters is None:
        return Manner()
    if not isinstance(parameters, Mapping):
        raise RefusedError(400, "Expected the parameters as an object.")
    unknown = sorted(set(map(str, parameters)) - {"output", "family", "on_bad", "fill_missing"})
    if unknown:
        raise RefusedError(
            400, f"There is no parameter {unknown[0][:40]!r}. Known: output, family, on_bad, fill_missing."
        )
    family = parameters.get("family")
    if family is not None and not isinstance(family, str):
        raise RefusedError(400, "Expected the parameter family as a text.")
    return Manner(
        output=_one_of("output", parameters, OUTPUTS),
        family=family or None,
        on_bad=_one_of("on_bad", parameters, PLACED),
        fill_missing=_truth("fill_missing", parameters),
    )


def values_of(reply: Reply, output: str) -> list[Any]:
    """(rows,) what each row is answered, ready for JSON; NaN where a row has no answer.

    Raises:
        RefusedError: there are no probabilities of numbers.
    """
    if output == "probabilities":
        if not reply.labels:
            raise RefusedError(400, "This model predicts numbers, which have no probabilities.")
        probabilities: list[Any] = reply.prediction.tolist()
        return probabilities
    if output == "all":
        names = [str(name) for name in reply.answers.columns]
        columns = [reply.answers[name].tolist() for name in reply.answers.columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    predictions: list[Any] = reply.answers["prediction"].tolist()
    return predictions


async def decoded(desk: Desk, request: Request, decode: Callable[[Desk, Request], T]) -> T:
    """What a body says, read apart where it is large.

    Raises:
        RefusedError: as `decode`; or the body is compressed.
    """
    demand_unpacked(request)
    if len(request.body) > LARGE_BODY:
        return await desk.apart(decode, desk, request)
    return decode(desk, request)


def demand_unpacked(request: Request) -> None:
    """Refuse a body that is compressed.

    Raises:
        RefusedError: 415.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise RefusedError(415, f"Expected the body as it is, got it compressed ({coding[:20]!r}).")


async def encoded(desk: Desk, reply: Reply, encode: Callable[..., T], *wanted: object) -> T:
    """A reply as the client reads it, written apart where it is large."""
    if reply.prediction.size > LARGE_REPLY:
        return await desk.apart(encode, reply, *wanted)
    return encode(reply, *wanted)


def check_long_cells(request: Request, frame: pd.DataFrame, desk: Desk) -> pd.DataFrame:
    """The frame, whose texts fit into cells.

    Raises:
        RefusedError: one is too long.
    """
    if len(request.body) > desk.limits.cell_bytes:
        check_cells(frame, desk.limits)
    return frame


def _one_of(name: str, parameters: Mapping[str, Any], known: tuple[str, ...]) -> str:
    value = parameters.get(name, known[0])
    if not isinstance(value, str) or value not in known:
        raise RefusedError(
            400, f"Expected the parameter {name} as {', '.join(known)}; got {str(value)[:40]!r}."
        )
    return value


def _truth(name: str, parameters: Mapping[str, Any]) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool | str) or value not in TRUTHS:
        raise RefusedError(400, f"Expected the parameter {name} as true or false.")
    return TRUTHS[value]
