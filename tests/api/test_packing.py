"""A run leaves a model with all that was measured of it, and says what it could not make."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop_rows import shop

import fathometer as fm
from fathometer.api import packing
from fathometer.api.packing import choose, finish_model, leave_model, told_of
from fathometer.bundle import open_bundle
from fathometer.bundle.golden import GOLDEN_ROWS, check_golden
from fathometer.core.files import read_json
from fathometer.engines.inline import Inline
from fathometer.engines.local import Local
from fathometer.study.outcome import measure

PARTS = {"description", "member", "reference", "golden", "verdict", "card", "requirements"}


def broken(model: str, reference: Any) -> dict[str, Any]:
    """What answers the golden rows, out of order."""
    raise OSError("no such\nluck")


def test_a_run_leaves_a_model_with_all_that_goes_with_it(finished_run: Path) -> None:
    bundle = open_bundle(finished_run / "model")
    assert bundle.seal is not None
    assert {listed.role for listed in bundle.seal.manifest.files.values()} == PARTS
    assert check_golden(bundle, 0.0) == GOLDEN_ROWS
    assert bundle.name == "shop"
    assert {"torch", "numpy"} <= set(bundle.requires)
    assert "# shop\n" in (finished_run / "model" / "README.md").read_text(encoding="utf-8")


def test_the_model_says_of_itself_what_later_verbs_need(finished_run: Path) -> None:
    about = open_bundle(finished_run / "model").about
    assert about["ids"] == ["code"]
    assert about["target"] == "left"
    assert about["rows"] == 160
    assert about["golden"] == f"{GOLDEN_ROWS} made-up rows"


def test_what_was_measured_goes_along_and_no_row_of_the_data(finished_run: Path) -> None:
    result, told = read_json(finished_run / "result.json"), open_bundle(finished_run / "model").verdict
    assert told is not None
    assert told["table"] == result["table"]
    assert told["verdict"] == result["verdict"]
    assert set(told["measures"]) == {"classical", "deep", "together"}
    assert not any("examples" in measured for measured in told["measures"].values())
    assert not {"trials", "leaderboard", "folds"} & set(told)


def test_no_place_on_this_machine_goes_along() -> None:
    encoder = {"name": "mini", "folder": "/home/jane/mini", "digest": "0" * 64}
    told = told_of(
        {"encoders": [encoder], "verdict": {"pretrained": {"encoders": [encoder], "p_better": 1.0}}}
    )
    assert "jane" not in json.dumps(told)
    assert told["verdict"]["pretrained"]["p_better"] == 1.0


def test_answers_are_sketched_on_rows_that_were_not_learned_from(finished_run: Path) -> None:
    reference, outcome = open_bundle(finished_run / "model").reference, measure(finished_run)
    assert reference is not None
    assert set(reference["answers"]) == {"baseline", "classical", "deep", "together"}
    said = np.concatenate(
        [outcome.task.answer(fold.prediction)["prediction"] for fold in outcome.results["deep"]]
    )
    counts = {label: int((said == label).sum()) for label in ("no | never", "yes")}
    assert dict(reference["answers"]["deep"]["labels"]) == counts
    assert reference["answers"]["deep"]["rows"] == sum(counts.values()) == 160


def test_the_model_is_there_before_it_is_finished(run: Path) -> None:
    study = fm.judge(run)
    chosen = choose(study, Inline())
    leave_model(study, chosen)
    bare = open_bundle(run / "model")
    assert bare.golden is None
    assert bare.reference is None
    assert bare.predict(shop(4, seed=7)).shape[0] == 4
    finish_model(study, chosen, Inline())
    whole = open_bundle(run / "model")
    assert whole.predict(shop(4, seed=7)).equals(bare.predict(shop(4, seed=7)))
    assert check_golden(whole) == GOLDEN_ROWS


@pytest.mark.parametrize("engine", ["none", "fails", "out of time"])
def test_without_golden_rows_the_model_says_why(
    run: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    study = fm.judge(run)
    chosen = choose(study, Inline())
    if engine == "fails":
        monkeypatch.setattr(packing, "make_golden", broken)
    if engine == "out of time":
        monkeypatch.setattr(packing, "GOLDEN_LEAST", 0.0)
        monkeypatch.setattr(packing, "GOLDEN_SHARE", 0.0)
    with closing(Local(workers=1, log=run / "run.log")) as local:
        given = {"none": None, "fails": Inline(), "out of time": local}[engine]
        finish_model(study, chosen, given)
    bundle = open_bundle(run / "model")
    told = {"none": "interrupted", "fails": "no such luck", "out of time": "over its limit"}[engine]
    assert bundle.about["golden"].startswith("none: ")
    assert told in bundle.about["golden"]
    assert bundle.golden is None
    assert bundle.reference is not None
    assert told in (run / "model" / "README.md").read_text(encoding="utf-8")
    bundle.check()


def test_one_small_model_is_told_apart_from_the_bag(run: Path) -> None:
    facts = read_json(run / "run.json") | {"model": "small"}
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    study = fm.judge(run)
    chosen = choose(study, Inline())
    leave_model(study, chosen)
    finish_model(study, chosen, Inline())
    bundle = open_bundle(run / "model")
    assert list(bundle.mixes) == [study.verdict.use]
    assert len(bundle.learners) == 1
    assert check_golden(bundle) == GOLDEN_ROWS
    assert "trained again on all rows" in (run / "model" / "README.md").read_text(encoding="utf-8")


def test_the_process_that_packs_loads_no_learner(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from contextlib import closing; import fathometer as fm\n"
        "from fathometer.api.packing import choose, finish_model; from fathometer.engines.local import Local\n"
        f"study = fm.judge({str(run)!r})\n"
        "with closing(Local(workers=1)) as engine: finish_model(study, choose(study, engine), engine)\n"
        "print(study.model.about['golden'], {'torch', 'sklearn', 'lightgbm', 'catboost'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{GOLDEN_ROWS} made-up rows set()"
