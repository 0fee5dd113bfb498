"""scikit-learn estimators over `fathometer.compare`: fit runs a whole study, predict answers with the chosen model.

from fathometer import FathomClassifier

chosen = FathomClassifier(budget="2m").fit(X, y)
print(chosen.verdict_.sentence)
chosen.predict_proba(X_new)
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import assert_all_finite, check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fathometer.api import Study, Verdict, compare, open_model
from fathometer.bundle import Bundle
from fathometer.data.column_names import tidy_names
from fathometer.data.labels import label_text
from fathometer.errors import UserError
from fathometer.kinds._cells import MACHINE_WORDS
from fathometer.study.prepare import ROWS_LEAST

FAMILIES = ("classical", "deep", "together", "pretrained")


class _Fathom(BaseEstimator):  # type: ignore[misc]
    """What both estimators share."""

    study_: Study
    _home: _Home
    _names: list[str]

    def __init__(
        self,
        budget: str | float = "60s",
        *,
        family: str | None = None,
        metric: str | None = None,
        margin: float | None = None,
        kinds: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        keep: Sequence[str] | str = (),
        group: str | None = None,
        time_column: str | None = None,
        learners: Sequence[str] | None = None,
        pretrained: Sequence[str] = (),
        recipes: int | None = None,
        workers: int | None = None,
        engine: str = "local",
        out: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.budget = budget
        self.family = family
        self.metric = metric
        self.margin = margin
        self.kinds = kinds
        self.drop = drop
        self.keep = keep
        self.group = group
        self.time_column = time_column
        self.learners = learners
        self.pretrained = pretrained
        self.recipes = recipes
        self.workers = workers
        self.engine = engine
        self.out = out
        self.random_state = random_state

    @property
    def verdict_(self) -> Verdict:
        """Which of the two was needed, and how sure that is."""
        check_is_fitted(self)
        study: Study = self.study_
        return study.verdict

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        # `categorical` stays unset, as in scikit-learn's boosted trees: with it, the checks round X to whole numbers
        # how far a budget reaches depends on the machine and what else it does; a short plan has no clock in it
        tags.non_deterministic = self.recipes is None
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "study_" in state:
            state["study_"] = replace(
                state["study_"]
            )  # without the loaded model, which `_home` carries as files
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_home" in state:
            self.study_ = replace(self.study_, folder=self._home.folder)

    def _study(self, frame: pd.DataFrame, cells: pd.Series, task: str) -> None:
        """Run the study and keep its model."""
        if self.family is not None and self.family not in FAMILIES:
            raise ValueError(f"family is None or one of {', '.join(FAMILIES)}; got {self.family!r}.")
        if len(frame) < ROWS_LEAST:
            raise ValueError(
                f"Expected at least {ROWS_LEAST} rows to learn from and judge by, got n_samples = {len(frame)}."
            )
        home = _Home(_run_folder(self.out), is_ours=self.out is None)
        try:
            study = compare(
                pd.concat([frame, cells], axis=1),
                str(cells.name),
                budget=self.budget,
                out=home.folder,
                kinds=self.kinds,
                drop=self.drop,
                keep=tuple(frame.columns) if isinstance(self.keep, str) and self.keep == "all" else self.keep,
                group=self.group,
                time_column=self.time_column,
                task=task,
                metric=self.metric,
                margin=self.margin,
                learners=self.learners or (),
                pretrained=self.pretrained,
                recipes=self.recipes,
                seed=self._seed(),
                workers=self.workers,
                engine=self.engine,
            )
        except UserError as error:
            raise ValueError(str(error)) from error
        if not study.outcome.folds:
            raise RuntimeError(f"{study.verdict.sentence} {study.verdict.next_step}")
        if self.family is not None and self.family not in study.outcome.results:
            raise RuntimeError(
                "Expected a pre-trained model to answer, but the study has none that got ready. Name an encoder with "
                "pretrained=, give it more time, or leave family out."
            )
        self._home = home
        self.study_ = study

    def _raw(self, X: Any) -> npt.NDArray[np.float64]:
        """(rows,) numbers or (rows, learned classes) probabilities."""
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        bundle = self._home.model
        return bundle.predict_raw(bundle.schema.read(frame), self.family)

    def _frame(self, X: Any, *, reset: bool) -> pd.DataFrame:
        """X under the names used in training, whatever it was; mixed columns keep their types in a DataFrame."""
        if not isinstance(X, pd.DataFrame) and hasattr(X, "to_pandas"):
            X = X.to_pandas()
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            _check_frame(X)
            frame, names = X, tidy_names(X.columns)[0]
        else:
            array = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite="allow-nan")
            frame = pd.DataFrame(array)
            names = [f"x{place}" for place in range(array.shape[1])]
        if reset:
            self._names = names
        return frame.set_axis(self._names, axis=1).reset_index(drop=True)

    def _target_name(self, y: Any) -> str:
        """A column name that X does not have: y's own, if it has one."""
        own = y.name if isinstance(y, pd.Series) and isinstance(y.name, str) and y.name.strip() else "y"
        name = tidy_names([own])[0][0]
        while name in self._names:
            name += "_"
        return name

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))


class FathomClassifier(ClassifierMixin, _Fathom):  # type: ignore[misc]
    """Predict classes with whichever of classical and deep learning the rows call for.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> chosen = FathomClassifier("30s", learners=("linear", "mlp"), recipes=1, random_state=0).fit(X, y)
    >>> chosen.predict(X[:2]).tolist()
    [0, 0]

    Args:
        budget: wall time of `fit`, as "90s", "5m", "1h"; at least ten seconds.
        family: who answers: "classical", "deep", "together", or "pretrained" where the study has such a model; None:
            the verdict's choice.
        metric: what decides, such as "accuracy", "log_loss"; None: found out.
        margin: the smallest difference that matters, in points, or per cent for losses.
        kinds, drop, keep, group, time_column: as in `fathometer.compare`, by column name; columns of arrays are called
            x0, x1, ... `keep="all"` learns from every column, whatever the audit says of it.
        learners: only these; None: all.
        pretrained: encoders for words and pictures, as in `fathometer.compare`; ("none",): none.
        recipes: at most so many of each family, and no search: `fit` ends before its budget, and the same
            `random_state` gives the same answers. None: whatever the budget allows.
        workers: trials at a time; None: one per core.
        engine: "local": each trial in a process of its own; "inline": all in this one, for tiny data.
        out: folder under which every fit leaves its run; None: a temporary one that goes with the estimator.
        random_state: all randomness comes from it.

    Attributes:
        classes_: the labels in y, sorted. n_features_in_, feature_names_in_: of X. verdict_: the answer.
        study_: everything measured; see `fathometer.Study`.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Run a study on X (rows, columns) and y (rows,) within the budget.

        Raises:
            ValueError: the data cannot be learned from; the sentence says why.
            RuntimeError: the budget was too small for both families to finish a fold.
        """
        _demand_target(self, y)
        frame = self._frame(X, reset=True)
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        check_consistent_length(frame, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"Expected at least two classes in y, got one class: {self.classes_[0]!r}.")
        names = _label_names(self.classes_)
        cells = pd.Series(np.array(names, dtype=object)[codes], name=self._target_name(y))
        self._study(frame, cells, "classification")
        known = self._home.model.task.to_json()["labels"]
        self._learned = np.array([names.index(label) for label in known])
        if len(known) < len(names):
            rare = [label for label in self.classes_ if names[list(self.classes_).index(label)] not in known]
            warnings.warn(
                f"These classes have too few rows to be learned and are never predicted: {rare}.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """(rows, classes) probabilities; columns as in `classes_`, 0 for a class too rare to be learned."""
        raw = self._raw(X)
        shares = np.zeros((len(raw), len(self.classes_)))
        shares[:, self._learned] = raw
        return shares

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """(rows,) the likeliest labels, of the type they had in y."""
        shares = self.predict_proba(X)
        answers: npt.NDArray[Any] = self.classes_[shares.argmax(axis=1)]
        return answers


class FathomRegressor(RegressorMixin, _Fathom):  # type: ignore[misc]
    """Predict numbers with whichever of classical and deep learning the rows call for.

    Settings and attributes are those of `FathomClassifier`, without `classes_`; `metric` is "rmse" or "mae".
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Run a study on X (rows, columns) and y (rows,) within the budget.

        Raises:
            ValueError: the data cannot be learned from; the sentence says why.
            RuntimeError: the budget was too small for both families to finish a fold.
        """
        _demand_target(self, y)
        frame = self._frame(X, reset=True)
        numbers = column_or_1d(y, dtype=np.float64, warn=True)
        assert_all_finite(numbers, input_name="y")
        check_consistent_length(frame, numbers)
        self._study(frame, pd.Series(numbers, name=self._target_name(y)), "regression")
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """(rows,) numbers, in the unit of y."""
        return self._raw(X)


class _Home:
    """The folder of an estimator's run, removed with the estimator if it is ours.

    Pickled, it is the bytes of the model's files; unpickled, these files in a folder of their own.
    """

    def __init__(self, folder: Path, *, is_ours: bool) -> None:
        self.folder = folder
        if is_ours:
            weakref.finalize(self, _remove, folder, os.getpid())
        self._model: Bundle | None = None

    @property
    def model(self) -> Bundle:
        """The model, opened when first asked for."""
        if self._model is None:
            self._model = open_model(self.folder)
        return self._model

    def __getstate__(self) -> dict[str, bytes]:
        place = self.folder / "model"
        files = (path for path in sorted(place.rglob("*")) if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in files}

    def __setstate__(self, files: Mapping[str, bytes]) -> None:
        self.__init__(_run_folder(None), is_ours=True)  # type: ignore[misc]
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _run_folder(out: str | Path | None) -> Path:
    """A fresh folder; several processes that fit at a time never get the same one."""
    if out is None:
        return Path(tempfile.mkdtemp(prefix="fathometer-"))
    folder = Path(out) / f"run-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return folder


def _remove(folder: Path, owner: int) -> None:
    # a forked process that drops its copy of the estimator must not take the folder from its parent
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _demand_target(estimator: _Fathom, y: Any) -> None:
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")


def _check_frame(frame: pd.DataFrame) -> None:
    """What check_array checks of an array, in its words."""
    if not len(frame):
        raise ValueError(
            f"Found array with 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required."
        )
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if dtype.kind == "f" and np.isinf(frame[column].to_numpy(dtype=np.float64, na_value=np.nan)).any():
            raise ValueError(f"Input X contains infinity in column {column!r}.")


def _label_names(classes: npt.NDArray[Any]) -> list[str]:
    """The classes as text; numbered where their texts are missing, alike, or mean "no value"."""
    text = label_text(pd.Series(classes))
    if text.isna().any() or text.duplicated().any() or text.isin(MACHINE_WORDS).any():
        return [f"class {place}" for place in range(len(classes))]
    return [str(label) for label in text]
