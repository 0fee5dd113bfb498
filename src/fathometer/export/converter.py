"""What turns a learner's saved model into a graph must do: one file in `models/` per learner, found by its name.

Laws, checked by tests/export for every learner and, for every exported file, by `export.check`:
- the graph answers what the model answers: probabilities within 1e-5, the same label outside ties;
- it reads what the model saved, never anything that runs on loading;
- what it cannot turn into a graph it refuses with a sentence: what, why, and what to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fathometer.core.plugins import Plugins
from fathometer.errors import MissingExtra, UserError
from fathometer.export.columns import Inputs
from fathometer.export.graph import Name
from fathometer.task import Task

EXTRAS = {"onnx": "export", "onnxruntime": "export", "catboost": "boost", "lightgbm": "export"}


class Converter(ABC):
    """Turns the saved models of one learner into nodes."""

    why_not: ClassVar[str] = ""
    """Why it cannot be exported, as a clause; empty where it can."""
    limits: ClassVar[str] = ""
    """When it can only be exported sometimes: a clause."""
    quantizes: ClassVar[bool] = False
    """Whether it multiplies by matrices large enough to be worth storing in 8 bits."""

    @abstractmethod
    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        """(rows, outputs) double: what the model saved in this folder answers.

        Raises:
            UserError: not with these columns or settings.
        """


class Refused(Converter):
    """A learner whose models no graph can hold."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        raise UserError(f"It cannot be exported: {self.why_not}.")


CONVERTERS: Plugins[Converter] = Plugins(
    "learner to export",
    Converter,  # type: ignore[type-abstract]
    ("fathometer.export.models",),
    "fathometer.converters",
    EXTRAS,
)


@dataclass(frozen=True)
class Exportable:
    """Whether the models of a learner can be exported: "yes", "partly" or "no", and why not, or when not."""

    learner: str
    can: str
    why: str


def exportable() -> tuple[Exportable, ...]:
    """Every learner that has been looked at, by name."""
    return tuple(_looked_up(name) for name in CONVERTERS.names())


def can_be_exported(learner: str) -> bool:
    """Whether a learner's models can be, as far as is known before trying."""
    return learner in CONVERTERS.names() and _looked_up(learner).can != "no"


def _looked_up(name: str) -> Exportable:
    try:
        found = CONVERTERS.get(name)
    except MissingExtra as error:
        return Exportable(name, "no", str(error))
    can = "no" if found.why_not else "partly" if found.limits else "yes"
    return Exportable(name, can, found.why_not or found.limits)
