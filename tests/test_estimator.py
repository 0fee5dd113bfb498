"""The scikit-learn estimators: scikit-learn's own checks first, then what is ours."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fathometer
from fathometer import FathomClassifier, FathomRegressor

SHORT: dict[str, Any] = {"learners": ("linear", "mlp"), "recipes": 1, "engine": "inline", "random_state": 0}
"""Settings with which a fit takes a second, and does not depend on the clock."""

FEW_ROWS = "fits on fewer than 20 rows, which is too few to learn from, choose by and judge by"
EXCUSED = {
    "check_fit2d_1feature": f"{FEW_ROWS}: 10 rows",
    "check_n_features_in_after_fitting": f"{FEW_ROWS}: 15 rows",
    "check_classifier_data_not_an_array": f"{FEW_ROWS}: 12 rows",
    "check_regressors_no_decision_function": f"{FEW_ROWS}: 10 rows",
}

SINGLE_PRECISION = ("check_methods_subset_invariance", "check_methods_sample_order_invariance")
"""These demand equal answers to 1e-7 or better, and networks answer in single precision; a test of ours asks less."""


def excused(estimator: Any) -> dict[str, str]:
    """The excuses that concern this estimator."""
    other = "_regressor" if isinstance(estimator, FathomClassifier) else "_classifier"
    return {check: why for check, why in EXCUSED.items() if other not in check}


@parametrize_with_checks(
    [FathomClassifier(**SHORT), FathomRegressor(**SHORT)], expected_failed_checks=excused, xfail_strict=True
)
def test_scikit_learns_own_checks_pass(estimator: Any, check: Any) -> None:
    if check.func.__name__ in SINGLE_PRECISION:
        estimator = clone(estimator).set_params(family="classical")
    check(estimator)


@pytest.fixture(scope="module")
def cancer() -> tuple[pd.DataFrame, pd.Series]:
    """120 rows with numbers, gaps, text, categories and truth values, and labels as text."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, y = X.iloc[:120, :4].copy(), y.iloc[:120]
    rng = np.random.default_rng(0)
    X.iloc[rng.permutation(120)[:20], 1] = np.nan
    X["clinic"] = pd.Categorical(rng.choice(["north", "south", None], 120))
    X["size"] = np.where(X["mean radius"] > 14, "large", "small")
    X["seen"] = rng.random(120) < 0.5
    return X.set_index(np.arange(500, 620)), y.map({0: "malignant", 1: "benign"}).rename("diagnosis")


@pytest.fixture(scope="module")
def fitted(cancer: tuple[pd.DataFrame, pd.Series]) -> FathomClassifier:
    """Fitted on these rows; not to be changed."""
    return FathomClassifier(**SHORT).fit(*cancer)


def test_mixed_columns_of_a_frame_are_learned_as_what_they_are(fitted: FathomClassifier, cancer: Any) -> None:
    X, y = cancer
    kinds = fitted.study_.model.schema.kinds
    assert (kinds["mean radius"], kinds["clinic"], kinds["size"]) == ("number", "category", "category")
    assert fitted.feature_names_in_.tolist() == list(X.columns) and fitted.n_features_in_ == 7
    assert fitted.score(X, y) > 0.85


def test_probabilities_are_in_the_order_of_the_classes(fitted: FathomClassifier, cancer: Any) -> None:
    X, _ = cancer
    shares = fitted.predict_proba(X)
    assert fitted.classes_.tolist() == ["benign", "malignant"]
    assert shares.shape == (120, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    answers = fitted.study_.model.predict(X, fitted.family)
    np.testing.assert_allclose(shares[:, 1], answers["probability_malignant"])
    assert fitted.predict(X).tolist() == answers["prediction"].tolist()


def test_the_verdict_comes_with_the_model(fitted: FathomClassifier) -> None:
    assert fitted.verdict_ == fitted.study_.verdict
    assert fitted.verdict_.use in ("classical", "deep", "together", "baseline")
    with pytest.raises(NotFittedError):
        _ = FathomClassifier().verdict_


def test_a_short_plan_tries_the_same_in_both_families_once_over_the_folds(fitted: FathomClassifier) -> None:
    tried = {(attempt.family, attempt.learner, attempt.folds) for attempt in fitted.study_.attempts}
    assert tried == {("baseline", "baseline", 5), ("classical", "linear", 5), ("deep", "mlp", 5)}


def test_the_family_asked_for_answers(fitted: FathomClassifier, cancer: Any) -> None:
    X, _ = cancer
    for family in ("classical", "deep", "together"):
        chosen = copy.deepcopy(fitted).set_params(family=family)
        told = fitted.study_.model.predict(X, family)["probability_benign"]
        np.testing.assert_allclose(chosen.predict_proba(X)[:, 0], told)


def test_answers_do_not_depend_on_the_other_rows_asked(fitted: FathomClassifier, cancer: Any) -> None:
    X, _ = cancer
    chosen = copy.deepcopy(fitted).set_params(family="deep")
    together = chosen.predict_proba(X)
    alone = np.vstack([chosen.predict_proba(X.iloc[[row]]) for row in range(0, 120, 10)])
    np.testing.assert_allclose(alone, together[::10], atol=1e-5)
    np.testing.assert_allclose(chosen.predict_proba(X.iloc[::-1]), together[::-1], atol=1e-5)


def test_columns_in_another_order_are_refused(fitted: FathomClassifier, cancer: Any) -> None:
    X, _ = cancer
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.predict(X[X.columns[::-1]])


def test_a_pickled_copy_answers_alike_when_the_first_is_gone(cancer: Any) -> None:
    X, y = cancer
    first = FathomClassifier(**SHORT).fit(X, y)
    told, folder = first.predict_proba(X), first.study_.folder
    written = pickle.dumps(first)
    assert folder.exists()
    del first
    gc.collect()
    assert not folder.exists()
    again = pickle.loads(written)  # noqa: S301 (our own, just written)
    np.testing.assert_array_equal(again.predict_proba(X), told)
    assert again.study_.model.predict(X)["prediction"].tolist() == again.predict(X).tolist()
    assert again.study_.leaderboard.shape[0] == 3


def test_an_estimator_that_was_never_fitted_can_be_pickled() -> None:
    again = pickle.loads(pickle.dumps(FathomRegressor(margin=2.0)))  # noqa: S301 (our own, just written)
    assert again.get_params() == FathomRegressor(margin=2.0).get_params()


@pytest.mark.parametrize(
    "labels",
    [
        [3, 10, -1],
        [True, False],
        [0.0, 1.0],
        ["yes", "no"],
        ["NULL", "nan", "given"],  # words that programs write for "no value"
        [" a", "a", "b"],  # alike but for a blank
    ],
    ids=str,
)
def test_labels_come_back_as_they_were(labels: list[Any]) -> None:
    X, codes = make_classification(60, 4, n_classes=len(labels), n_clusters_per_class=1, random_state=0)
    y = np.array(labels)[codes]
    chosen = FathomClassifier(**SHORT).fit(X, y)
    answers = chosen.predict(X)
    assert answers.dtype == y.dtype
    assert chosen.classes_.tolist() == sorted(labels)
    assert (answers == y).mean() > 0.6


def test_a_class_too_rare_to_be_learned_is_told_and_never_predicted() -> None:
    X, y = make_classification(60, 4, random_state=0)
    y[:3] = 7
    with pytest.warns(UserWarning, match=r"never predicted: \[.*7"):
        chosen = FathomClassifier(**SHORT).fit(X, y)
    assert chosen.classes_.tolist() == [0, 1, 7]
    shares = chosen.predict_proba(X)
    assert (shares[:, 2] == 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_same_seed_same_answers_and_another_seed_others() -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:80], y[:80]
    told = [
        FathomRegressor(**SHORT | {"random_state": seed}).fit(X, y).predict(X)
        for seed in (5, 5, np.random.RandomState(5), np.random.RandomState(5), 6)
    ]
    np.testing.assert_array_equal(told[0], told[1])
    np.testing.assert_array_equal(told[2], told[3])
    assert not np.array_equal(told[0], told[4])


def test_it_works_in_pipelines_cross_validation_and_searches() -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:60], y[:60]
    line = make_pipeline(StandardScaler(), FathomRegressor(**SHORT))
    assert np.isfinite(cross_val_score(line, X, y, cv=2)).all()
    search = GridSearchCV(line, {"fathomregressor__family": ["classical", "deep"]}, cv=2, refit=False)
    assert len(search.fit(X, y).cv_results_["params"]) == 2


def test_frames_of_polars_are_taken_too() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X, y = X.iloc[:60], y.iloc[:60]
    chosen = FathomRegressor(**SHORT).fit(polars.from_pandas(X), polars.from_pandas(y))
    assert chosen.feature_names_in_.tolist() == list(X.columns)
    np.testing.assert_array_equal(chosen.predict(X), chosen.predict(polars.from_pandas(X)))


def test_every_fit_leaves_its_run_where_asked(tmp_path: Any) -> None:
    X, y = make_classification(60, 4, random_state=0)
    chosen = FathomClassifier(**SHORT, out=tmp_path).fit(X, y)
    first = chosen.study_.folder
    second = clone(chosen).fit(X, y).study_.folder
    assert first.parent == second.parent == tmp_path and first != second
    del chosen
    gc.collect()
    assert fathometer.judge(first).verdict == fathometer.judge(second).verdict


def test_trials_in_processes_of_their_own_give_the_same_answers() -> None:
    X, y = make_classification(60, 4, random_state=0)
    here = FathomClassifier(**SHORT).fit(X, y)
    there = FathomClassifier(**SHORT | {"engine": "local"}).fit(X, y)
    np.testing.assert_allclose(here.predict_proba(X), there.predict_proba(X), atol=1e-6)


def test_every_column_is_learned_from_when_asked() -> None:
    X, y = make_classification(60, 4, random_state=0)
    X[:, 1] = 5.0
    X[:, 2] = np.arange(60)
    assert FathomClassifier(**SHORT).fit(X, y).study_.model.schema.names == ("x0", "x3")
    everything = FathomClassifier(**SHORT, keep="all").fit(X, y)
    assert everything.study_.model.schema.names == ("x0", "x1", "x2", "x3")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kinds": {"x9": "number"}}, "There is no column 'x9'"),
        ({"budget": "soon"}, "A budget is a length of time"),
        ({"metric": "rmse"}, "The metric 'rmse' is for regression"),
        ({"family": "shallow"}, "family is None or one of"),
        ({"engine": "steam"}, "There is no engine 'steam'"),
        ({"recipes": 0}, "At least one recipe"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings: dict[str, Any], says: str) -> None:
    X, y = make_classification(60, 4, random_state=0)
    with pytest.raises(ValueError, match=says):
        FathomClassifier(**SHORT | settings).fit(X, y)


def test_data_that_cannot_be_learned_from_is_refused_in_a_sentence(cancer: Any) -> None:
    X, y = cancer
    with pytest.raises(ValueError, match="at least 20 rows"):
        FathomRegressor(**SHORT).fit(X[:19], np.arange(19))
    with pytest.raises(ValueError, match="at least two classes"):
        FathomClassifier(**SHORT).fit(X, np.ones(120))
    with pytest.raises(ValueError, match="infinity in column 'mean radius'"):
        FathomClassifier(**SHORT).fit(X.assign(**{"mean radius": np.inf}), y)
    with pytest.raises(ValueError, match="the same value '1' in every row"):
        FathomRegressor(**SHORT).fit(X, np.ones(120))


def test_without_a_trial_of_both_families_there_is_nothing_to_answer_with() -> None:
    X, y = make_classification(60, 4, random_state=0)
    with pytest.raises(ValueError, match="at least one classical and one deep learner"):
        FathomClassifier(**SHORT | {"learners": ("linear",)}).fit(X, y)
