"""A model is asked in one place: what fits is answered, and what does not is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle import Bundle, Member, open_bundle, pack
from fathometer.bundle.asking import ON_BAD, ask
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.errors import UserError
from fathometer.learner import LEARNERS, Run
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

COLOURS = ("blue", "green", "red")
LEARNED = ("linear", "tree")


def cells(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": [f"{value:.2f}" for value in rng.normal(10, 3, rows)],
            "colour": rng.choice(COLOURS, rows),
            "day": [f"2024-0{1 + k % 9}-11" for k in range(rows)],
        }
    )


def made(folder: Path, numbers: bool = False) -> Bundle:
    frame = cells(120)
    schema, _ = learn_schema(frame)
    read = schema.read(frame)
    size = read.column("size").to_numpy()
    if numbers:
        task, target = Regression("y", "rmse", 1.0), size * 2.0
    else:
        task, target = Classification("y", "accuracy", 0.5, ("no", "yes")), (size > 10).astype(np.int64)  # type: ignore[assignment]
    rows = Rows(read.frame, read.kinds, target)
    members = []
    for name in LEARNED:
        place = folder / "trials" / name
        place.mkdir(parents=True)
        LEARNERS.get(name)().fit(rows, rows, task, Run()).save(place)
        members.append(Member(name, name, name, place))
    pack(
        folder / "model",
        schema=schema,
        task=task,
        members=members,
        mixes={"classical": [{"linear": 0.5, "tree": 0.5}], "baseline": [{"tree": 1.0}]},
        default="classical",
        about={},
    )
    return open_bundle(folder / "model")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made(tmp_path_factory.mktemp("classes"))


@pytest.fixture
def broken() -> pd.DataFrame:
    frame = cells(6, seed=1)
    frame.loc[1, "size"] = "much"
    frame.loc[4, "day"] = "someday"
    frame.loc[4, "size"] = "=1+1"
    frame.loc[2, "size"] = None
    frame.loc[3, "size"] = "n/a"
    return frame


def test_good_rows_get_the_same_answers_under_every_rule(bundle: Bundle) -> None:
    frame = cells(30, seed=2)
    said = [ask(bundle, frame, on_bad=rule) for rule in ON_BAD]
    assert all(one.answers.equals(said[0].answers) for one in said)
    assert all((one.bad, one.bad_rows, one.notes) == ((), 0, ()) for one in said)
    assert said[0].answers.equals(bundle.predict(frame))
    assert np.array_equal(said[0].prediction, bundle.predict_raw(bundle.schema.read(frame)))


def test_cells_that_do_not_read_are_listed_by_row_and_missing_ones_are_not(
    bundle: Bundle, broken: pd.DataFrame
) -> None:
    asked = ask(bundle, broken)
    assert [(cell.row, cell.column, cell.shown) for cell in asked.bad] == [
        (1, "size", "much"),
        (4, "size", "=1+1"),
        (4, "day", "someday"),
    ]
    assert asked.bad_rows == 2 and list(asked.places) == list(range(6))
    assert "number" in asked.bad[0].why and "moment" in asked.bad[2].why
    assert any("2 cells of 'size'" in note and "count as missing" in note for note in asked.notes)
    as_missing = broken.copy()
    as_missing.loc[[1, 4], "size"] = None
    as_missing.loc[4, "day"] = None
    assert asked.answers.equals(ask(bundle, as_missing).answers)


def test_stop_answers_nothing_and_names_the_cells(bundle: Bundle, broken: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=r"2 rows.*row 1, column 'size': 'much'"):
        ask(bundle, broken, on_bad="stop")


def test_skip_leaves_bad_rows_out_and_says_which_are_left(bundle: Bundle, broken: pd.DataFrame) -> None:
    asked = ask(bundle, broken, on_bad="skip")
    assert list(asked.places) == [0, 2, 3, 5]
    whole = ask(bundle, broken)
    assert asked.answers.equals(whole.answers.iloc[[0, 2, 3, 5]].reset_index(drop=True))
    none_left = ask(bundle, broken.iloc[[1, 4]], on_bad="skip")
    assert len(none_left.answers) == 0 and none_left.bad_rows == 2


@pytest.mark.parametrize("numbers", [False, True])
def test_null_keeps_bad_rows_without_an_answer(tmp_path: Path, broken: pd.DataFrame, numbers: bool) -> None:
    bundle = made(tmp_path, numbers)
    asked, whole = ask(bundle, broken, on_bad="null"), ask(bundle, broken)
    assert len(asked.answers) == 6
    assert asked.answers.iloc[[1, 4]].isna().all().all()
    assert np.isnan(asked.prediction[[1, 4]]).all()
    others = [0, 2, 3, 5]
    assert (asked.answers.iloc[others] == whole.answers.iloc[others]).all().all()


def test_an_unknown_rule_is_refused_with_those_there_are(bundle: Bundle) -> None:
    with pytest.raises(UserError, match="skip"):
        ask(bundle, cells(2), on_bad="skipp")


def test_levels_never_seen_are_counted(bundle: Bundle) -> None:
    frame = cells(5)
    frame["colour"] = ["blue", "mauve", None, "mauve", "ecru"]
    assert ask(bundle, frame).unseen == {"colour": 3}
    assert ask(bundle, cells(5)).unseen == {}


def test_missing_columns_are_refused_or_filled(bundle: Bundle) -> None:
    frame = cells(4).drop(columns="day")
    with pytest.raises(UserError, match="'day'"):
        ask(bundle, frame)
    filled = ask(bundle, frame, fill_missing=True)
    assert filled.answers.equals(ask(bundle, frame.assign(day=None)).answers)
    assert "'day'" in filled.notes[0]


def test_nothing_that_is_asked_is_changed(bundle: Bundle, broken: pd.DataFrame) -> None:
    before = broken.copy(deep=True)
    for rule in ("missing", "skip", "null"):
        ask(bundle, broken, on_bad=rule)
    pd.testing.assert_frame_equal(broken, before)


def test_what_members_share_of_one_question_is_forgotten_at_the_next(bundle: Bundle) -> None:
    one, other = cells(3, seed=5), cells(3, seed=6)
    first = ask(bundle, one).answers
    ask(bundle, other)
    assert ask(bundle, one).answers.equals(first)
    assert not ask(bundle, other).answers.equals(first)


def test_a_question_may_be_asked_in_parts(bundle: Bundle) -> None:
    frame = cells(300, seed=7)  # beyond the rows up to which cells are told apart one by one
    whole = ask(bundle, frame).prediction
    parts = [ask(bundle, frame.iloc[start : start + 7]).prediction for start in range(0, 300, 7)]
    assert np.allclose(np.concatenate(parts), whole, rtol=0, atol=1e-12)


def test_records_columns_and_other_frames_are_asked_as_frames_are(bundle: Bundle) -> None:
    frame = cells(5, seed=9)
    wanted = ask(bundle, frame).answers
    polars = pytest.importorskip("polars")
    for given in (
        frame.to_dict("records"),
        frame.to_dict("list"),
        polars.from_pandas(frame),
        frame.rename(columns={"size": " size "}),
    ):
        assert ask(bundle, given).answers.equals(wanted)


@pytest.mark.parametrize("given", [5, "text", [1, 2], None, {"size": [1, 2], "colour": ["red"]}])
def test_what_is_no_table_is_refused_in_a_sentence(bundle: Bundle, given: object) -> None:
    with pytest.raises(UserError, match="Expected"):
        ask(bundle, given)


def test_answers_have_the_index_of_the_frame_so_that_they_can_be_put_beside_it(bundle: Bundle) -> None:
    frame = cells(40, seed=10)
    straight = bundle.predict(frame)["prediction"]
    turned = frame.sample(frac=1, random_state=0)
    beside = turned.assign(answer=bundle.predict(turned)["prediction"])
    assert beside["answer"].sort_index().equals(straight.rename("answer"))


def test_a_column_that_hardly_reads_is_refused_and_a_cell_that_does_not_is_told(bundle: Bundle) -> None:
    frame = cells(20)
    with pytest.raises(UserError, match=r"'size' was learned as number, but 20 of 20"):
        bundle.predict(frame.assign(size="x"))
    frame.loc[3, "size"] = "x"
    assert "1 cell of 'size'" in bundle.predict(frame).attrs["notes"][0]


def test_probabilities_are_in_the_order_of_the_labels(bundle: Bundle, tmp_path: Path) -> None:
    frame = cells(6)
    assert np.array_equal(bundle.predict_proba(frame), ask(bundle, frame).prediction)
    with pytest.raises(UserError, match="numbers"):
        made(tmp_path, numbers=True).predict_proba(frame)


def test_a_model_shown_says_what_it_answers(bundle: Bundle) -> None:
    assert "answers 'y' from 3 columns" in repr(bundle)
