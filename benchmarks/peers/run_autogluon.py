"""Measure AutoGluon's `best_quality` on one split; runs in AutoGluon's own virtual environment."""

import importlib
import tempfile
import time
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from autogluon.tabular import TabularPredictor
from measure import PeerArguments, PeerRun, PeerTables, measure, parse_arguments

METRIC_NAMES: Final = {"accuracy": "accuracy", "log_loss": "log_loss", "rmse": "root_mean_squared_error"}
# AutoGluon imports its learners when it first needs them; the peer is not charged for that.
LEARNER_MODULES: Final = ("torch", "lightgbm", "catboost", "xgboost", "fastai.tabular.all", "ray")


def _import_learners() -> None:
    """Load the learners' libraries before the clock starts; a missing one is the peer's own matter."""
    for name in LEARNER_MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not imported: {name}: {error}")


def _problem_type(arguments: PeerArguments, tables: PeerTables) -> str:
    """AutoGluon's name for the task, given rather than left to its guess from the target's values."""
    if arguments.task == "regression":
        return "regression"
    return "binary" if tables.train[arguments.target].nunique() == 2 else "multiclass"


def fit(arguments: PeerArguments, tables: PeerTables, folder: str) -> TabularPredictor:
    """Fit the documented best preset within the budget, keeping models in `folder`."""
    predictor = TabularPredictor(
        label=arguments.target,
        eval_metric=METRIC_NAMES[arguments.metric],
        problem_type=_problem_type(arguments, tables),
        path=folder,
    )
    return predictor.fit(tables.train, presets="best_quality", time_limit=arguments.budget_seconds)


def predict(predictor: TabularPredictor, tables: PeerTables) -> PeerRun:
    """Predict the test rows; the seconds are those of the labels (or numbers) alone."""
    started = time.perf_counter()
    predicted = np.asarray(predictor.predict(tables.test_features))
    predict_seconds = time.perf_counter() - started
    details: dict[str, Any] = {"model": predictor.model_best, "models": predictor.model_names()}
    if predictor.problem_type == "regression":
        return PeerRun(predicted, None, (), predict_seconds, details)
    frame = predictor.predict_proba(tables.test_features)
    probabilities = frame.to_numpy(dtype=np.float64)
    return PeerRun(predicted, probabilities, tuple(frame.columns), predict_seconds, details)


def main() -> None:
    """Run one measurement and write its result file."""
    arguments = parse_arguments(__doc__ or "")
    _import_learners()
    with tempfile.TemporaryDirectory(prefix="autogluon_", ignore_cleanup_errors=True) as folder:
        measure(
            "autogluon",
            version("autogluon.tabular"),
            arguments,
            lambda tables: fit(arguments, tables, folder),
            predict,
        )


if __name__ == "__main__":
    main()
