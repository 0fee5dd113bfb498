"""Export a bundle: build, check against the bundle, and only then put the file in place, whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx

from fathometer.bundle import Bundle
from fathometer.core.files import drafted, writing_to
from fathometer.data.rows import Rows
from fathometer.data.sentences import counted
from fathometer.errors import UserError
from fathometer.export.build import Choice, build
from fathometer.export.check import (
    LOOSELY,
    Agreement,
    agreement,
    asked,
    golden_probes,
    probes,
    session,
    told_by,
)
from fathometer.export.converter import CONVERTERS
from fathometer.export.quantize import MOST_MOVED, SAME_LABELS, Cost, cost_of, in_eight_bits

LARGEST = 2_000_000_000  # bytes; a protobuf message ends at 2 GiB
TIMES = 15  # questions timed
MOST_REAL = 500  # rows of a run compared


@dataclass(frozen=True)
class Exported:
    """An exported file, and how it was checked.

    family: who answers in it (a family, or a member). members: how many models it holds; learners: of which kinds.
    rows: compared. worst: the largest difference of a probability, or of a number as a share of its spread. ms,
    bundle_ms: for one row, in this file and in the bundle. cost: of 8 bits, where they were asked for.
    """

    path: Path
    family: str
    members: int
    learners: tuple[str, ...]
    size_bytes: int
    rows: int
    worst: float
    ms: float
    bundle_ms: float
    cost: Cost | None = None

    def sentences(self) -> list[str]:
        """What was done, for people."""
        told = [
            f"{self.path} holds {self.family!r}: {counted(self.members, 'model')} ({', '.join(self.learners)}), "
            f"{self.size_bytes / 1e6:.2f} MB.",
            f"Checked on {self.rows:,} rows: it differs from the model by {self.worst:.1e} at most. "
            f"One row takes {self.ms:.2f} ms, in the model folder {self.bundle_ms:.2f} ms.",
        ]
        return told + ([] if self.cost is None else _told(self.cost, self))


def _told(cost: Cost, made: Exported) -> list[str]:
    whose = "rows of the run, most of which it learned from" if cost.real else "made-up rows"
    moved = f"answers move by {cost.moved:.1e} of their spread on average"
    if cost.labels is not None:
        moved = f"{100 * cost.labels:.2f} % of the labels stay, and probabilities move by {cost.moved:.1e} on average"
    told = [
        f"8 bits: {cost.size_bytes / 1e6:.2f} MB become {made.size_bytes / 1e6:.2f} MB, and {cost.ms:.2f} ms become "
        f"{made.ms:.2f} ms. On {cost.rows:,} {whose}, {moved}."
    ]
    if cost.before is not None and cost.after is not None:
        matters = ": more than what matters, so think twice" if cost.matters else ""
        told.append(f"The score there goes from {cost.before:.5g} to {cost.after:.5g}{matters}.")
    return told


def export_onnx(
    bundle: Bundle,
    out: Path,
    *,
    family: str | None = None,
    member: str | None = None,
    quantized: bool = False,
    real: Rows | None = None,
) -> Exported:
    """Write an ONNX file that answers as the bundle does; nothing is written where it does not.

    Args:
        family: who answers; the verdict's choice unless given. member: one model alone instead.
        quantized: the large matrices of networks in 8 bits.
        real: rows of the run with their targets: compared too, and the cost of 8 bits is measured by them.

    Raises:
        UserError: a member cannot be exported, the file would not answer the same, or it cannot be written.
    """
    _demand_writable(out)
    choice = Choice.of(bundle, family, member)
    built = build(bundle, choice, f"fathometer {version('fathometer')}")
    content = _serialized(built.model)
    rows = probes(bundle, built)
    running = session(content)
    found = agreement(bundle, choice, built, running, rows)
    for further in (golden_probes(bundle), None if real is None else _some(real)):
        if further is not None and len(further):
            found = found.and_also(agreement(bundle, choice, built, running, further))
    _demand_same(bundle, choice, found)
    one = rows.take(np.array([1]))
    ms, cost = _milliseconds(lambda: asked(built, running, one)), None
    if quantized:
        judged = rows if real is None else real
        plain = (len(content), ms)
        content = _serialized(in_eight_bits(built.model))
        running = session(content)
        answers = asked(built, running, judged)
        after = answers["value" if bundle.task.outputs == 1 else "probabilities"]
        cost = cost_of(bundle.task, judged, told_by(bundle, choice, judged), after, *plain)
        _demand_near(choice, cost)
        ms = _milliseconds(lambda: asked(built, running, one))
    _put(content, out)
    return Exported(
        path=out,
        family=choice.name,
        members=len(choice.members),
        learners=tuple(sorted({bundle.learners[key] for key in choice.members})),
        size_bytes=len(content),
        rows=found.rows,
        worst=found.worst,
        ms=ms,
        bundle_ms=_milliseconds(lambda: told_by(bundle, choice, one)),
        cost=cost,
    )


def _some(real: Rows) -> Rows:
    places = np.linspace(0, len(real) - 1, min(MOST_REAL, len(real)))
    return real.take(np.unique(places.astype(np.intp)))


def _demand_writable(out: Path) -> None:
    if out.suffix.lower() != ".onnx":
        raise UserError(f"Expected a file that ends with .onnx; got {out.name!r}. Name it so.")
    if not out.parent.is_dir():
        raise UserError(f"There is no folder {out.parent}. Make it first, or name another.")
    if out.is_dir():
        raise UserError(f"{out} is a folder. Name a file.")


def _serialized(model: onnx.ModelProto) -> bytes:
    """The model as the bytes of a file, found sound."""
    size = model.ByteSize()
    if size > LARGEST:
        raise UserError(
            f"The file would take {size / 1e9:.1f} GB, and {LARGEST / 1e9:.0f} GB are the most that one ONNX file "
            "holds. Export one member (--member), or a family with smaller models."
        )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _demand_same(bundle: Bundle, choice: Choice, found: Agreement) -> None:
    if found.holds:
        return
    names = sorted({bundle.learners[key] for key in choice.members})
    known = [f"{name}: {limits}" for name in names if (limits := CONVERTERS.get(name).limits)]
    raise UserError(
        f"{choice.name!r} was not exported: on {found.rows:,} rows the ONNX file differs from the model by up "
        f"to {max(found.worst, found.alone):.2g} ({LOOSELY:.0e} is allowed), with the same label in "
        f"{100 * found.labels:.2f} % of them. {'Known limits: ' if known else ''}{'; '.join(known)}"
        f"{'. ' if known else ''}Serve the model folder itself (fathom serve), or export another family or member."
    )


def _demand_near(choice: Choice, cost: Cost) -> None:
    if cost.is_small:
        return
    labels = "" if cost.labels is None else f"{100 * cost.labels:.1f} % of the labels stay the same, and "
    raise UserError(
        f"{choice.name!r} was not exported in 8 bits: {labels}answers move by {cost.moved:.2g} on average; "
        f"{100 * SAME_LABELS:.0f} % and {MOST_MOVED} are demanded. Export it without --quantized."
    )


def _milliseconds(ask: Callable[[], object]) -> float:
    """The median time of a question."""
    ask()
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return 1e3 * float(np.median(taken))


def _put(content: bytes, out: Path) -> None:
    """The file in its place, whole or not at all."""
    with writing_to(out.parent, "Make room, or name another place."), drafted(out) as stream:
        stream.write(content)
