"""The verbs. Every command and every button is one call of these."""

from fathometer.api.records import Inspection, Study
from fathometer.api.verbs import (
    compare,
    demo_data,
    fresh_folder,
    inspect,
    judge,
    open_model,
    predict,
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

__all__ = [
    "RESULT_FORMAT",
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
    "fresh_folder",
    "inspect",
    "judge",
    "open_model",
    "predict",
    "replay",
    "report",
    "resume",
]
