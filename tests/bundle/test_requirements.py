"""What a model says it needs is enough to load it and answer, and none of it is too much."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle import Member, pack
from fathometer.bundle.requirements import ALWAYS, requirements, requirements_text
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.kind import KINDS
from fathometer.learner import LEARNERS, Run
from fathometer.tasks.classification import Classification

CLASSES = Classification("answer", "accuracy", 0.5, ("no", "yes"))
TRIED = [
    *[
        (name, ("number", "category", "moment"))
        for name in ("baseline", "linear", "tree", "boosting", "forest", "mlp")
    ],
    *[
        (name, ("number", "category", "moment"))
        for name in ("additive", "bayes", "catboost", "neighbours", "svm")
    ],
    *[(name, ("text",)) for name in ("words", "nbsvm", "linear", "textcnn")],
    *[(name, ("image",)) for name in ("patches", "boosting")],
]
WITHOUT_PACKAGE = {"lightgbm"}  # whose library is asked without what is around it in Python
FRESH = """
import importlib.machinery, importlib.metadata, json, sys
allowed, model, kept = set(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]
brought = importlib.metadata.packages_distributions()
class Wall(importlib.machinery.PathFinder):  # as if nothing else were installed
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        makers = {one.lower().replace("_", "-") for one in brought.get(name.partition(".")[0], ())}
        return None if makers and not makers & allowed else super().find_spec(name, path, target)
sys.meta_path[:] = [Wall if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
from pathlib import Path
import numpy as np, pandas as pd
from fathometer.bundle import open_bundle
cells = {name: pd.Series([np.array(c, dtype=np.uint8) if isinstance(c, list) else c for c in column], dtype=object)
         for name, column in json.loads(Path(kept).read_text()).items()}
answers = open_bundle(model).predict(pd.concat([pd.DataFrame(cells)] * 200))[:4]  # few rows may need less
loaded = sorted({one for name in list(sys.modules) for one in brought.get(name.partition(".")[0], ())})
print(json.dumps([answers["probability_yes"].tolist(), loaded]))
"""


def with_theirs(names: set[str]) -> set[str]:
    """These distributions, and what they demand themselves."""
    found, waiting = set(), [name.lower() for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            demanded = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = [demand for demand in demanded if "extra ==" not in demand]
        waiting += [
            re.split(r"[^A-Za-z0-9._-]", demand.strip())[0].lower().replace("_", "-") for demand in wanted
        ]
    return found


@pytest.mark.parametrize(
    ("learner", "kinds"), TRIED, ids=lambda one: one if isinstance(one, str) else "+".join(one)
)
def test_nothing_else_must_be_installed_and_nothing_too_much(
    tmp_path: Path, learner: str, kinds: tuple[str, ...]
) -> None:
    if learner not in LEARNERS.usable():
        pytest.skip(f"what {learner} wraps is not installed")
    rng = np.random.default_rng(0)
    signal = rng.random(80)
    frame = pd.DataFrame({kind: KINDS.get(kind)().toy(signal, rng).tolist() for kind in kinds})
    schema, _ = learn_schema(frame, kinds={kind: kind for kind in kinds})
    rows = schema.read(frame)
    rows = Rows(rows.frame, rows.kinds, (signal > 0.5).astype(np.int64))
    model = LEARNERS.get(learner)().fit(
        rows.take(np.arange(60)), rows.take(np.arange(60, 80)), CLASSES, Run(seconds=1)
    )
    (tmp_path / "trial").mkdir()
    model.save(tmp_path / "trial")
    said = requirements([learner], kinds)
    pack(
        tmp_path / "model", schema=schema, task=CLASSES, members=[Member("a", learner, learner, tmp_path / "trial")],
        mixes={"classical": [{"a": 1.0}]}, default="classical", about={}, requires=said,
    )  # fmt: skip
    asked = frame.iloc[60:64]
    kept = {
        name: [np.asarray(cell).tolist() if kinds == ("image",) else cell for cell in asked[name]]
        for name in asked
    }
    (tmp_path / "rows.json").write_text(json.dumps(kept))
    allowed = json.dumps(sorted(with_theirs({*said, "fathometer-itself"}) | {"fathometer"}))
    command = [sys.executable, "-c", FRESH, allowed, str(tmp_path / "model"), str(tmp_path / "rows.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-600:]
    answers, loaded = json.loads(done.stdout)
    assert answers == pytest.approx(model.predict(rows.take(np.arange(60, 64)))[:, 1].tolist(), abs=1e-6)
    assert set(said) - set(ALWAYS) - WITHOUT_PACKAGE <= set(loaded)


@pytest.mark.parametrize("name", LEARNERS.names())
def test_what_learners_say_they_need_is_told_without_importing_them(name: str) -> None:
    if name not in LEARNERS.usable():
        pytest.skip(f"what {name} wraps is not installed")
    assert set(requirements([name], [])) - set(ALWAYS) == set(LEARNERS.get(name).needs)


def test_encoders_bring_what_their_form_needs(tmp_path: Path) -> None:
    (tmp_path / "encoders.json").write_text(json.dumps([{"digest": "0", "folder": "/x", "form": "onnx"}]))
    found = requirements(["frozen"], ["text"], [tmp_path])
    assert set(found) >= {"scipy", "torch"} | {name for name in ("onnxruntime", "tokenizers") if has(name)}


def test_an_encoder_that_was_tuned_brings_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "tokenizer.json").write_text("{}")
    found = requirements(["finetune"], ["text"], [tmp_path])
    assert set(found) >= {"torch"} | {name for name in ("transformers", "tokenizers") if has(name)}


def test_versions_are_those_that_are_installed() -> None:
    found = requirements(["boosting"], ["image"])
    assert found["numpy"] == np.__version__
    assert all(found[name] == importlib.metadata.version(name) for name in found)
    assert list(found) == sorted(found)


def test_the_text_is_what_pip_reads() -> None:
    text = requirements_text({"numpy": "2.4.6", "torch": "2.13.0+cpu"})
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert {"numpy==2.4.6", "torch==2.13.0"} <= set(
        lines
    )  # what a version was built for is not to be had from PyPI
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+(==|>=)[0-9a-z.]+(; .*)?", line) for line in lines)
    assert any(line.startswith("typer") for line in lines)
    requirement = pytest.importorskip("packaging.requirements").Requirement
    assert [requirement(line).name for line in lines]


def has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
