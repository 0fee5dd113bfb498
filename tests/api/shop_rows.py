"""Rows for the tests of the verbs."""

from __future__ import annotations

import numpy as np
import pandas as pd


def shop(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Customers of whom some leave; a code that tells them apart, and dates."""
    rng = np.random.default_rng(seed)
    amount, plan = rng.normal(40, 9, rows).round(2), rng.choice(["basic", "<b>plus", "pro"], rows)
    return pd.DataFrame(
        {
            "amount, €": np.where(rng.random(rows) < 0.05, np.nan, amount),
            "=plan": plan,
            "code": [f"K{number:05d}" for number in range(rows)],
            "day": [f"{day:02d}.{month:02d}.2023" for day, month in rng.integers(1, 13, (rows, 2))],
            "left": np.where(amount + 9 * (plan == "basic") > 44, "yes", "no | never"),
        }
    )
