"""Before any training: how often deep learning pays on data with such facts. A prior, no measurement."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

# Best of 7 deep against best of 7 classical learners by RMSE on the regression sets of TALENT, tuned, 15 seeds:
# deep better by more than 1 %, within 1 %, classical better by more than 1 % (github.com/LAMDA-Tabular/TALENT).
REGRESSION = (0.48, 0.23, 0.27)


@dataclass(frozen=True)
class Odds:
    """Chances that deep learning is better, that it makes no practical difference, that classical learning is better.

    They sum to one. `source` says in a sentence what they rest on.
    """

    p_deep: float
    p_tie: float
    p_classical: float
    source: str


def odds(facts: Mapping[str, float], task: str) -> Odds:
    """The odds for data with these facts: "rows", "columns", "classes", "majority" (share of the largest class).

    `task` is "classification" or "regression". Facts that are missing count as those of a typical data set. Networks
    are trained on the data alone; a difference is practical above 0.5 points of error, in regression above 1 %.
    """
    if task == "regression":
        total = sum(REGRESSION)
        p_deep, p_tie, p_classical = (share / total for share in REGRESSION)
        return Odds(
            p_deep,
            p_tie,
            p_classical,
            "From published results of tuned learners on 100 regression tables (TALENT), the same for every table; "
            "nothing was measured on this data.",
        )
    fitted = _fitted()
    inputs = np.array([_input(name, facts) for name in ("rows", "columns", "classes", "majority")])
    inputs = np.append(inputs, inputs[0] - inputs[1])  # log of rows per column
    scaled = ((inputs - np.array(fitted["centre"])) / np.array(fitted["width"])).clip(-3.0, 3.0)
    logit = np.array(fitted["weights"]) @ scaled + np.array(fitted["constants"])
    chance = np.exp(logit - logit.max())
    p_deep, p_tie, p_classical = (float(share) for share in chance / chance.sum())
    return Odds(
        p_deep,
        p_tie,
        p_classical,
        f"From learning curves of {fitted['sets']} public classification tables (LCDB 1.1) by rows, columns, classes "
        "and largest class alone; nothing was measured on this data.",
    )


def _input(name: str, facts: Mapping[str, float]) -> float:
    """One fact as the model reads it; a typical value where it is missing or senseless."""
    typical = {"rows": 2000.0, "columns": 20.0, "classes": 2.0, "majority": 0.55}
    value = float(facts.get(name, typical[name]))
    if not np.isfinite(value) or value <= 0.0:
        value = typical[name]
    return min(value, 1.0) if name == "majority" else float(np.log(max(value, 1.0)))


@cache
def _fitted() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(
        files("fathometer.verdict").joinpath("odds.json").read_text(encoding="utf-8")
    )
    return stored
