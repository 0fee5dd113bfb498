"""Refuse cells that unpack to far more than was sent, pictures say, before any is unpacked."""

from __future__ import annotations

import pandas as pd

from fathometer.bundle.asking import tidied
from fathometer.data.schema import Schema
from fathometer.kind import Kind, kind_named
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError


class Packed:
    """The columns of a model whose cells are packed; looked for once, for questions are checked one by one."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        kinds = {column.name: kind_named(column.kind) for column in schema.columns}
        self._kinds = {name: kind for name, kind in kinds.items() if type(kind).claimed is not Kind.claimed}

    def check(self, frame: pd.DataFrame, limits: Limits) -> None:
        """Refuse rows whose pictures have too many pixels by what their headers say.

        Raises:
            RefusedError: 413.
        """
        if not self._kinds:
            return
        cells = tidied(frame, self._schema)  # names with other blanks are read too
        claimed = sum(kind.claimed(cells[name]) for name, kind in self._kinds.items() if name in cells)
        if claimed > limits.pixels:
            raise RefusedError(
                413,
                f"The pictures have {claimed / 1e6:,.0f} megapixels together, and {limits.pixels / 1e6:,.0f} are read "
                "at once (transparent ones count twice, deeper than 8 bits four times). Send fewer, or smaller ones.",
            )
