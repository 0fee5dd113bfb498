"""A model folder gives back what went in, and opens only whole."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crafting import describe, manifest_of, refused

from fathometer.bundle import Bundle, Member, open_bundle, pack
from fathometer.core.files import digest
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema, learn_schema
from fathometer.errors import UserError
from fathometer.learner import LEARNERS, Model, Run
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression
from fathometer.testing.faults import disk_full, failing

CLASSES = Classification("answer", "accuracy", 0.5, ("../no", "yes, <b>"))
NUMBERS = Regression("answer", "rmse", 1.0)
MIXES = {
    "classical": [{"a-linear": 0.75, "a-tree": 0.25}, {"a-tree": 1.0}],
    "baseline": [{"a-baseline": 1.0}],
}


def table(rows: int = 80, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size / cm": rng.normal(size=rows).round(3).astype(str),
            "colour": rng.choice(["red", "green", ""], rows),
            "=day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )


def fitted(task: Task, folder: Path) -> tuple[Schema, list[Member], dict[str, Model]]:
    frame = table()
    schema, _ = learn_schema(frame)
    rows = schema.read(frame)
    target = rows.column("size / cm").to_numpy() > 0
    rows = Rows(rows.frame, rows.kinds, target.astype(np.int64) if task.outputs > 1 else target + 0.5)
    members, models = [], {}
    for name in ("baseline", "linear", "tree"):
        model = LEARNERS.get(name)().fit(rows.take(np.arange(60)), rows.take(np.arange(60, 80)), task, Run())
        place = folder / name
        place.mkdir(parents=True)
        model.save(place)
        members.append(Member(f"a-{name}", name, name.title(), place))
        models[f"a-{name}"] = model
    return schema, members, models


def packed(
    folder: Path, task: Task = CLASSES, default: str = "classical", note: str = "first"
) -> dict[str, Model]:
    schema, members, models = fitted(task, folder.parent / f"trials-{note}")
    pack(
        folder, schema=schema, task=task, members=members, mixes=MIXES, default=default, about={"note": note}
    )
    return models


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "model"
    packed(folder)
    return folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


@pytest.mark.parametrize("task", [CLASSES, NUMBERS], ids=lambda task: task.name)
def test_a_model_read_again_answers_as_the_one_that_was_written(tmp_path: Path, task: Task) -> None:
    models = packed(tmp_path / "model", task)
    bundle = open_bundle(tmp_path / "model")
    rows = bundle.schema.read(table(30, seed=1))
    said = {key: model.predict(rows) for key, model in models.items()}
    first = task.average([said["a-linear"], said["a-tree"]], [0.75, 0.25])
    wanted = task.average([first, said["a-tree"]], [1.0, 1.0])
    assert np.array_equal(bundle.predict_raw(rows), wanted)
    assert np.array_equal(bundle.predict_raw(rows, "baseline"), said["a-baseline"])


def test_answers_have_a_label_and_a_probability_for_each_class(whole: Path) -> None:
    answers = open_bundle(whole).predict(table(10))
    assert list(answers) == ["prediction", "probability_../no", "probability_yes, <b>"]
    assert answers.iloc[:, 1:].sum(axis=1).to_numpy() == pytest.approx(1)
    assert set(answers["prediction"]) <= set(CLASSES.labels)


def test_answers_are_in_the_order_of_the_rows_whatever_their_index(whole: Path) -> None:
    bundle, frame = open_bundle(whole), table(40, seed=2)
    straight = bundle.predict(frame)
    order = np.random.default_rng(0).permutation(40)
    turned = bundle.predict(frame.iloc[order])
    assert turned.equals(straight.iloc[order])
    one = pd.concat([bundle.predict(frame.iloc[[k]]) for k in range(5)], ignore_index=True)
    assert np.allclose(one.iloc[:, 1], straight.iloc[:5, 1])


def test_order_of_columns_and_further_ones_do_not_matter(whole: Path) -> None:
    bundle, frame = open_bundle(whole), table(20, seed=3)
    more = frame[frame.columns[::-1]].assign(other=1, answer="yes, <b>")
    assert bundle.predict(more).equals(bundle.predict(frame))


def test_names_are_tidied_as_in_reading(whole: Path) -> None:
    bundle, frame = open_bundle(whole), table(5, seed=3)
    untidy = frame.set_axis(["  size  / cm", "colour\n", "=day"], axis=1)
    assert bundle.predict(untidy).equals(bundle.predict(frame))
    assert list(untidy.columns) == ["  size  / cm", "colour\n", "=day"]
    levels = frame.set_axis(
        pd.MultiIndex.from_tuples([("size", "/ cm"), ("colour", ""), ("", "=day")]), axis=1
    )
    assert bundle.predict(levels).equals(bundle.predict(frame))


def test_a_missing_column_is_named(whole: Path) -> None:
    with pytest.raises(UserError, match="'colour'"):
        open_bundle(whole).predict(table().drop(columns="colour"))


def test_an_unknown_family_is_named_with_those_there_are(whole: Path) -> None:
    with pytest.raises(UserError, match=r"'deep'.*classical"):
        open_bundle(whole).predict(table(), "deep")


def test_values_never_seen_are_answered(whole: Path) -> None:
    frame = table(4).astype(object)
    frame["size / cm"] = ["no number", None, "1e308", "-inf"]
    frame["colour"] = ["never seen", None, "", "😀"]
    frame["=day"] = ["not a day", None, "9999-12-31", "2024-01-01"]
    answers = open_bundle(whole).predict(frame)
    assert np.isfinite(answers.iloc[:, 1:].to_numpy(dtype=float)).all()


@pytest.mark.parametrize("task", [CLASSES, NUMBERS], ids=lambda task: task.name)
def test_no_rows_give_no_answers(tmp_path: Path, task: Task) -> None:
    packed(tmp_path / "model", task)
    answers = open_bundle(tmp_path / "model").predict(table().iloc[:0])
    assert len(answers) == 0
    assert len(answers.columns) == (3 if task.outputs > 1 else 1)


def test_members_are_loaded_only_when_asked(whole: Path) -> None:
    bundle = open_bundle(whole)
    assert not bundle.loaded
    bundle.predict(table(3), "baseline")
    assert set(bundle.loaded) == {"a-baseline"}


def test_a_folder_that_was_moved_opens(copied: Path) -> None:
    place = copied.rename(copied.with_name("a b ü"))
    assert len(open_bundle(place).predict(table(3))) == 3


def test_a_model_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    packed(tmp_path / "model", note="first")
    (tmp_path / ".model-0123abcd").mkdir()  # left by a run that was killed
    packed(tmp_path / "model", note="second")
    assert open_bundle(tmp_path / "model").about["note"] == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "trials-first", "trials-second"]


def test_any_altered_byte_is_seen(copied: Path) -> None:
    for path in sorted(copied.rglob("*")):
        if path.is_dir() or path.name == "manifest.json":
            continue
        before = path.read_bytes()
        for place in (0, len(before) // 2, len(before) - 1):
            changed = bytearray(before)
            changed[place] ^= 1
            path.unlink()
            path.write_bytes(bytes(changed))
            refused(copied, "was altered")
        path.write_bytes(before[:-1])
        refused(copied, "was altered")
        path.write_bytes(before)
    open_bundle(copied)


def test_a_missing_and_a_further_file_are_named(copied: Path) -> None:
    extra = copied / "members" / "a-tree" / "extra.py"
    extra.write_text("")
    refused(copied, "extra.py' .*not in its manifest")
    extra.unlink()
    (copied / "model.json").rename(copied.parent / "model.json")
    refused(copied, "model.json is missing")


def test_links_are_refused(copied: Path) -> None:
    place = copied / "members" / "a-tree"
    one = next(path for path in place.iterdir() if path.is_file())
    outside = copied.parent / "outside"
    one.rename(outside)
    one.symlink_to(outside)
    refused(copied, "is a link")
    one.unlink()
    outside.rename(one)
    (place / "more").symlink_to("/etc", target_is_directory=True)
    refused(copied, "is a link")
    (place / "more").unlink()
    place.rename(copied.parent / "elsewhere")
    place.symlink_to(copied.parent / "elsewhere", target_is_directory=True)
    refused(copied, "is a link")


def test_a_pipe_is_refused_and_not_waited_for(copied: Path) -> None:
    os.mkfifo(copied / "members" / "pipe")
    refused(copied, "device")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"a"', "[" * 100_000, "\xff\xfe", "{}", '{"format": 2}', '{"format": "1"}'],
)
def test_a_manifest_that_is_none_is_refused(copied: Path, text: str) -> None:
    (copied / "manifest.json").write_bytes(text.encode("latin-1"))
    refused(copied)


@pytest.mark.parametrize(
    "files",
    [
        None,
        {},
        5,
        ["model.json"],
        [{}],
        [{"path": "model.json"}],
        [{"path": "model.json", "size": "x", "sha256": 1}],
    ],
)
def test_a_manifest_with_odd_lists_is_refused(copied: Path, files: Any) -> None:
    (copied / "manifest.json").write_text(json.dumps({**manifest_of(copied), "files": files}))
    refused(copied)


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "members/../../outside.json", "model.json\0"]
)
def test_names_that_leave_the_folder_are_refused(copied: Path, name: str) -> None:
    outside = copied.parent / "outside.json"
    outside.write_text("{}")
    manifest = json.loads((copied / "manifest.json").read_text())
    one = {"path": name, "size": 2, "sha256": digest(outside), "role": "member"}
    manifest["files"].append(one)
    (copied / "manifest.json").write_text(json.dumps(manifest))
    refused(copied, "cannot be")


@pytest.mark.parametrize("key", ["..", "../x", "/etc", ".hidden", "", "a/b", "a b", "a" * 200, "a\n"])
def test_members_whose_names_are_no_file_names_are_refused(copied: Path, key: str) -> None:
    describe(copied, lambda described: {**described, "members": {key: described["members"]["a-tree"]}})
    refused(copied, "no file name")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: {k: v for k, v in d.items() if k != "schema"},
        lambda d: {**d, "schema": {"columns": [{"name": "x"}]}},
        lambda d: {**d, "schema": []},
        lambda d: {**d, "members": ["a-tree"]},
        lambda d: {**d, "members": {"a-tree": {}}},
        lambda d: {**d, "mixes": {}},
        lambda d: {**d, "mixes": {"classical": []}},
        lambda d: {**d, "mixes": {"classical": [{}]}},
        lambda d: {**d, "mixes": {"classical": [{"unknown": 1.0}]}},
        lambda d: {**d, "mixes": {"classical": [{"a-tree": float("nan")}]}},
        lambda d: {**d, "mixes": {"classical": [{"a-tree": -1.0}]}},
        lambda d: {**d, "mixes": {"classical": [{"a-tree": "much"}]}},
        lambda d: {**d, "mixes": {"classical": 3}},
        lambda d: {**d, "default": "deep"},
        lambda d: {**d, "task": {"name": "classification"}},
        lambda d: [d],
    ],
)
def test_a_description_that_does_not_hold_together_is_refused(
    copied: Path, change: Callable[[Any], Any]
) -> None:
    describe(copied, change)
    refused(copied)


def test_an_unknown_task_or_learner_is_a_users_error(copied: Path) -> None:
    describe(copied, lambda d: {**d, "task": {**d["task"], "name": "os.system"}})
    with pytest.raises(UserError):
        open_bundle(copied)


def test_no_model_folder_is_told(tmp_path: Path) -> None:
    refused(tmp_path, "no model folder")
    refused(tmp_path / "nowhere", "no model folder")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "no zip file")


@pytest.mark.parametrize("error", [disk_full, SystemExit, KeyboardInterrupt])
def test_a_fault_at_any_request_leaves_the_old_model_or_the_new(
    tmp_path: Path, error: Callable[[], BaseException]
) -> None:
    schema, members, _ = fitted(CLASSES, tmp_path / "trials")
    folder = tmp_path / "run" / "model"
    folder.parent.mkdir()

    def again(note: str) -> None:
        pack(
            folder,
            schema=schema,
            task=CLASSES,
            members=members,
            mixes=MIXES,
            default="classical",
            about={"note": note},
        )

    again("old")
    for number in itertools.count(1):
        with failing(number, error, below=str(folder.parent)) as made, suppress(type(error())):
            again("new")
        bundle = open_bundle(folder)
        assert bundle.about["note"] in ("old", "new")
        assert len(bundle.predict(table(2))) == 2
        again("old")
        assert [path.name for path in folder.parent.iterdir()] == ["model"]
        if len(made) < number:
            break
    assert number > 20


def test_the_first_model_is_whole_or_not_there(tmp_path: Path) -> None:
    schema, members, _ = fitted(CLASSES, tmp_path / "trials")
    for number in itertools.count(1):
        folder = tmp_path / str(number) / "model"
        folder.parent.mkdir()
        with failing(number, disk_full, below=str(folder.parent)) as made, suppress(OSError):
            pack(
                folder,
                schema=schema,
                task=CLASSES,
                members=members,
                mixes=MIXES,
                default="baseline",
                about={},
            )
        if folder.exists():
            assert isinstance(open_bundle(folder), Bundle)
        if len(made) < number:
            break
    assert folder.exists()


def test_names_of_files_are_no_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 256, (16, 16), dtype=np.uint8) for _ in range(40)]
    frame = pd.DataFrame({"photo": pd.Series(cells, dtype=object)})
    schema, _ = learn_schema(frame)
    rows = schema.read(frame)
    rows = Rows(rows.frame, rows.kinds, rng.integers(0, 2, 40))
    model = LEARNERS.get("baseline")().fit(rows, rows, CLASSES, Run())
    (tmp_path / "trial").mkdir()
    model.save(tmp_path / "trial")
    pack(
        tmp_path / "model",
        schema=schema,
        task=CLASSES,
        members=[Member("a", "baseline", "Baseline", tmp_path / "trial")],
        mixes={"baseline": [{"a": 1.0}]},
        default="baseline",
        about={},
    )
    bundle = open_bundle(tmp_path / "model")
    with pytest.raises(UserError, match="do not read so"):
        bundle.predict(pd.DataFrame({"photo": [f"photos/{k}.jpg" for k in range(5)]}))
    assert len(bundle.predict(pd.DataFrame({"photo": pd.Series([cells[0], None, None], dtype=object)}))) == 3
