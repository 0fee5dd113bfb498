"""What a run folder says of itself, and what one competitor made of one fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import read_json
from fathometer.errors import BadRun
from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.study.ledger import RUN_FORMAT
from fathometer.task import Prediction


@dataclass(frozen=True)
class FoldResult:
    """One competitor on one fold.

    rows: positions of the test rows. prediction, losses: on them. members: (trial key, weight), chosen on the
    fold's validation rows. learned: rows that were learned from and chosen by.
    """

    fold: str
    repeat: int
    rows: npt.NDArray[np.intp]
    prediction: Prediction
    losses: npt.NDArray[np.float64]
    valid_loss: float
    members: tuple[tuple[str, float], ...]
    learned: int = 0


def families_of(run: Mapping[str, Any], listed: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The families that share a run's budget: the two, and the pre-trained where it has an encoder and a learner.

    Where an encoder is to be trained first, on rows without answers, the third has its share from the beginning.

    Args:
        listed: learners as they were listed, or trials: each with its "family".
    """
    has_learner = bool(run.get("encoders")) and any(one["family"] == PRETRAINED for one in listed)
    return (*FAMILIES, PRETRAINED) if has_learner or run.get("unlabelled") else FAMILIES


def read_run(folder: Path) -> dict[str, Any]:
    """What was asked and understood.

    Raises:
        BadRun: no run there, or one of another format.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise BadRun(
            f"{folder} holds no run: there is no run.json in it. Give the folder that compare wrote."
        )
    try:
        run: dict[str, Any] = dict(read_json(path))
    except (ValueError, TypeError) as error:
        raise BadRun(f"{path} is damaged ({error}). Restore it from a copy, or run compare again.") from error
    if run.get("format") != RUN_FORMAT:
        raise BadRun(
            f"{folder} is a run of format {run.get('format')}, and this version reads {RUN_FORMAT}. Run compare again."
        )
    for name in ("rows.feather", "folds.safetensors"):
        if not (folder / name).is_file():
            raise BadRun(
                f"{folder} is incomplete: {name} is missing. Restore it from a copy, or run compare again."
            )
    return run
