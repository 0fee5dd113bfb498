"""Measures on your own data whether classical machine learning or deep learning is needed.

    import fathometer as fm

    study = fm.compare("churn.csv", target="Churn", budget="5m")
    print(study.verdict.sentence)
    study.model.predict(new_rows)

Nothing heavy is loaded before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fathometer.api import (
        Study,
        compare,
        inspect,
        judge,
        open_model,
        pack,
        predict,
        replay,
        resume,
    )
    from fathometer.estimator import FathomClassifier, FathomRegressor

__version__ = "0.1.0"

IN_API = (
    "Study",
    "compare",
    "inspect",
    "judge",
    "open_model",
    "pack",
    "predict",
    "replay",
    "resume",
)
IN_ESTIMATOR = ("FathomClassifier", "FathomRegressor")
PLACES = dict.fromkeys(IN_API, "fathometer.api") | dict.fromkeys(IN_ESTIMATOR, "fathometer.estimator")

__all__ = [
    "FathomClassifier",
    "FathomRegressor",
    "Study",
    "compare",
    "inspect",
    "judge",
    "open_model",
    "pack",
    "predict",
    "replay",
    "resume",
]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(importlib.import_module(PLACES[name]), name)
    raise AttributeError(f"module 'fathometer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
