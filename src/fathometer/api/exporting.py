"""Export a model: one file that answers without this product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from fathometer.api.places import model_in
from fathometer.bundle import Bundle, open_bundle
from fathometer.data.rows import Rows
from fathometer.data.storage import FILE, read_rows
from fathometer.errors import MissingExtra

try:
    from fathometer.export import Exportable, Exported, export_onnx, exportable
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("onnx", "onnxruntime"):
        raise
    raise MissingExtra("Exporting", str(error.name), 'pip install "fathometer[export]"') from error

__all__ = ["Exportable", "Exported", "export", "exportable"]

MOST_REAL = 2_000  # rows of a run that are looked at
FOLDS = "folds.safetensors"


def export(
    model: str | Path | Bundle,
    out: str | Path,
    *,
    family: str | None = None,
    member: str | None = None,
    quantized: bool = False,
    trust_native: bool = False,
) -> Exported:
    """Write the model of a run, or of a model folder or file, as one ONNX file.

    The file is compared with the model on made-up rows, and on some of the run's where they are there, before it is put
    in place; it answers the same, or nothing is written.

    Args:
        family: "classical", "deep" or "together", or "pretrained" where the run has one; the verdict's choice unless
            given. member: one model alone instead, by its key.
        quantized: the large matrices of networks in 8 bits; what that costs is measured, on the run's rows where they
            are there.

        trust_native: whether members that only another library's own parser can read are opened too (those of CatBoost
            from the first format): for models made by people you trust alone.

    Raises:
        UserError: a model cannot be exported; it says which, why, and what to do.
    """
    if isinstance(model, Bundle):
        bundle, run = model, None
    else:
        bundle, run = _opened(Path(model), trust_native)
    real = None if run is None else _rows_of(run, bundle)
    return export_onnx(bundle, Path(out), family=family, member=member, quantized=quantized, real=real)


def _opened(path: Path, trust_native: bool) -> tuple[Bundle, Path | None]:
    """The model, and the folder of its run where that is there."""
    place = model_in(path)
    is_of_run = place.name == "model" and (place.parent / "run.json").is_file()
    return open_bundle(place, trust_native=trust_native), place.parent if is_of_run else None


def _rows_of(run: Path, bundle: Bundle) -> Rows | None:
    """Some of the run's rows, evenly spread, with their targets; None where they were not kept."""
    if not (run / FILE).is_file() or not (run / FOLDS).is_file():
        return None
    rows = read_rows(run, bundle.schema.kinds, load_file(run / FOLDS)["target"])
    places = np.linspace(0, len(rows) - 1, min(MOST_REAL, len(rows))).astype(np.intp)
    return rows.take(np.unique(places))
