"""Have a finished model answer made-up rows, in a process of its own: learners are loaded there and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathometer.bundle.golden import check_golden, golden_of
from fathometer.bundle.read import open_bundle
from fathometer.core.files import read_json, write_json
from fathometer.errors import BadBundle


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


def main(verb: str, model: str, answer: str) -> None:
    """`golden` or `check`, as a program: writes `{"value": ...}`, or `{"refused": sentence}`, to the file `answer`."""
    try:
        told: dict[str, Any] = {"value": make_golden(model) if verb == "golden" else check_model(model)}
    except BadBundle as error:
        told = {"refused": str(error)}
    write_json(Path(answer), told)


def told_by(answer: Path) -> Mapping[str, Any]:
    """What `main` wrote."""
    told: Mapping[str, Any] = read_json(answer)
    return told


if __name__ == "__main__":
    main(*sys.argv[1:4])
