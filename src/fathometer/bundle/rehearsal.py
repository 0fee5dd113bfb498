"""Have a model answer made-up rows, or write a member anew: work for another process, for learners are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathometer.bundle.golden import check_golden, golden_of
from fathometer.bundle.read import open_bundle
from fathometer.core.trust import trusting
from fathometer.learner import LEARNERS


def make_golden(model: str, reference: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Golden rows for the model at this path, with what every competitor answers.

    Args:
        reference: from which the rows are drawn; the model's own unless given.
    """
    with open_bundle(Path(model)) as bundle:
        return golden_of(bundle, bundle.reference if reference is None else reference)


def check_model(model: str) -> int:
    """Open a model and have it answer its golden rows; how many there are.

    Raises:
        BadBundle: it cannot be opened, or answers otherwise than when it was made.
    """
    with open_bundle(Path(model)) as bundle:
        return check_golden(bundle)


def renew_member(learner: str, folder: str, place: str, trust_native: bool) -> str:
    """Write a fitted model anew, as it is written today; where it is.

    Raises:
        BadBundle: it is in a form that is opened only where that is trusted, and it is not.
    """
    there = Path(place)
    with trusting(trust_native):
        model = LEARNERS.get(learner).load(Path(folder))
    there.mkdir(parents=True)
    model.save(there)
    return place
