"""Golden rows: made-up rows with what the model answered when it was made; who answers otherwise is not that model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fathometer.bundle.format import GOLDEN
from fathometer.bundle.reference import drawn_cells
from fathometer.data.rows import Rows
from fathometer.data.wire import from_wire, to_wire
from fathometer.errors import BadBundle, UserError
from fathometer.learner import LEARNERS

if TYPE_CHECKING:
    from fathometer.bundle.read import Bundle

GOLDEN_ROWS = 32
TOLERANCE = 1e-6
"""Of a probability, or of the largest number among the answers: what another processor may make of the same sums."""
COARSE = "fathometer.learners.pretrained."
COARSE_TOLERANCE = 0.02
"""Where an encoder reads: it may do so in bfloat16, of which each processor makes its own (measured: up to 0.002)."""


def golden_of(bundle: Bundle, reference: Mapping[str, Any] | None) -> dict[str, Any]:
    """Made-up rows as they travel, and what every competitor answers to them: plain data."""
    cells = drawn_cells(reference, bundle.schema, GOLDEN_ROWS)
    columns = {str(name): [to_wire(cell) for cell in cells[name]] for name in cells}
    golden = {"columns": list(columns), "rows": [list(row) for row in zip(*columns.values(), strict=True)]}
    # read from what is written, for that is what is read when it is checked
    rows = bundle.schema.read(_frame(golden))
    return golden | {"answers": {name: bundle.predict_raw(rows, name).tolist() for name in bundle.mixes}}


def golden_frame(bundle: Bundle) -> pd.DataFrame:
    """The golden rows as cells, every input column of the model; no rows where it was made without.

    Raises:
        BadBundle: they are not what they should be.
    """
    return _read(bundle)[0]


def check_golden(bundle: Bundle, tolerance: float = TOLERANCE, family: str | None = None) -> int:
    """Have competitors answer the golden rows as they did when the model was made; how many rows there are.

    Args:
        family: the one that is asked; all unless given, and all are loaded then.

    Raises:
        BadBundle: one answers otherwise, or the rows are not what they should be.
    """
    frame, answers = _read(bundle)
    rows = bundle.schema.read(frame)
    for name, told in answers.items():
        if family not in (None, name):
            continue
        off, allowed = _distance(bundle, name, rows, told), _allowed(bundle, name, tolerance)
        if not off <= allowed:  # also where it is no number
            raise BadBundle(
                f"{name!r} of {bundle.name} answers its golden rows otherwise than when it was made: off by {off:.1g}, "
                f"and {allowed:.0e} is allowed. Install the versions in its requirements.txt, or make it again."
            )
    return len(rows)


def _allowed(bundle: Bundle, name: str, tolerance: float) -> float:
    """How far a competitor may be off."""
    learners = {bundle.learners[key] for mix in bundle.mixes[name] for key in mix}
    reads_coarsely = any(LEARNERS.place(learner).startswith(COARSE) for learner in learners)
    return max(tolerance, COARSE_TOLERANCE) if reads_coarsely else tolerance


def _distance(bundle: Bundle, name: str, rows: Rows, told: Mapping[str, Any] | list[Any]) -> float:
    """The largest difference, of probabilities as they are, of numbers in parts of the largest."""
    said = bundle.predict_raw(rows, name)
    try:
        wanted = np.asarray(told, dtype=np.float64)
        if said.shape != wanted.shape:
            raise ValueError(f"answers of {name!r} of shape {wanted.shape}, expected {said.shape}")
    except (TypeError, ValueError, OverflowError) as error:
        raise _damaged(bundle, error) from error
    size = 1.0 if bundle.task.outputs > 1 else float(np.abs(wanted).max(initial=0.0)) or 1.0
    return float(np.abs(said - wanted).max(initial=0.0)) / size


def _read(bundle: Bundle) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows as cells, and the answers of each competitor."""
    golden = bundle.golden
    if golden is None:
        return _frame({"columns": bundle.schema.names, "rows": []}), {}
    try:
        columns, answers = list(golden["columns"]), dict(golden["answers"])
        if len(set(columns)) < len(columns) or set(columns) != set(bundle.schema.names):
            raise ValueError("its columns are not the model's")
        if any(not isinstance(row, list) or len(row) != len(columns) for row in golden["rows"]):
            raise ValueError("a row has not one cell for each column")
        if set(answers) != set(bundle.mixes):
            raise ValueError("its answers are not those of the model's competitors")
        return _frame(golden), answers
    except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise _damaged(bundle, error) from error


def _frame(golden: Mapping[str, Any]) -> pd.DataFrame:
    names, rows = golden["columns"], golden["rows"]
    cells = {
        name: pd.Series([from_wire(row[place]) for row in rows], dtype=object)
        for place, name in enumerate(names)
    }
    return pd.DataFrame(cells, index=pd.RangeIndex(len(rows)))


def _damaged(bundle: Bundle, error: Exception) -> BadBundle:
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    return BadBundle(f"{GOLDEN} of {bundle.name} is not what it should be: {reason}. Make the model again.")
