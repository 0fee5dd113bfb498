"""A later run may begin from the networks of an earlier one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fathometer.bundle import Member, pack
from fathometer.data.encoders import find_encoders
from fathometer.data.schema import Schema
from fathometer.errors import UserError
from fathometer.learner import LEARNERS, Model, Run
from fathometer.testing.learners import Toy, make_toy


def packed(folder: Path, names: list[str], toy: Toy) -> Model:
    """A model folder with a member of each of these learners, the last one counting most; and that one."""
    members = []
    for name in names:
        model = LEARNERS.get(name)().fit(toy.train, toy.valid, toy.task, Run(seed=1, seconds=2))
        (folder / name).mkdir(parents=True)
        model.save(folder / name)
        members.append(Member(name, name, name, folder / name))
    shares = np.arange(1, len(names) + 1) / np.arange(1, len(names) + 1).sum()
    pack(
        folder / "model",
        schema=Schema(()),
        task=toy.task,
        members=members,
        mixes={"deep": [dict(zip(names, shares.tolist(), strict=True))]},
        default="deep",
        about={},
    )
    return model


@pytest.mark.parametrize(
    ("kind", "names"), [("text", ["linear", "bag", "textcnn"]), ("image", ["linear", "cnn"])]
)
def test_the_encoder_of_an_earlier_network_is_used(tmp_path: Path, kind: str, names: list[str]) -> None:
    toy = make_toy("two classes", [kind, "number"], 2)
    packed(tmp_path, names, toy)
    (found,) = find_encoders([str(tmp_path)], [kind, "number"])
    assert (found.kind, found.form, found.learned_from) == (
        kind,
        "fathometer",
        "the rows and answers of an earlier run",
    )
    assert Path(found.folder).name == names[-1]
    recipe = LEARNERS.get("frozen")(encoder=found.digest, folder=found.folder, form=found.form)
    model = recipe.fit(toy.train, toy.valid, toy.task, Run(seconds=3))
    asked = replace(toy.asked, target=None)
    answers = model.predict(asked)
    assert toy.task.fitting_loss(toy.asked.answers, answers) < 0.6
    np.testing.assert_allclose(model.predict(asked.take(np.array([3]))), answers[3:4], atol=2e-5)


def test_a_model_without_encoders_says_so(tmp_path: Path) -> None:
    packed(tmp_path, ["linear"], make_toy("two classes", ["text", "number"], 2))
    with pytest.raises(UserError, match="No model in"):
        find_encoders([str(tmp_path)], ["text"])
