"""The verbs. Every command and every button is one call of these.

A name is loaded when it is first used: who only predicts or serves loads nothing that trains or judges.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fathometer.api.answering import Answered
    from fathometer.api.exporting import export
    from fathometer.api.predicting import Answering, open_model, predict
    from fathometer.api.records import Inspection, Study
    from fathometer.api.serving import serve
    from fathometer.api.shipping import pack
    from fathometer.api.verbs import (
        compare,
        demo_data,
        fresh_folder,
        inspect,
        judge,
        replay,
        report,
        resume,
    )
    from fathometer.data.sources import ReadOptions
    from fathometer.study.run import Progress
    from fathometer.verdict.axes import Attempt, Standing
    from fathometer.verdict.decide import Verdict
    from fathometer.verdict.pretrained import PretrainedView
    from fathometer.verdict.reasons.reason import Found as Reason
    from fathometer.verdict.result import RESULT_FORMAT

PLACES = {
    "records": ("Inspection", "Study"),
    "shipping": ("pack",),
    "serving": ("serve",),
    "exporting": ("export",),
    "verbs": (
        "compare",
        "demo_data",
        "fresh_folder",
        "inspect",
        "judge",
        "replay",
        "report",
        "resume",
    ),
    "predicting": ("Answering", "open_model", "predict"),
    "answering": ("Answered",),
}
ELSEWHERE = {
    "ReadOptions": ("fathometer.data.sources", "ReadOptions"),
    "Progress": ("fathometer.study.run", "Progress"),
    "Attempt": ("fathometer.verdict.axes", "Attempt"),
    "Standing": ("fathometer.verdict.axes", "Standing"),
    "Verdict": ("fathometer.verdict.decide", "Verdict"),
    "PretrainedView": ("fathometer.verdict.pretrained", "PretrainedView"),
    "Reason": ("fathometer.verdict.reasons.reason", "Found"),
    "RESULT_FORMAT": ("fathometer.verdict.result", "RESULT_FORMAT"),
}
FOUND = {
    name: (f"fathometer.api.{module}", name) for module, names in PLACES.items() for name in names
} | ELSEWHERE

__all__ = [
    "RESULT_FORMAT",
    "Answered",
    "Answering",
    "Attempt",
    "Inspection",
    "PretrainedView",
    "Progress",
    "ReadOptions",
    "Reason",
    "Standing",
    "Study",
    "Verdict",
    "compare",
    "demo_data",
    "export",
    "fresh_folder",
    "inspect",
    "judge",
    "open_model",
    "pack",
    "predict",
    "replay",
    "report",
    "resume",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in FOUND:
        raise AttributeError(f"module 'fathometer.api' has no attribute {name!r}")
    module, attribute = FOUND[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value  # found once
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
