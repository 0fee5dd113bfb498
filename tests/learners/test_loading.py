"""A saved model whose files are damaged or crafted ends in an answer or in one sentence: no crash, no flood, no code.

`damaging.py` damages models in a process of its own, so that the end of the process itself would be seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fathometer.core.files import read_state, write_state
from fathometer.errors import BadBundle
from fathometer.learner import LEARNERS, Model, Run
from fathometer.testing.learners import Toy, make_toy

ATTEMPTS = 10  # of each learner and task; thousands were made when this was written
GROUPS = {
    "numbers": ("baseline", "linear", "tree", "bayes", "additive", "svm", "neighbours"),
    "trees of libraries": ("boosting", "forest", "catboost"),
    "words and patches": ("words", "nbsvm", "patches"),
    "networks": ("mlp", "resnet", "tabm", "nca"),
    "networks of words and pictures": ("bag", "cnn"),
}
ENDS = ("refused", "answered")
MOST_MEMORY = (
    600 << 20
)  # bytes beyond what was held before the first attempt: libraries that load late are among them


@pytest.mark.parametrize("group", GROUPS)
def test_damaged_models_answer_or_are_refused(group: str) -> None:
    names = [name for name in GROUPS[group] if name in LEARNERS.usable()]
    program = [sys.executable, str(Path(__file__).with_name("damaging.py")), str(ATTEMPTS), *names]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"after {told[-1:]}: {done.stderr[-2000:]}"
    ends = [one for one in told if "came" in one]
    assert len(ends) >= ATTEMPTS * len(names)
    assert [one for one in ends if not one["came"].startswith(ENDS)] == []
    assert ends[-1]["most"] - ends[0]["most"] < MOST_MEMORY


@pytest.fixture(scope="module")
def toy() -> Toy:
    return make_toy("two classes", ["number", "category"], 2)


def saved(name: str, toy: Toy, folder: Path, **settings: Any) -> Model:
    """A model of this learner in this folder."""
    model = LEARNERS.get(name)(**settings).fit(toy.train, toy.valid, toy.task, Run(seed=1, seconds=1.0))
    model.save(folder)
    return model


@pytest.mark.parametrize("setting", ["width", "depth", "networks"])
def test_a_network_that_claims_to_be_huge_allocates_nothing(setting: str, toy: Toy, tmp_path: Path) -> None:
    saved("mlp", toy, tmp_path)
    state = read_state(tmp_path, "network")
    for size in (10**6, 10**9, 10**18):
        state["settings"][setting] = size
        write_state(tmp_path, "network", state)
        with pytest.raises(BadBundle):
            LEARNERS.get("mlp").load(tmp_path)


def test_networks_are_made_only_as_far_as_there_are_weights_for_them(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = LEARNERS.get("mlp")
    saved("mlp", toy, tmp_path)
    state = read_state(tmp_path, "network")
    further = {f"x{place}": np.zeros(1, dtype=np.float32) for place in range(300)}
    state |= {"weights": {**state["weights"], **further}, "networks": 300}
    state["settings"] |= {"depth": 300, "width": 1}
    write_state(tmp_path, "network", state)
    made, make = [], learner.network  # type: ignore[attr-defined]

    def counted(*told: Any) -> Any:
        made.append(1)
        return make(*told)

    monkeypatch.setattr(learner, "network", counted)
    with pytest.raises(BadBundle, match="fewer networks"):
        learner.load(tmp_path)
    assert len(made) == 1
    state["settings"]["depth"] = 2_000
    state["weights"] |= {f"y{place}": np.zeros(1, dtype=np.float32) for place in range(2_000)}
    write_state(tmp_path, "network", state)
    with pytest.raises(BadBundle, match="depth"):
        learner.load(tmp_path)
    assert len(made) == 1


def test_layers_of_many_columns_of_pictures_are_made_only_as_far_as_there_are_weights(tmp_path: Path) -> None:
    toy = make_toy("two classes", ["image"], 2)
    saved("cnn", toy, tmp_path, side=24, filters=4, epochs=1)
    state = read_state(tmp_path, "network")
    LEARNERS.get("cnn").load(tmp_path)
    state["settings"]["depth"] = len(state["weights"])
    state["inputs"]["pictures"] += [{**state["inputs"]["pictures"][0], "column": "another"}]
    write_state(tmp_path, "network", state)
    with pytest.raises(BadBundle, match="fewer layers"):
        LEARNERS.get("cnn").load(tmp_path)


def test_places_that_a_network_looks_up_are_its_own(toy: Toy, tmp_path: Path) -> None:
    saved("mlp", toy, tmp_path)
    state = read_state(tmp_path, "network")
    places = [name for name, values in state["weights"].items() if values.dtype.kind == "i"]
    assert places
    for name in places:
        kept = state["weights"][name]
        if kept.size:
            state["weights"][name] = kept + 1_000_000
            write_state(tmp_path, "network", state)
            with pytest.raises(BadBundle):
                LEARNERS.get("mlp").load(tmp_path)
            state["weights"][name] = kept


def test_one_array_cannot_be_used_for_many(toy: Toy, tmp_path: Path) -> None:
    saved("linear", toy, tmp_path)
    path = tmp_path / "model.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described["matrix"]["tables"] = {"0": described["parts"]["weights"]}
    path.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(BadBundle):
        LEARNERS.get("linear").load(tmp_path)


STRANGE_JSON = {
    "a key twice": lambda text: text.replace('{"inputs"', '{"parts": 1, "inputs"', 1),
    "NaN": lambda text: text.replace('"bends": true', '"bends": NaN', 1),
    "nested without end": lambda text: "[" * 100_000,
    "nothing": lambda text: "",
    "a list": lambda text: "[]",
    "no text": lambda text: text[: len(text) // 2],
    "millions of lists": lambda text: "[" + "[]," * (1 << 23) + "[]]",
    "a shape of nothing": lambda text: text.replace('"shape": [', '"shape": [-1, ', 1),
    "an array that is not there": lambda text: text.replace('"$array": "a0"', '"$array": "a999"', 1),
}


@pytest.mark.parametrize("strange", STRANGE_JSON)
def test_json_that_is_not_ours_is_refused_in_a_sentence(strange: str, toy: Toy, tmp_path: Path) -> None:
    saved("linear", toy, tmp_path)
    path = tmp_path / "model.json"
    text = path.read_text(encoding="utf-8")
    assert STRANGE_JSON[strange](text) != text
    path.write_text(STRANGE_JSON[strange](text), encoding="utf-8")
    with pytest.raises(BadBundle, match=r"model\.json"):
        LEARNERS.get("linear").load(tmp_path)


def test_a_member_that_reads_a_column_as_another_kind_is_refused_when_it_is_asked(
    toy: Toy, tmp_path: Path
) -> None:
    saved("linear", toy, tmp_path)
    other = make_toy("two classes", ["category"], 2).asked
    with pytest.raises(BadBundle, match="reads"):
        LEARNERS.get("linear").load(tmp_path).predict(other)


def test_an_encoder_is_not_looked_for_outside_a_packed_model(tmp_path: Path) -> None:
    from fathometer.learners._encoders import Source

    member = tmp_path / "model" / "members" / "one"
    member.mkdir(parents=True)
    state = {"digest": "a" * 64, "folder": "/etc", "form": "onnx", "kind": "text"}
    assert Source.from_state(state, member).folder == "/etc"  # of a run on this machine
    (tmp_path / "model" / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadBundle, match="packed"):
        Source.from_state(state, member)
    for digest in ("../../../..", "", "a" * 63, None):
        with pytest.raises(BadBundle):
            Source.from_state({**state, "digest": digest}, member)


def test_what_is_sound_answers_as_before(toy: Toy, tmp_path: Path) -> None:
    for name in ("boosting", "nca", "tabm"):
        folder = tmp_path / name
        folder.mkdir()
        model = saved(name, toy, folder)
        loaded = LEARNERS.get(name).load(folder)
        assert np.array_equal(loaded.predict(toy.asked), model.predict(toy.asked))
