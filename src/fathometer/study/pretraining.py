"""An encoder trained on words or pictures that have no answers: the first work of the third family, where asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fathometer.core.files import write_json
from fathometer.data.encoder_files import Encoder
from fathometer.data.rows import Rows
from fathometer.data.storage import write_rows

STAGE = "pretraining"
FOLD = "unlabelled"  # its rows are of no fold
FOLDER = "unlabelled"  # in the run's folder: the rows, and the encoder that is made of them
SHARE = 0.35  # of the third family's share


def keep_unlabelled(folder: Path, rows: Rows) -> None:
    """Write the rows without answers, one column, beside the run's own."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    write_rows(folder / FOLDER, rows)


def order_of(folder: Path, told: Mapping[str, Any], seconds: float, seed: int) -> dict[str, Any]:
    """What the worker is to do. `told`: what the run's record says of the rows without answers."""
    return {
        "rows": str(folder / FOLDER),
        "column": told["column"],
        "kind": told["kind"],
        "place": str(folder / FOLDER / "encoder"),
        "seconds": seconds,
        "seed": seed,
        "learned_from": f"{told['rows']:,} values of {told['origin']}, without answers",
    }


def run_pretraining(order: dict[str, Any]) -> dict[str, Any]:
    """Train the encoder; in a worker."""
    # it loads torch, which the main program, that names this function, does not
    learning = importlib.import_module("fathometer.learners._pretraining")
    made: dict[str, Any] = learning.run_pretraining(order)
    return made


def name_encoder(folder: Path, run: dict[str, Any], made: Mapping[str, Any]) -> None:
    """Put the encoder among those of the run, in its record too."""
    encoder = Encoder(**made)
    # after a kill it may have been named before it was entered, and then trained again in the same place
    others = [
        item
        for item in run.get("encoders") or ()
        if item["digest"] != encoder.digest and item["folder"] != encoder.folder
    ]
    run["encoders"] = [*others, dict(made)]
    write_json(folder / "run.json", run)
