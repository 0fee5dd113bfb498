"""A result made by hand that has a pre-trained model beside the two families."""

from __future__ import annotations

import copy
from typing import Any

from samples import classification

ENCODER = {
    "name": "all-MiniLM-L6-v2",
    "kind": "text",
    "folder": "/models/all-MiniLM-L6-v2",
    "form": "onnx",
    "digest": "5f" * 32,
    "licence": "Apache-2.0",
    "size_bytes": 90_868_376,
    "learned_from": "a billion pairs of sentences",
    "width": 384,
}


def with_pretrained() -> dict[str, Any]:
    """Every field of a study of two classes; a pre-trained model is ahead of classical ML by 4 points."""
    result = classification()
    result["encoders"] = [ENCODER]
    result["table"]["pretrained"] = {
        **copy.deepcopy(result["table"]["deep"]),
        "name": "pretrained",
        "score": {"score": 84.8, "low": 83.9, "high": 85.7, "fold_scores": [84.8] * 5},
        "best": "linear model on a frozen encoder",
        "learners": ["linear model on a frozen encoder"],
        "model_bytes": 91_000_000,
    }
    for part in ("measures", "calibration"):
        result[part]["pretrained"] = copy.deepcopy(result[part]["deep"])
    for part in ("curves", "mistakes", "fairness"):
        competitors = result[part]["competitors"]
        competitors["pretrained"] = copy.deepcopy(competitors["deep"])
    result["prices"]["families"]["pretrained"] = copy.deepcopy(result["prices"]["families"]["deep"])
    result["effort"]["families"]["pretrained"] = copy.deepcopy(result["effort"]["families"]["deep"])
    result["folds"]["pretrained"] = copy.deepcopy(result["folds"]["deep"])
    result["leaderboard"] += [
        {**one, "family": "pretrained", "title": f"head {k}"}
        for k, one in enumerate(result["leaderboard"][:2])
    ]
    result["verdict"] |= _verdict()
    return result


def _verdict() -> dict[str, Any]:
    told = "Deep learning would catch up with the pre-trained model near 30,000 rows to learn from."
    chances = {"p_better": 0.97, "p_same": 0.02, "p_worse": 0.01}
    steps = [
        {"factor": factor, "rows": round(4_700 * factor), **chances, "gap": 4.0, "low": 3.1, "high": 4.9}
        for factor in (1.0, 2.0, 4.0, 8.0, 16.0)
    ]
    contrast = {"first": "classical", "second": "pretrained", "gap": 4.0, "low": 3.0, "high": 5.0, "folds": 5}
    return {
        "answer": "pretrained",
        "sentence": "A pre-trained model pays: P(better than classical ML by more than 0.5 points) = 97 %.",
        "use": "pretrained",
        "pretrained": {
            "against": "classical",
            "contrast": {**contrast, "unit": "points", "margin": 0.5},
            **chances,
            "between": "classical",
            "encoders": [ENCODER],
            "sentence": "A sentence.",
            "more_rows": told,
            "outlook": {"rows": 4_700, "factors": steps, "note": "The forecast was learned elsewhere."},
        },
    }
