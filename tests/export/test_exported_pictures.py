"""An exported model of pictures answers what the model answers to their pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
from crafted_models import OF_PICTURES, TASKS, packed, pictures

from fathometer.errors import UserError
from fathometer.export import export_onnx
from fathometer.export.build import Choice, build
from fathometer.export.check import agreement, probes, session


@pytest.mark.parametrize("task", list(TASKS), ids=str)
def test_a_model_of_pictures_answers_the_same_exported(tmp_path: Path, task: str) -> None:
    bundle = packed(tmp_path, TASKS[task], OF_PICTURES, *pictures(48))
    assert set(bundle.schema.kinds.values()) == {"image", "number"}
    rows = probes(bundle, rows=40)
    for name in OF_PICTURES:
        choice = Choice.of(bundle, name, None)
        built = build(bundle, choice, "tests")
        found = agreement(bundle, choice, built, session(built.model.SerializeToString()), rows)
        assert found.holds, (name, found)


def test_engineered_features_of_pictures_are_refused_and_networks_proposed(tmp_path: Path) -> None:
    bundle = packed(
        tmp_path / "b", TASKS["two classes"], ("linear", "patches"), *pictures(40, shape=(16, 16, 1))
    )
    with pytest.raises(UserError, match=r"edges, texture and colours.*--family patches") as told:
        export_onnx(bundle, tmp_path / "m.onnx", family="linear")
    assert "--family classical" not in str(told.value) and not (tmp_path / "m.onnx").exists()
