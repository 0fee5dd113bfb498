"""Trees of other libraries are read strictly, and answer to the last bit as the library that grew them."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

from fathometer.errors import BadBundle
from fathometer.kind import Features
from fathometer.learner import LEARNERS, Run
from fathometer.learners import _trees
from fathometer.learners._catboost_trees import cells, taken_out
from fathometer.learners._lightgbm_native import NativeTrees
from fathometer.learners._lightgbm_text import BoostedTrees, read_trees
from fathometer.learners._oblivious import ObliviousTrees
from fathometer.learners._trees import Trees
from fathometer.learners.ml.boosting import Boosting
from fathometer.testing.learners import make_toy

NUMBERS, CODED = 4, 2
COLUMNS = NUMBERS + CODED
AIMS: dict[str, tuple[dict[str, Any], int]] = {
    "l2": ({"objective": "l2"}, 1),
    "l1": ({"objective": "l1"}, 1),
    "two classes": ({"objective": "binary"}, 2),
    "five classes": ({"objective": "multiclass", "num_class": 5}, 5),
    "at random": ({"objective": "l2", "extra_trees": True}, 1),
    "hardly anything to cut": ({"objective": "l2", "min_data_in_leaf": 399}, 1),
}
SMALLEST = np.float32(1e-38)


def some_rows(count: int, seed: int) -> npt.NDArray[np.float32]:
    """Numbers of many sizes, the last two columns codes of many levels, gaps everywhere."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, COLUMNS)) * 10.0 ** rng.integers(-6, 7, size=COLUMNS)
    rows[:, NUMBERS:] = rng.integers(1, 50, size=(count, CODED))
    rows[rng.random(rows.shape) < 0.15] = np.nan
    return rows.astype(np.float32)


def grown(aim: str) -> tuple[lightgbm.Booster, str, int]:
    """A model of LightGBM's own, its text, and how many classes it answers (1: a number)."""
    settings, outputs = AIMS[aim]
    rows = some_rows(400, 0)
    signal = (
        np.tanh(np.nan_to_num(rows[:, 0])) + 5 * (np.nan_to_num(rows[:, 4]) % 5 > 2) + np.isnan(rows[:, 1])
    )
    target = (
        signal
        if outputs == 1
        else np.digitize(signal, np.quantile(signal, np.linspace(0, 1, outputs + 1)[1:-1]))
    )
    booster = lightgbm.train(
        {
            "verbosity": -1,
            "num_leaves": 12,
            "min_data_in_leaf": 3,
            "min_data_per_group": 3,
            "cat_smooth": 1,
            "num_threads": 1,
            **settings,
        },
        lightgbm.Dataset(rows, target, categorical_feature=[4, 5], params={"verbosity": -1}),
        num_boost_round=12,
    )
    return booster, booster.model_to_string(), outputs


def read(text: str, outputs: int) -> BoostedTrees:
    return read_trees(text, columns=COLUMNS, coded=CODED, outputs=outputs)


@pytest.mark.parametrize("aim", AIMS)
def test_the_text_written_anew_answers_to_the_last_bit(aim: str) -> None:
    booster, text, outputs = grown(aim)
    trees = read(text, outputs)
    native = NativeTrees(trees.text(), COLUMNS, trees.per_round)
    asked = some_rows(300, 1)
    asked[:3] = [[np.nan] * COLUMNS, [0.0] * COLUMNS, [SMALLEST] * COLUMNS]
    wanted = np.asarray(booster.predict(asked, num_threads=1)).reshape(300, -1)
    assert np.array_equal(native.answer(asked), wanted)
    assert np.array_equal(np.concatenate([native.answer(asked[[i]]) for i in range(300)]), wanted)


@pytest.mark.parametrize("aim", AIMS)
def test_what_was_written_anew_is_read_as_the_same_and_is_text_of_the_library(aim: str) -> None:
    _, text, outputs = grown(aim)
    anew = read(text, outputs).text()
    assert read(anew, outputs).text() == anew
    assert lightgbm.Booster(model_str=anew).num_feature() == COLUMNS


def every_line(old: str, new: str) -> Callable[[str], str]:
    return lambda text: re.sub(old, new, text, flags=re.MULTILINE)


def first_line(old: str, new: str) -> Callable[[str], str]:
    return lambda text: re.sub(old, new, text, count=1, flags=re.MULTILINE)


DAMAGE = {
    "a key twice in the head": first_line("^num_class=1$", "num_class=1\nnum_class=1"),
    "a key twice in a tree": first_line("^(leaf_value=.*)$", r"\1\n\1"),
    "an unknown key": first_line("^is_linear=0$", "is_linear=0\nleaf_const=1 2"),
    "linear leaves": first_line("^is_linear=0$", "is_linear=1"),
    "a mean of trees": first_line("^label_index=0$", "label_index=0\naverage_output"),
    "more leaves than values": first_line(r"^num_leaves=\d+$", "num_leaves=99"),
    "leaves without number": first_line(r"^num_leaves=\d+$", "num_leaves=99999999999"),
    "no leaves": first_line(r"^num_leaves=\d+$", "num_leaves=0"),
    "a child beyond": first_line(r"^left_child=\S+ ", "left_child=4000 "),
    "a leaf beyond": first_line(r"^left_child=\S+ ", "left_child=-4000 "),
    "the smallest whole number": first_line(r"^left_child=\S+ ", "left_child=-9223372036854775808 "),
    "a circle": first_line(r"^left_child=\S+ ", "left_child=0 "),
    "a leaf twice": first_line(r"^right_child=\S+ \S+ ", "right_child=-1 -1 "),
    "a column beyond": first_line(r"^split_feature=\S+ ", "split_feature=6 "),
    "a column below nought": first_line(r"^split_feature=\S+ ", "split_feature=-1 "),
    "an unknown decision": first_line(r"^decision_type=\S+ ", "decision_type=14 "),
    "a decision below nought": first_line(r"^decision_type=\S+ ", "decision_type=-2 "),
    "numbers cut by categories": every_line(
        r"^decision_type=.*$", lambda found: found[0].replace("2", "1").replace("8", "1").replace("10", "1")
    ),  # type: ignore[arg-type]
    "bounds that fall": first_line(
        r"^cat_boundaries=0 .*$", lambda found: f"cat_boundaries=0 5 1{' 9' * (found[0].count(' ') - 2)}"
    ),  # type: ignore[arg-type]
    "bounds beyond": first_line(r"^cat_boundaries=(.*) \d+$", r"cat_boundaries=\1 1000000"),
    "bounds from elsewhere": first_line(r"^cat_boundaries=0", "cat_boundaries=1"),
    "more than 32 bits": first_line(r"^cat_threshold=\d+", "cat_threshold=4294967296"),
    "bits below nought": first_line(r"^cat_threshold=\d+", "cat_threshold=-1"),
    "no number": first_line(r"^leaf_value=\S+", "leaf_value=nan"),
    "endless": first_line(r"^leaf_value=\S+", "leaf_value=1e999"),
    "a word": first_line(r"^leaf_value=\S+", "leaf_value=one"),
    "two blanks": first_line(r"^threshold=(\S+) ", r"threshold=\1  "),
    "threshold without number": first_line(r"^threshold=\S+", "threshold=nan"),
    "another objective": first_line("^objective=.*$", "objective=poisson"),
    "more classes": first_line("^num_class=1$", "num_class=4"),
    "another width": first_line("^max_feature_idx=5$", "max_feature_idx=50000000"),
    "another version": first_line("^version=v4$", "version=v9"),
    "a tree missing": first_line("^Tree=0$", "Tree=1"),
    "cut off": lambda text: text[: len(text) // 3],
    "no trees": lambda text: text[: text.index("Tree=0")] + "end of trees\n",
    "nothing": lambda text: "",
    "a link": lambda text: "version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_text_is_refused_in_a_sentence(damage: str) -> None:
    _, text, outputs = grown("l2")
    changed = DAMAGE[damage](text)
    assert changed != text
    with pytest.raises(BadBundle, match=r"trees\.txt"):
        read(changed, outputs)


def test_a_text_for_other_columns_or_classes_is_refused() -> None:
    _, text, _ = grown("five classes")
    with pytest.raises(BadBundle, match="num_class"):
        read(text, 3)
    with pytest.raises(BadBundle, match="max_feature_idx"):
        read_trees(text, columns=COLUMNS + 1, coded=CODED, outputs=5)


def test_a_table_of_another_width_never_reaches_the_library() -> None:
    _, text, outputs = grown("l2")
    native = NativeTrees(read(text, outputs).text(), COLUMNS, 1)
    with pytest.raises(ValueError, match="6 columns"):
        native.answer(np.zeros((3, COLUMNS - 1), dtype=np.float32))


@pytest.mark.parametrize("settings", [dict(settings) for _, settings in Boosting.presets], ids=str)
def test_every_recipe_answers_as_the_library_does(settings: dict[str, Any]) -> None:
    toy = make_toy("two classes", ["number", "category", "moment"], 2)
    model = Boosting(**settings, rounds=20).fit(toy.train, toy.valid, toy.task, Run(seconds=5))
    features = model.inputs.features(toy.asked)
    codes = np.where(features.codes == 0, np.nan, features.codes).astype(np.float32)
    raw = lightgbm.Booster(model_str=model.text).predict(np.concatenate([features.numbers, codes], axis=1))
    assert np.array_equal(model.predict(toy.asked)[:, 1], raw)


@pytest.mark.parametrize("outputs", [1, 3])
def test_trees_walked_through_here_answer_as_scikit_learn_does(
    outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.nan_to_num(some_rows(300, 2))
    rng = np.random.default_rng(0)
    if outputs == 1:
        machine: Any = ExtraTreesRegressor(25, random_state=0).fit(rows, rng.normal(size=300))
    else:
        machine = RandomForestClassifier(25, random_state=0).fit(rows, rng.integers(0, 3, 300))
    trees = Trees.of([one.tree_ for one in machine.estimators_])
    trees = Trees.from_state(trees.state(), COLUMNS, outputs)
    asked = np.nan_to_num(some_rows(200, 3))
    walked = trees.mean(asked)
    wanted = machine.predict(asked)[:, None] if outputs == 1 else machine.predict_proba(asked)
    assert np.allclose(walked, wanted, rtol=1e-6)
    assert np.array_equal(np.concatenate([trees.mean(asked[[row]]) for row in range(200)]), walked)
    monkeypatch.setattr(_trees, "WALKED", 0)
    assert np.array_equal(trees.mean(asked), walked)


def a_catboost(outputs: int, one_hot: int) -> tuple[Any, ObliviousTrees, tuple[int, ...]]:
    """A model with many-level categories, and its trees as arrays."""
    catboost = pytest.importorskip("catboost", reason="the extra `boost` is not installed")
    rng = np.random.default_rng(5)
    sizes = (200, 6)
    numbers = some_rows(600, 4)[:, :NUMBERS]
    codes = np.stack([rng.integers(0, size, 600) for size in sizes], axis=1).astype(np.int32)
    signal = codes[:, 0] % 9 + np.nan_to_num(numbers[:, 0]) / 1e3 + codes[:, 1]
    target = (
        signal
        if outputs == 1
        else np.digitize(signal, np.quantile(signal, np.linspace(0, 1, outputs + 1)[1:-1]))
    )
    loss = {1: "RMSE", 2: "Logloss"}.get(outputs, "MultiClass")
    model = catboost.CatBoost(
        {
            "iterations": 40,
            "depth": 5,
            "loss_function": loss,
            "one_hot_max_size": one_hot,
            "max_ctr_complexity": 1,
        }
        | {"allow_writing_files": False, "logging_level": "Silent", "thread_count": 1, "random_seed": 0}
    )
    model.fit(catboost.Pool(cells(numbers, codes), target, cat_features=[NUMBERS, NUMBERS + 1]))
    return model, taken_out(model, NUMBERS, sizes), sizes


@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize("one_hot", [2, 255])
def test_trees_taken_out_of_catboost_answer_as_they_did_in_it(outputs: int, one_hot: int) -> None:
    model, trees, sizes = a_catboost(outputs, one_hot)
    rng = np.random.default_rng(6)
    numbers = some_rows(400, 7)[:, :NUMBERS]
    for column in range(NUMBERS):  # the borders themselves are asked too
        borders = trees.border[trees.column == column]
        if len(borders):
            numbers[:100, column] = rng.choice(borders, 100)
    codes = np.stack([rng.integers(0, size, 400) for size in sizes], axis=1).astype(np.int32)
    wanted = model.predict(cells(numbers, codes), prediction_type="RawFormulaVal", thread_count=1).reshape(
        400, -1
    )
    again = ObliviousTrees.from_state(trees.state(), NUMBERS, sizes, wanted.shape[1])
    features = Features(numbers, codes, (), (), sizes)
    np.testing.assert_allclose(again.sums(features), wanted, rtol=1e-12, atol=1e-12)
    single = [replace(features, numbers=numbers[[row]], codes=codes[[row]]) for row in range(50)]
    assert np.array_equal(np.concatenate([again.sums(one) for one in single]), again.sums(features)[:50])


def test_a_question_about_a_column_that_is_not_there_is_refused() -> None:
    _, trees, sizes = a_catboost(1, 255)
    for name, wrong in (
        ("column", NUMBERS),
        ("coded", len(sizes)),
        ("asked", 10_000),
        ("depths", 17),
        ("asked", -1),
    ):
        state = trees.state()
        state[name] = state[name].copy()
        state[name][0] = wrong
        with pytest.raises(BadBundle):
            ObliviousTrees.from_state(state, NUMBERS, sizes, 1)


def test_a_tree_that_leads_back_or_beyond_is_refused() -> None:
    toy = make_toy("two classes", ["number"], 2)
    model = LEARNERS.get("tree")().fit(toy.train, toy.valid, toy.task, Run(seconds=5))
    state = model.parts["trees"]  # type: ignore[attr-defined]
    columns, width = state["features"], state["values"].shape[1]
    Trees.from_state(state, columns, width)
    for name, wrong in (
        ("left", 0),
        ("right", 10_000),
        ("left", -2),
        ("feature", columns),
        ("feature", -1),
        ("counts", 1),
    ):
        damaged = {**state, name: state[name].copy()}
        damaged[name][0] = wrong
        with pytest.raises(BadBundle):
            Trees.from_state(damaged, columns, width)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("^leaf_value=.*$", "leaf_value=" + "10 " * 500_000 + "1", "holds 500,001"),
        ("^(leaf_value=.*)$", r"\1" + "\na=" * 300_000, "lines"),
        ("^num_class=1$", "num_class=1" + "\na=" * 300_000, "lines"),
        ("^(leaf_value=.*)$", r"\1\n" + "\nb\n" * 1_500_000, "more trees"),
    ],
)
def test_a_text_of_many_small_parts_takes_no_more_memory_than_it_has_letters(
    old: str, new: str, words: str
) -> None:
    _, text, outputs = grown("l2")
    wrong = first_line(old, new)(text)
    tracemalloc.start()
    try:
        with pytest.raises(BadBundle, match=words):
            read(wrong, outputs)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 4 * len(wrong) + (1 << 20)


@pytest.mark.parametrize(
    "claimed",
    [
        lambda nodes: [2**62, 2**62, 2**62, 2**62 + nodes],  # which add up to the nodes, in 64 bits
        lambda nodes: [2**63 - 1, 2**63 - 1, nodes + 2],
        lambda nodes: [nodes, 0],
        lambda nodes: [nodes + 1, -1],
        lambda nodes: [],
    ],
)
def test_trees_that_claim_more_nodes_than_there_are_are_refused(claimed: Callable[[int], list[int]]) -> None:
    toy = make_toy("two classes", ["number"], 2)
    model = LEARNERS.get("tree")().fit(toy.train, toy.valid, toy.task, Run(seconds=5))
    state = model.parts["trees"]  # type: ignore[attr-defined]
    wrong = {**state, "counts": np.array(claimed(len(state["left"])), dtype=np.int64)}
    with pytest.raises(BadBundle):
        Trees.from_state(wrong, state["features"], state["values"].shape[1])
