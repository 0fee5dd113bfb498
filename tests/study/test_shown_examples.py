"""Examples are chosen by rule, the same every time, are what they are said to be, and fit into a record."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_probe import CLASSES, NUMBERS, a_run, an_order, toys, two

from fathometer.core.pictures import PictureArray, digest_of
from fathometer.data.rows import Rows
from fathometer.study import examples
from fathometer.study.occlusion import (
    EXCERPT,
    MOST_PIECES,
    excerpt,
    pieces_of,
    weigh_chances,
    weigh_numbers,
    without_patches,
    without_pieces,
)
from fathometer.study.picks import Pick, chosen_rows
from fathometer.study.probe import ProbeOrder, run_probe
from fathometer.study.thumbnails import filter_pictures, gradient_drawing, thumbnails
from fathometer.study.trial import load_fold

COUNT = 400
MARKUP = "</mark><script>alert(1)</script> \u202enever\u202c {0} %s"


def a_column_of_pictures(rows: int = COUNT, shape: tuple[int, int, int] = (14, 21, 3)) -> PictureArray:
    """Dark pictures with a bright patch at the upper left of every second; the last two are missing."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (rows, *shape)).astype(np.uint8)
    pixels[::2, :4, :6] += 180
    places = np.arange(rows)
    places[-2:] = -1
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    return PictureArray(pixels, digests, places)


def a_run_of(folder: Path, kind: str, task: Any = CLASSES) -> Rows:
    """Rows whose class is whether the upper left is bright, or whether the text says good."""
    rng = np.random.default_rng(1)
    target = (np.arange(COUNT) % 2 == 0).astype(np.int64)
    if kind == "image":
        values: Any = pd.Series(a_column_of_pictures())
    else:
        words = np.array(["one", "two", "three", "four", MARKUP])
        said = [" ".join([*rng.choice(words, 5), "good" if good else "bad"]) for good in target]
        said[-1], said[-2] = None, "n" * 10_000
        values = pd.Series(said, dtype=object)
    frame = pd.DataFrame({"seen": values, "x": rng.normal(size=COUNT)})
    answers = target if task.outputs > 1 else frame["x"].to_numpy()
    return a_run(folder, task, answers, frame, {"seen": kind, "x": "number"})


def is_bright(rows: Rows) -> npt.NDArray[np.float64]:
    array = rows.column("seen").array
    assert isinstance(array, PictureArray)
    return two(0.05 + 0.9 * (array.shown(slice(None))[:, :2, :3].mean(axis=(1, 2, 3)) > 120))


def says_good(rows: Rows) -> npt.NDArray[np.float64]:
    told = [0.9 if isinstance(text, str) and "good" in text else 0.2 for text in rows.column("seen")]
    return two(np.array(told) + 0.001 * rows.column("x").to_numpy().clip(-9, 9))


def constant(rows: Rows) -> npt.NDArray[np.float64]:
    return two(np.full(len(rows), 0.7))


def picked(
    folder: Path, rows: Rows, model: Any, rival: Any, name: str, task: Any = CLASSES, seconds: float = 60.0
) -> tuple[ProbeOrder, list[Pick]]:
    """The order to measure a model with what would be chosen for it beside a rival."""
    test = load_fold(folder, "r0f0")["test"]
    asked = rows.take(test)
    predictions = {"classical": model(asked), "deep": rival(asked)}
    picks = chosen_rows(task, rows.answers, np.arange(len(rows)), test, predictions)["classical"]
    plain = an_order(name, folder=folder, seconds=seconds)
    return ProbeOrder(
        plain.folder, "classical", plain.folds, seconds, [], [pick.to_json() for pick in picks]
    ), picks


# Which rows ---------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 120))
def test_right_ones_are_right_and_wrong_ones_wrong(seed: int, classes: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    task = type(CLASSES)("y", "accuracy", 0.5, tuple(map(str, range(classes))))
    target = rng.integers(0, classes, 500)
    rows = rng.permutation(500)[:count]
    predictions = {name: rng.dirichlet(np.ones(classes), count) for name in ("a", "b", "c")}
    picks = chosen_rows(task, target, rng.integers(0, 300, 500), rows, predictions)
    again = chosen_rows(task, target, rng.integers(0, 300, 500), rows, predictions)
    assert {name: len(found) for name, found in again.items()}.keys() == predictions.keys()
    place = {int(row): position for position, row in enumerate(rows)}
    for name, found in picks.items():
        for pick in found:
            chances = predictions[name][place[pick.row]]
            assert int(chances.argmax()) == pick.answer
            assert pick.sure == chances.max()
            is_right = pick.answer == target[pick.row]
            assert is_right == {"right": True, "alone_right": True, "wrong": False, "alone_wrong": False}.get(
                pick.why, is_right
            )
            if pick.against:
                rival = int(predictions[pick.against][place[pick.row]].argmax())
                assert (rival == target[pick.row]) == (pick.why == "alone_wrong")
        by_why = pd.Series([(pick.why, pick.against) for pick in found]).value_counts()
        assert by_why.max() <= 8 if len(by_why) else True


def test_the_surest_are_chosen_over_all_classes_and_one_of_each_cluster() -> None:
    target = np.array([0, 0, 0, 0, 1, 1])
    sure = np.array([0.99, 0.98, 0.97, 0.9, 0.6, 0.55])
    chances = np.where(target[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    clusters = np.array([0, 0, 1, 2, 3, 4])
    found = chosen_rows(CLASSES, target, clusters, np.arange(6), {"one": chances})["one"]
    assert [pick.row for pick in found if pick.why == "right"] == [0, 4, 2, 5, 3]


def test_numbers_have_nearest_and_farthest_rows() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=200)
    said = target + rng.normal(size=200) ** 3
    found = chosen_rows(NUMBERS, target, np.arange(200), np.arange(200), {"a": said, "b": target + 1})["a"]
    off = np.abs(said - target)
    near, far = ([off[pick.row] for pick in found if pick.why == why] for why in ("right", "wrong"))
    assert len(near) == len(far) == 8
    assert max(near) < min(far)
    assert max(off) in far and min(off) in near
    assert all(pick.sure is None for pick in found)
    assert all(pick.why != "alone_wrong" for pick in found)  # the other is never near


def test_a_picture_is_kept_by_the_first_that_shows_it() -> None:
    rng = np.random.default_rng(0)
    predictions = {name: rng.dirichlet(np.ones(2), 100) for name in ("a", "b")}
    picks = chosen_rows(CLASSES, rng.integers(0, 2, 100), np.arange(100), np.arange(100), predictions)
    first = {pick.row for pick in picks["a"]}
    assert all(pick.is_drawn for pick in picks["a"])
    assert all(pick.is_drawn == (pick.row not in first) for pick in picks["b"])
    assert any(not pick.is_drawn for pick in picks["b"])


def test_no_rows_and_no_competitors_are_legal() -> None:
    empty = np.zeros(0, dtype=np.intp)
    assert chosen_rows(
        CLASSES, np.zeros(3, dtype=np.int64), np.arange(3), empty, {"a": np.zeros((0, 2))}
    ) == {"a": []}
    assert chosen_rows(CLASSES, np.zeros(3, dtype=np.int64), np.arange(3), np.arange(3), {}) == {}


# What answers rest on -----------------------------------------------------------------------------------------------


@given(st.text(max_size=400))
def test_pieces_put_together_are_the_text(text: str) -> None:
    pieces = pieces_of(text.strip())
    assert "".join(pieces) == text.strip()
    assert len(pieces) <= MOST_PIECES


def test_scripts_without_blanks_are_taken_apart() -> None:
    assert pieces_of("日本語 です") == ["日", "本", "語 ", "で", "す"]
    assert len(pieces_of("word " * 5_000)) == MOST_PIECES
    assert pieces_of("n" * 30_000) == ["n" * 30_000]


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(-1, 1)), min_size=1, max_size=40))
def test_an_excerpt_is_short_and_none_of_its_length_matters_more(pieces: list[tuple[int, float]]) -> None:
    texts, weights = ["x" * size for size, _ in pieces], np.array([weight for _, weight in pieces])
    start, end = excerpt(texts, weights)
    assert 0 <= start < end <= len(texts)
    sizes = np.minimum([size for size, _ in pieces], EXCERPT)
    assert sizes[start:end].sum() <= EXCERPT
    best = max(
        np.abs(weights[i:j]).sum()
        for i in range(len(texts))
        for j in range(i + 1, len(texts) + 1)
        if sizes[i:j].sum() <= EXCERPT
    )
    assert np.abs(weights[start:end]).sum() == pytest.approx(best, abs=1e-6)


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=20))
def test_weights_lie_between_minus_one_and_one(whole: float, without: list[float]) -> None:
    found = weigh_chances(whole, np.array(without))
    assert ((found.scaled >= -1) & (found.scaled <= 1)).all()
    if found.scaled.any():
        assert np.abs(found.scaled).max() == 1
        assert found.largest == pytest.approx(np.abs(whole - np.array(without)).max())
    numbers = weigh_numbers(whole, np.array(without), 1e-9)
    assert (np.sign(numbers.scaled) * np.sign(whole - np.array(without)) >= 0).all()


def test_what_changes_nothing_has_no_weight() -> None:
    assert not weigh_chances(0.7, np.full(5, 0.7)).scaled.any()
    assert weigh_chances(0.7, np.full(5, 0.7)).largest == 0
    assert not weigh_numbers(1e6, np.full(5, 1e6), 0.0).scaled.any()
    assert weigh_numbers(1.0, np.zeros(0), 0.0).largest == 0


def test_one_part_is_taken_away_at_a_time() -> None:
    rows = Rows(
        pd.DataFrame({"seen": pd.Series(["a b c"], dtype=object), "x": [1.0]}),
        {"seen": "text", "x": "number"},
    )
    changed = without_pieces(rows, "seen", pieces_of("a b c"))
    assert changed.column("seen").tolist() == ["a b c", "b c", "a c", "a b"]
    assert changed.column("x").tolist() == [1.0] * 4
    pictures = pd.DataFrame({"seen": pd.Series(a_column_of_pictures(4))}).iloc[[0]]
    covered = (
        without_patches(Rows(pictures, {"seen": "image"}), "seen").column("seen").array.shown(slice(None))
    )
    assert len(covered) == 1 + 7 * 7
    differs = (covered[1:] != covered[0]).any(axis=3)
    assert (differs.sum(axis=(1, 2)) <= 2 * 3).all()  # a patch is 2 x 3 pixels
    assert (differs.sum(axis=0) <= 1).all()  # and no two of them overlap


def test_an_empty_rest_is_a_missing_text() -> None:
    rows = Rows(pd.DataFrame({"seen": pd.Series(["alone"], dtype=object)}), {"seen": "text"})
    assert without_pieces(rows, "seen", ["alone"]).column("seen").tolist() == ["alone", None]


# In the probe -------------------------------------------------------------------------------------------------------


def test_the_word_that_decides_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = a_run_of(tmp_path, "text")
    toys(monkeypatch, good=says_good)
    order, picks = picked(tmp_path, rows, says_good, constant, "good")
    first, again = run_probe(order), run_probe(order)
    assert first["examples"] == again["examples"]
    found = first["examples"]["rows"]
    assert [one["row"] for one in found] == list(dict.fromkeys(pick.row for pick in picks))
    parts = rows.answers
    for one in found:
        assert one["truth"] == CLASSES.labels[parts[one["row"]]]
        assert one["right"] == (one["truth"] == one["answer"])
        assert set(one["cells"]) == {"x"}
        text = rows.column("seen").iloc[one["row"]]
        if isinstance(text, str) and text.endswith("good"):
            weights = {piece.strip(): weight for piece, weight in one["shown"][0]["parts"]}
            assert weights["good"] == 1.0
            assert one["shown"][0]["largest"] == pytest.approx(0.7, abs=0.01)
            assert all(weight == 0 for piece, weight in weights.items() if piece != "good")
    assert {why["why"] for one in found for why in one["chosen"]} >= {"right", "unsure", "alone_right"}


def test_the_patch_that_decides_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = a_run_of(tmp_path, "image")
    toys(monkeypatch, bright=is_bright)
    order, _ = picked(tmp_path, rows, is_bright, constant, "bright")
    measured = run_probe(order)
    seen = [part for one in measured["examples"]["rows"] for part in one["shown"] if part["is"] == "picture"]
    assert seen
    for part in seen:
        picture = Image.open(io.BytesIO(base64.b64decode(part["png"], validate=True)))
        assert picture.format == "PNG" and max(picture.size) <= 64
        assert part["size"] == [14, 21]
        weights = np.array(part["weights"])
        assert weights.shape == (7, 7)
        assert not weights[1:].any() and not weights[:, 1:].any()
    assert any(part["weights"][0][0] == 1.0 for part in seen)
    drawn = measured["examples"]["gradients"]["cells"]
    assert len(drawn) == 64 and all(len(cell) == 9 and cell.isdigit() for cell in drawn)
    json.dumps(measured, allow_nan=False)


@pytest.mark.parametrize("kind", ["text", "image"])
def test_nothing_matters_to_a_constant_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows = a_run_of(tmp_path, kind)
    toys(monkeypatch, same=constant)
    order, _ = picked(tmp_path, rows, constant, is_bright if kind == "image" else says_good, "same")
    for one in run_probe(order)["examples"]["rows"]:
        for part in one["shown"]:
            assert part["largest"] == 0
            assert not np.any(part.get("weights") or 0)
            assert all(weight == 0 for _, weight in part.get("parts", ()))


@pytest.mark.parametrize("kind", ["text", "image"])
def test_without_time_rows_are_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows = a_run_of(tmp_path, kind)
    toys(monkeypatch, same=constant)
    monkeypatch.setattr(examples, "TIME_SHARE", 0.0)
    order, picks = picked(tmp_path, rows, constant, constant, "same")
    measured = run_probe(order)
    assert len(measured["examples"]["rows"]) == len({pick.row for pick in picks})
    assert all(
        part["largest"] is None
        for one in measured["examples"]["rows"]
        for part in one["shown"]
        if part["is"] != "missing"
    )
    assert measured["skipped"]["what examples rest on"].startswith("out of time: measured on ")


def test_numbers_have_examples_without_probabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = a_run_of(tmp_path, "text", NUMBERS)

    def length(rows: Rows) -> npt.NDArray[np.float64]:
        return np.array(
            [len(text) if isinstance(text, str) else 0 for text in rows.column("seen")], dtype=np.float64
        )

    toys(monkeypatch, length=length)
    order, _ = picked(tmp_path, rows, length, lambda rows: rows.column("x").to_numpy(), "length", NUMBERS)
    found = run_probe(order)["examples"]["rows"]
    assert found and all(one["probability"] is None and one["right"] is None for one in found)
    shown = [part for one in found for part in one["shown"] if part["is"] == "text"]
    assert all(weight >= 0 for part in shown for _, weight in part["parts"])  # each word makes it longer


def test_a_model_that_fails_on_changed_rows_costs_no_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_run_of(tmp_path, "text")
    size = len(load_fold(tmp_path, "r0f0")["test"])

    def touchy(rows: Rows) -> npt.NDArray[np.float64]:
        if 1 < len(rows) < size and rows.column("x").nunique() == 1:
            raise ArithmeticError("no")
        return says_good(rows)

    toys(monkeypatch, touchy=touchy)
    order, _ = picked(tmp_path, rows, says_good, constant, "touchy")
    found = run_probe(order)["examples"]["rows"]
    assert all(part["largest"] is None for one in found for part in one["shown"] if part["is"] == "text")


def test_plain_tables_and_kinds_not_at_hand_have_no_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"seen": pd.Series(["a", "b"] * 100, dtype=object), "x": np.arange(200.0)})
    rows = a_run(tmp_path, CLASSES, np.arange(200) % 2, frame, {"seen": "smell", "x": "number"})
    toys(monkeypatch, same=constant)
    order, _ = picked(tmp_path, rows, constant, constant, "same")
    measured = run_probe(order)
    assert measured["examples"] == {}
    assert measured["weaknesses"] == []
    assert [one["code"] for one in measured["robustness"]][:4] == [
        "missing_10",
        "missing_30",
        "noise_10",
        "noise_30",
    ]
    assert measured["surrogate"] is not None


def test_errors_are_told_by_what_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = a_run_of(tmp_path, "image")

    def blind(rows: Rows) -> npt.NDArray[np.float64]:
        return two(np.full(len(rows), 0.1))  # wrong where the picture is bright

    toys(monkeypatch, blind=blind)
    order, _ = picked(tmp_path, rows, blind, constant, "blind")
    found = run_probe(order)["weaknesses"]
    worst = max((one for one in found if one["fact"] == "brightness"), key=lambda one: one["gap"])
    assert worst["to"] == max(one["to"] for one in found if one["fact"] == "brightness")
    assert worst["low"] > 0


# Pictures in a record -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 2_000, 40_000, 10**7])
@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnails_fit_into_their_room(room: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (100, 150, channels)).astype(np.uint8) for _ in range(12)]
    made = thumbnails(pictures, room)
    assert sum(map(len, made)) <= room
    assert len(made) == 12
    assert made == thumbnails(pictures, room)
    for png in filter(None, made):
        assert max(Image.open(io.BytesIO(base64.b64decode(png))).size) <= 64


def test_small_pictures_are_kept_as_they_are() -> None:
    pixels = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    picture = Image.open(io.BytesIO(base64.b64decode(thumbnails([pixels], 10_000)[0])))
    assert np.array_equal(np.asarray(picture), pixels)


def test_filters_are_grey_where_they_are_zero() -> None:
    filters = np.zeros((20, 3, 3, 3))
    filters[5, 0, 0] = 2.0
    made = [np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) for png in filter_pictures(filters)]
    assert len(made) == 16
    assert (made[0][0, 0] == 255).all() and set(np.unique(made[0][1:])) <= {127, 128}


def test_an_upright_edge_is_drawn_upright() -> None:
    pixels = np.zeros((32, 32, 1), dtype=np.uint8)
    pixels[:, 18:] = 200
    cells = gradient_drawing(pixels)
    strengths = np.array([[int(digit) for digit in cell] for cell in cells]).reshape(8, 8, 9)
    assert strengths[:, 4, 0].min() == 9
    assert not strengths[:, :, 1:].any()
    assert gradient_drawing(np.zeros((1, 1, 3), dtype=np.uint8)) == ["0" * 9] * 64
