"""Measure FLAML on one split; runs in FLAML's own virtual environment."""

import time
from importlib.metadata import version
from typing import Any, Final

import catboost  # noqa: F401  (loaded here so that the peer is not charged for it)
import lightgbm  # noqa: F401
import numpy as np
import xgboost  # noqa: F401
from flaml import AutoML
from measure import PeerArguments, PeerRun, PeerTables, measure, parse_arguments

METRIC_NAMES: Final = {"accuracy": "accuracy", "log_loss": "log_loss", "rmse": "rmse"}


def fit(arguments: PeerArguments, tables: PeerTables) -> AutoML:
    """Search for the whole budget with FLAML's defaults: no stacking, no early stop, all cores."""
    automl = AutoML()
    automl.fit(
        X_train=tables.train.drop(columns=arguments.target),
        y_train=tables.train[arguments.target],
        task=arguments.task,
        metric=METRIC_NAMES[arguments.metric],
        time_budget=arguments.budget_seconds,
        early_stop=False,
        seed=0,
        verbose=1,
    )
    return automl


def predict(arguments: PeerArguments, automl: AutoML, tables: PeerTables) -> PeerRun:
    """Predict the test rows; the seconds are those of the labels (or numbers) alone."""
    if automl.best_estimator is None or automl.model is None:
        raise RuntimeError("no model was trained within the budget")
    started = time.perf_counter()
    predicted = np.asarray(automl.predict(tables.test_features))
    predict_seconds = time.perf_counter() - started
    details: dict[str, Any] = {
        "model": automl.best_estimator,
        "configuration": {name: str(value) for name, value in automl.best_config.items()},
        "validation_loss": float(automl.best_loss),
    }
    if arguments.task == "regression":
        return PeerRun(predicted, None, (), predict_seconds, details)
    probabilities = np.asarray(automl.predict_proba(tables.test_features), dtype=np.float64)
    return PeerRun(predicted, probabilities, tuple(automl.classes_.tolist()), predict_seconds, details)


def main() -> None:
    """Run one measurement and write its result file."""
    arguments = parse_arguments(__doc__ or "")
    measure(
        "flaml",
        version("flaml"),
        arguments,
        lambda tables: fit(arguments, tables),
        lambda automl, tables: predict(arguments, automl, tables),
    )


if __name__ == "__main__":
    main()
