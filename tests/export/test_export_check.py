"""A file that would answer otherwise is never written, and what is written is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from crafted_models import TASKS, answers, packed, table
from onnx import numpy_helper

from fathometer.api.exporting import export
from fathometer.bundle import Bundle
from fathometer.errors import UnknownName, UserError
from fathometer.export import Exported, export_onnx, quantize, write
from fathometer.export.build import Built, Choice
from fathometer.export.check import agreement, probes, session

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    names = ("baseline", "linear", "tree", "forest", "boosting", "catboost", "mlp")
    folder = tmp_path_factory.mktemp("checked")
    return packed(folder, TASKS["three classes"], names, *table(300), kinds={"town": "category"})


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    names = ("linear", "tree", "boosting", "mlp")
    return packed(tmp_path_factory.mktemp("numbers"), TASKS["a number"], names, *table(300))


def trees_of(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type == "TreeEnsemble")


def attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto:
    return next(one for one in node.attribute if one.name == name)


def a_threshold_moves(model: onnx.ModelProto) -> None:
    splits = attribute(trees_of(model), "nodes_splits")
    array = numpy_helper.to_array(splits.t).copy()
    root = attribute(trees_of(model), "tree_roots").ints[0]
    array[root] = -array[root] - 1e3
    splits.t.CopyFrom(numpy_helper.from_array(array, "nodes_splits"))


def two_children_change_places(model: onnx.ModelProto) -> None:
    node, root = trees_of(model), attribute(trees_of(model), "tree_roots").ints[0]
    for name in ("nodeids", "leafs"):
        yes, no = attribute(node, f"nodes_true{name}"), attribute(node, f"nodes_false{name}")
        yes.ints[root], no.ints[root] = no.ints[root], yes.ints[root]


def missing_goes_the_other_way(model: onnx.ModelProto) -> None:
    tracks = attribute(trees_of(model), "nodes_missing_value_tracks_true")
    for place, value in enumerate(tracks.ints):
        tracks.ints[place] = 1 - value


def a_category_gets_anothers_code(model: onnx.ModelProto) -> None:
    encoder = next(
        node
        for node in model.graph.node
        if node.op_type == "LabelEncoder" and any(one.name == "values_int64s" for one in node.attribute)
    )
    values = attribute(encoder, "values_int64s")
    values.ints[0], values.ints[1] = values.ints[1], values.ints[0]


def a_weight_is_lost(model: onnx.ModelProto) -> None:
    matrices = {node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    largest = max(
        (one for one in model.graph.initializer if one.name in matrices),
        key=lambda one: int(np.prod(one.dims)),
    )
    array = numpy_helper.to_array(largest).copy()
    array.flat[np.argmax(np.abs(array))] = 0.0
    largest.CopyFrom(numpy_helper.from_array(array, largest.name))


def labels_change_places(model: onnx.ModelProto) -> None:
    labels = next(one for one in model.graph.initializer if one.data_type == onnx.TensorProto.STRING)
    labels.string_data[0], labels.string_data[1] = labels.string_data[1], labels.string_data[0]


WRONG: list[tuple[str, Change]] = [
    ("tree", a_threshold_moves),
    ("tree", two_children_change_places),
    ("boosting", a_threshold_moves),
    ("boosting", two_children_change_places),
    ("boosting", missing_goes_the_other_way),
    ("catboost", two_children_change_places),
    ("forest", a_threshold_moves),
    ("forest", a_category_gets_anothers_code),
    ("linear", a_category_gets_anothers_code),
    ("linear", a_weight_is_lost),
    ("mlp", a_weight_is_lost),
    ("linear", labels_change_places),
]


@pytest.mark.parametrize(("family", "change"), WRONG, ids=lambda one: getattr(one, "__name__", one))
def test_a_wrong_converter_is_caught_and_nothing_is_written(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, change: Change
) -> None:
    right = write.build

    def wrong(of: Bundle, choice: Choice, made_by: str) -> Built:
        built = right(of, choice, made_by)
        change(built.model)
        return built

    monkeypatch.setattr(write, "build", wrong)
    with pytest.raises(UserError, match="rows the ONNX file differs"):
        export_onnx(bundle, tmp_path / "model.onnx", family=family)
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_what_was_checked(bundle: Bundle, tmp_path: Path) -> None:
    made = export_onnx(bundle, tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert made.size_bytes == (tmp_path / "model.onnx").stat().st_size
    assert made.rows >= 500 and made.worst <= 1e-5 and made.family == "classical"
    rows = probes(bundle, rows=40)
    choice = Choice.of(bundle, None, None)
    built = write.build(bundle, choice, "tests")
    assert agreement(bundle, choice, built, session(str(tmp_path / "model.onnx")), rows).holds


def test_the_file_says_what_it_is(bundle: Bundle, tmp_path: Path) -> None:
    export(bundle.folder, tmp_path / "model.onnx", family="mlp")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    about = {one.key: one.value for one in model.metadata_props}
    assert about["bundle_version"] == bundle.version and about["task"] == "classification"
    assert json.loads(about["labels"]) == ["low, <b>", "middle", "high"]
    columns = {one["column"]: one for one in json.loads(about["columns"])}
    assert columns["sent"]["unit"].startswith("seconds since 1970") and columns["town"]["missing"] == '""'
    assert columns["label"]["input"] == "column label"
    assert [one.name for one in model.graph.output] == ["probabilities", "label"]
    assert not any(one.HasField("data_location") and one.data_location for one in model.graph.initializer)


def test_a_number_is_one_value_a_row(numbers: Bundle, tmp_path: Path) -> None:
    export_onnx(numbers, tmp_path / "model.onnx")
    running = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(one.name, one.type, one.shape) for one in running.get_outputs()] == [
        ("value", "tensor(double)", ["rows"])
    ]


def test_equal_models_give_equal_files(numbers: Bundle, tmp_path: Path) -> None:
    for name in ("one.onnx", "two.onnx"):
        export_onnx(numbers, tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_a_file_that_is_there_is_replaced_and_stays_where_that_fails(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "model.onnx"
    place.write_text("before")

    def full(self: Path, target: Path) -> Any:
        raise OSError(28, os.strerror(28), str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(UserError, match="could not be written"):
            export_onnx(bundle, place, family="tree")
    assert place.read_text() == "before" and [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    export_onnx(bundle, place, family="tree")
    assert place.stat().st_size > 100


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"out": "model.bin"}, "ends with .onnx"),
        ({"out": "nowhere/model.onnx"}, "no folder"),
        ({"out": "m.onnx", "family": "clasical"}, "Did you mean 'classical'"),
        ({"out": "m.onnx", "member": "f0-tre"}, "Did you mean 'f0-tree'"),
        ({"out": "m.onnx", "family": "tree", "member": "f0-tree"}, "Name one of them"),
        ({"out": "m.onnx", "family": "tree", "quantized": True}, "nothing to store in 8 bits"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_is_said_in_a_sentence(
    bundle: Bundle, tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    rest = {name: value for name, value in asked.items() if name != "out"}
    with pytest.raises((UserError, UnknownName), match=said):
        export_onnx(bundle, tmp_path / asked["out"], **rest)
    assert list(tmp_path.iterdir()) == []


def test_words_are_refused_with_the_reason_and_a_way_out(tmp_path: Path) -> None:
    frame, signal = table(150)
    frame["note"] = [f"it was {'good' if one > 0.5 else 'bad'} on that day indeed" for one in signal]
    made = packed(tmp_path / "b", TASKS["two classes"], ("linear", "words"), frame, signal, {"note": "text"})
    for family in ("linear", "words"):
        with pytest.raises(UserError, match=r"\(.*\) of .* cannot be exported.*ONNX") as told:
            export_onnx(made, tmp_path / "m.onnx", family=family)
        assert family in str(told.value) and not (tmp_path / "m.onnx").exists()
        assert "no way yet" in str(told.value) and "fathom serve" in str(told.value)
        assert "--drop 'note'" in str(told.value)


def test_of_texts_alone_nothing_is_proposed_but_to_serve_them(tmp_path: Path) -> None:
    _, signal = table(150)
    frame = pd.DataFrame({"note": [f"it was {'good' if one > 0.5 else 'bad'} that day" for one in signal]})
    made = packed(tmp_path / "b", TASKS["two classes"], ("words",), frame, signal, {"note": "text"})
    with pytest.raises(UserError, match=r"no way yet to export any part.*\(fathom serve MODEL\)\.$") as told:
        export_onnx(made, tmp_path / "m.onnx", family="words")
    assert "--drop" not in str(told.value) and "--member" not in str(told.value)


def test_eight_bits_make_a_smaller_file_whose_cost_is_told(numbers: Bundle, tmp_path: Path) -> None:
    plain: Exported = export_onnx(numbers, tmp_path / "plain.onnx", family="mlp")
    small = export_onnx(numbers, tmp_path / "small.onnx", family="mlp", quantized=True)
    assert small.cost is not None and small.cost.size_bytes == plain.size_bytes
    assert small.size_bytes < plain.size_bytes and 0 < small.cost.moved < 0.05
    assert "8 bits" in " ".join(small.sentences())


def test_eight_bits_that_move_labels_are_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = quantize._rounded
    monkeypatch.setattr(quantize, "_rounded", lambda array, axis: right(-100 * array, axis))
    with pytest.raises(UserError, match="not exported in 8 bits"):
        export_onnx(bundle, tmp_path / "m.onnx", family="mlp", quantized=True)
    assert list(tmp_path.iterdir()) == []


def test_the_score_on_rows_of_a_run_is_told(bundle: Bundle, tmp_path: Path) -> None:
    frame, signal = table(200, seed=4)
    real = replace(bundle.schema.read(frame), target=answers(bundle.task, signal))
    made = export_onnx(bundle, tmp_path / "m.onnx", family="mlp", quantized=True, real=real)
    assert made.cost is not None and made.cost.real and made.cost.before is not None
    wanted = float(bundle.task.losses(real.answers, bundle.predict_raw(real, "mlp")).mean())
    assert made.cost.before == pytest.approx(bundle.task.measure.score(wanted))
    assert made.rows > 700 and "rows of the run" in " ".join(made.sentences())


ALONE = """
import sys
for name in {blocked!r}: sys.modules[name] = None
from fathometer.errors import MissingExtra
try:
    from fathometer.api.exporting import export
    export({model!r}, {out!r}, family="classical")
except MissingExtra as error:
    print(error)
print("torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("blocked", "said"),
    [(("onnx",), 'pip install "fathometer[export]"'), ((), "")],
    ids=["without onnx", "with it"],
)
def test_who_exports_trees_loads_no_torch_and_is_told_what_is_missing(
    bundle: Bundle, tmp_path: Path, blocked: tuple[str, ...], said: str
) -> None:
    code = ALONE.format(blocked=blocked, model=str(bundle.folder), out=str(tmp_path / "m.onnx"))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said in done.stdout and done.stdout.strip().endswith("False")
    assert (tmp_path / "m.onnx").exists() == (not blocked)
