"""An encoder that is trained on keeps the laws of learners, and is saved whole."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import text_folder

from fathometer.data.encoder_files import encoder_at
from fathometer.data.encoders import find_encoders
from fathometer.learner import LEARNERS, Facts, Learner, Run
from fathometer.learners._answers import answers_for
from fathometer.learners._linear import solve, weighed
from fathometer.learners._tuning import head_from
from fathometer.testing.learners import LAWS, Case, make_toy


def recipe(folder: Path) -> Learner:
    found = encoder_at(folder)
    return LEARNERS.get("finetune")(
        encoder=found.digest, folder=str(folder), form=found.form, rate=1e-3, epochs=2
    )


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    words = text_folder(tmp_path_factory.mktemp("words"))
    return {
        "two classes": Case(recipe(words), "finetune", make_toy("two classes", ["text", "number"], 2)),
        "a number": Case(recipe(words), "finetune", make_toy("a number", ["text"], 0)),
    }


@pytest.mark.parametrize("name", ["two classes", "a number"])
@pytest.mark.parametrize(
    "law", [law for law in LAWS if law != "signal_is_found"]
)  # of random weights too little is asked
def test_it_keeps_the_law(cases: dict[str, Case], name: str, law: str) -> None:
    LAWS[law](cases[name])


def test_it_needs_no_encoder_but_its_own(tmp_path: Path) -> None:
    folder = text_folder(tmp_path / "encoder")
    toy = make_toy("two classes", ["text"], 2)
    model = recipe(folder).fit(toy.train, toy.valid, toy.task, Run(seconds=5))
    member = tmp_path / "model" / "members" / "one"
    member.mkdir(parents=True)
    model.save(member)
    asked = replace(toy.asked, target=None)
    answers = model.predict(asked)
    shutil.rmtree(folder)
    np.testing.assert_allclose(LEARNERS.get("finetune").load(member).predict(asked), answers, atol=2e-5)
    # and a later run may begin from where this one ended
    (tmp_path / "model" / "model.json").write_text('{"mixes": {"pretrained": [{"one": 1.0}]}}')
    (found,) = find_encoders([str(tmp_path / "model")], ["text"])
    assert (found.form, found.kind) == ("transformers", "text")


@pytest.mark.parametrize("classes", [2, 3, 0])
def test_a_head_begins_as_the_solved_one(classes: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 5)).astype(np.float32)
    task = make_toy("toy", ["number"], classes).task
    score = rows @ np.arange(5) + rng.normal(size=90)
    target = score * 7 + 100 if classes == 0 else np.digitize(score, [0, 4][: classes - 1]).astype(np.int64)
    parts, answers = solve(rows, target, task, 0.1), answers_for(task, target, 0.0)
    with torch.inference_mode():
        outputs = head_from(parts, answers, task.outputs)(torch.from_numpy(rows))
    np.testing.assert_allclose(
        answers.prediction(outputs.unsqueeze(0)), weighed(rows, parts), rtol=1e-4, atol=1e-4
    )


def test_where_time_is_short_it_is_not_tried(tmp_path: Path) -> None:
    found = encoder_at(text_folder(tmp_path))
    kind = LEARNERS.get("finetune")
    facts = Facts(rows=10_000, columns=1, task="classification", outputs=2, kinds=("text",), seconds=60)
    assert kind.unsuited(facts) is not None
    assert kind.unsuited(replace(facts, encoders=(found,))) is None
    told = kind.unsuited(replace(facts, encoders=(replace(found, size_bytes=91_000_000),)))
    assert told is not None
    assert "there are 60" in told
    for _, settings in kind.presets_for(replace(facts, encoders=(found,))):
        kind(**settings)
