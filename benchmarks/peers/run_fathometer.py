"""Measure this product on one split, as the peers are measured."""

import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import (
    PeerArguments,
    PeerRun,
    PeerTables,
    classification_scores,
    measure,
    parse_arguments,
    regression_scores,
)

import fathometer as fm
from fathometer.data.labels import label_text

COMPETITORS = ("together", "classical", "deep")


def fit(arguments: PeerArguments, folder: Path) -> fm.Study:
    """The main job, from the file to the model; it is told that the split is random, as the peers assume."""
    return fm.compare(
        str(arguments.train_path),
        arguments.target,
        budget=arguments.budget_seconds,
        out=folder,
        task=arguments.task,
        metric=arguments.metric,
        time_column="none",
    )


def predict(arguments: PeerArguments, study: fm.Study, tables: PeerTables) -> PeerRun:
    """Answers of both families together; those of each alone, and of the verdict's choice, go into the details."""
    runs = {name: _answers(arguments, study, tables, name) for name in COMPETITORS}
    together = runs["together"]
    together.details.update(_details(study))
    together.details["scores"] = {name: _scores(run, tables) for name, run in runs.items()}
    return together


def _answers(arguments: PeerArguments, study: fm.Study, tables: PeerTables, family: str) -> PeerRun:
    started = time.perf_counter()
    answers = fm.predict(study.folder, str(arguments.test_path), family=family)
    seconds = time.perf_counter() - started
    if arguments.task == "regression":
        return PeerRun(answers["prediction"].to_numpy(dtype=np.float64), None, (), seconds, {})
    originals = pd.unique(pd.concat([tables.train[arguments.target], tables.test_target]))
    # quotes around labels in a file are the file's, not the label's
    texts = [str(text).strip("'") for text in label_text(pd.Series(originals))]
    known = dict(zip(texts, originals.tolist(), strict=True))
    columns = [name for name in answers.columns if name.startswith("probability_")]
    labels = tuple(known[name.removeprefix("probability_")] for name in columns)
    predicted = np.array([known[str(label)] for label in answers["prediction"]], dtype=object)
    if not isinstance(labels[0], str):
        predicted = predicted.astype(type(labels[0]))
    return PeerRun(predicted, answers[columns].to_numpy(dtype=np.float64), labels, seconds, {})


def _scores(run: PeerRun, tables: PeerTables) -> dict[str, float]:
    if run.probabilities is None:
        return regression_scores(tables.test_target.tolist(), run.predicted)
    return classification_scores(tables.test_target.tolist(), run.predicted, run.probabilities, run.labels)


def _details(study: fm.Study) -> dict[str, Any]:
    result = study.to_json()
    table = result["table"]
    return {
        "verdict": result["verdict"]["sentence"],
        "answer": result["verdict"]["answer"],
        "use": result["verdict"]["use"],
        "cost": result["cost"],
        "trials": {name: table[name]["trials"] for name in COMPETITORS},
        "failed": {name: table[name]["failed"] for name in COMPETITORS},
        "members": {name: table[name]["members"] for name in COMPETITORS},
        "measured": {name: table[name]["score"] for name in COMPETITORS},
        "peak_bytes": table["together"]["peak_bytes"],
        "folds": study.outcome.folds,
    }


def main() -> None:
    """Run one measurement and write its result file."""
    arguments = parse_arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        measure(
            "fathometer",
            version("fathometer"),
            arguments,
            lambda tables: fit(arguments, Path(folder) / "run"),
            lambda study, tables: predict(arguments, study, tables),
        )


if __name__ == "__main__":
    main()
