"""Opening and asking a classical model loads no torch, and no scikit-learn unless answering takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fathometer.bundle.requirements import OF_FAMILIES, OF_LEARNERS
from fathometer.learner import LEARNERS, Run
from fathometer.testing.learners import make_toy

HEAVY = ("torch", "sklearn", "scipy", "lightgbm", "catboost", "transformers", "onnxruntime")
PACKAGES = {"scikit-learn": "sklearn"}
LIGHT = (
    "additive",
    "baseline",
    "bayes",
    "boosting",
    "catboost",
    "forest",
    "linear",
    "neighbours",
    "svm",
    "tree",
)
OF_WORDS = ("nbsvm", "words")
PROGRAM = """
import json, sys
from fathometer.learner import LEARNERS
from fathometer.testing.learners import make_toy

asked = make_toy("two classes", sys.argv[2].split(","), 2).asked
for name in sys.argv[3].split(","):
    model = LEARNERS.get(name).load(__import__("pathlib").Path(sys.argv[1]) / name)
    loaded = [package for package in {heavy} if package in sys.modules]
    if sys.argv[4] == "ask":
        model.predict(asked)
        loaded = [package for package in {heavy} if package in sys.modules]
    print(json.dumps([name, loaded]))
""".replace("{heavy}", repr(HEAVY))


def saved(folder: Path, names: tuple[str, ...], kinds: list[str]) -> list[str]:
    """Models of these learners, fitted and saved; the names of those that could be."""
    toy = make_toy("two classes", kinds, 2)
    usable = [name for name in names if name in LEARNERS.usable()]
    for name in usable:
        (folder / name).mkdir()
        LEARNERS.get(name)().fit(toy.train, toy.valid, toy.task, Run(seconds=0.5)).save(folder / name)
    return usable


def loaded_by(folder: Path, names: list[str], kinds: list[str], how: str) -> dict[str, set[str]]:
    """The heavy packages that are there after each of these models, one after the other, in a fresh process."""
    program = [sys.executable, "-c", PROGRAM, str(folder), ",".join(kinds), ",".join(names), how]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
    return {name: set(found) for name, found in map(json.loads, done.stdout.splitlines())}


def test_classical_models_are_asked_without_torch_and_scikit_learn(tmp_path: Path) -> None:
    kinds = ["number", "category", "moment"]
    names = saved(tmp_path, LIGHT, kinds)
    names.sort(key=lambda name: name == "neighbours")  # the one that takes scikit-learn comes last
    loaded = loaded_by(tmp_path, names, kinds, "ask")
    assert loaded.pop("neighbours") <= {"sklearn", "scipy"}
    assert all(found == set() for found in loaded.values()), loaded
    assert loaded_by(tmp_path, names, kinds, "load")["neighbours"] == set()


def test_models_of_words_are_asked_without_torch_and_scikit_learn(tmp_path: Path) -> None:
    kinds = ["number", "text"]
    names = saved(tmp_path, OF_WORDS, kinds)
    assert all(found == {"scipy"} for found in loaded_by(tmp_path, names, kinds, "ask").values())


@pytest.mark.parametrize("name", LEARNERS.names())
def test_what_a_learner_needs_is_what_a_bundle_requires(name: str) -> None:
    place = LEARNERS.place(name).rpartition(".")[0]
    told = OF_LEARNERS.get(name, OF_FAMILIES[place])
    assert set(told) == set(LEARNERS.get(name).needs)
