"""A frozen encoder keeps the laws of learners with the encoders that users have."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from folders import picture_folder, text_folder

from fathometer.bundle import Member, open_bundle, pack
from fathometer.data.encoder_files import encoder_at
from fathometer.data.schema import Schema
from fathometer.errors import BadBundle, UserError
from fathometer.learner import LEARNERS, Facts, Learner, Run
from fathometer.learners._encoders import _reader
from fathometer.testing.learners import LAWS, Case, Toy, make_toy

FACTS = Facts(rows=1000, columns=2, task="classification", outputs=2, kinds=("text", "number"))
RECIPES = {"kernel": {}, "linear": {"head": "linear"}, "engineered": {"engineered": True}}


def frozen(folder: Path, **settings: object) -> Learner:
    found = encoder_at(folder)
    return LEARNERS.get("frozen")(encoder=found.digest, folder=str(folder), form=found.form, **settings)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    words = text_folder(tmp_path_factory.mktemp("words"))
    seen = picture_folder(tmp_path_factory.mktemp("pictures"))
    two, number = (
        make_toy("two classes", ["text", "number"], 2),
        make_toy("a number", ["text", "category"], 0),
    )
    made = {
        f"{head}-{toy.name}": Case(frozen(words, **RECIPES[head]), "frozen", toy)
        for head in RECIPES
        for toy in (two, number)
    }
    made["pictures"] = Case(frozen(seen), "frozen", make_toy("three classes", ["image", "number"], 3))
    return made


NAMES = [f"{head}-{toy}" for head in RECIPES for toy in ("two classes", "a number")] + ["pictures"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("law", LAWS)
def test_it_keeps_the_law(cases: dict[str, Case], name: str, law: str) -> None:
    LAWS[law](cases[name])


def test_there_is_a_recipe_for_each_encoder_that_reads_a_column(tmp_path: Path) -> None:
    found = encoder_at(text_folder(tmp_path))
    kind = LEARNERS.get("frozen")
    assert kind.unsuited(FACTS) == "there is no pre-trained encoder for any column"
    assert kind.unsuited(replace(FACTS, encoders=(replace(found, kind="image"),))) is not None
    facts = replace(FACTS, encoders=(found, replace(found, digest="0" * 64)))
    assert kind.unsuited(facts) is None
    presets = kind.presets_for(facts)
    assert {settings["encoder"] for _, settings in presets} == {found.digest, "0" * 64}
    for _, settings in presets:
        kind(**settings)


def test_a_large_encoder_without_time_is_not_tried(tmp_path: Path) -> None:
    large = replace(encoder_at(text_folder(tmp_path)), size_bytes=4_000_000_000)
    told = LEARNERS.get("frozen").unsuited(replace(FACTS, rows=100_000, seconds=10, encoders=(large,)))
    assert told is not None
    assert "would take about" in told


def test_another_encoder_than_the_recipe_names_is_refused(tmp_path: Path) -> None:
    folder = text_folder(tmp_path)
    toy = make_toy("two classes", ["text"], 2)
    recipe = LEARNERS.get("frozen")(encoder="0" * 64, folder=str(folder), form="transformers")
    with pytest.raises(UserError, match="has changed"):
        recipe.fit(toy.train, toy.valid, toy.task, Run(seconds=3))


def saved(tmp_path: Path, toy: Toy) -> tuple[Path, np.ndarray]:
    """A bundle of two members that read with one encoder, and what the first answers."""
    folder = text_folder(tmp_path / "encoder")
    members = []
    for key in ("one", "two"):
        model = frozen(folder, head="linear").fit(toy.train, toy.valid, toy.task, Run(seconds=3))
        (tmp_path / key).mkdir()
        model.save(tmp_path / key)
        members.append(Member(key, "frozen", "frozen", tmp_path / key))
    pack(
        tmp_path / "bundle",
        schema=Schema(()),
        task=toy.task,
        members=members,
        mixes={"pretrained": [{"one": 0.5, "two": 0.5}]},
        default="pretrained",
        about={},
    )
    return folder, model.predict(replace(toy.asked, target=None))


def test_the_encoder_is_packed_once_and_found_without_the_original(tmp_path: Path) -> None:
    toy = make_toy("two classes", ["text", "number"], 2)
    folder, answers = saved(tmp_path, toy)
    digest = encoder_at(folder).digest
    shutil.rmtree(folder)
    _reader.cache_clear()
    packed = tmp_path / "bundle" / "encoders"
    assert [path.name for path in packed.iterdir()] == [digest]
    assert encoder_at(packed / digest).digest == digest
    moved = (tmp_path / "bundle").rename(tmp_path / "moved")
    again = open_bundle(moved).predict_raw(replace(toy.asked, target=None))
    np.testing.assert_allclose(again, answers, atol=1e-6)


def test_a_model_without_its_encoder_says_so(tmp_path: Path) -> None:
    toy = make_toy("two classes", ["text", "number"], 2)
    folder, _ = saved(tmp_path, toy)
    shutil.rmtree(folder)
    _reader.cache_clear()
    alone = LEARNERS.get("frozen").load(tmp_path / "one")
    with pytest.raises(BadBundle, match="Put it there again"):
        alone.predict(replace(toy.asked, target=None))


def test_an_altered_encoder_in_a_model_folder_is_refused(tmp_path: Path) -> None:
    toy = make_toy("two classes", ["text"], 2)
    saved(tmp_path, toy)
    weights = next((tmp_path / "bundle" / "encoders").glob("*/model.safetensors"))
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadBundle, match="was altered"):
        open_bundle(tmp_path / "bundle")


def test_an_encoder_that_changed_since_the_run_is_not_packed(tmp_path: Path) -> None:
    toy = make_toy("two classes", ["text"], 2)
    folder = text_folder(tmp_path / "encoder")
    model = frozen(folder).fit(toy.train, toy.valid, toy.task, Run(seconds=3))
    (tmp_path / "one").mkdir()
    model.save(tmp_path / "one")
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    with pytest.raises(BadBundle, match="has changed since the run"):
        pack(
            tmp_path / "bundle",
            schema=Schema(()),
            task=toy.task,
            members=[Member("one", "frozen", "frozen", tmp_path / "one")],
            mixes={"pretrained": [{"one": 1.0}]},
            default="pretrained",
            about={},
        )
