"""A pre-trained family has a third of the time and a lane of its own, where there is a learner for it; else nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_outcome import CLASSES, FIRST, ROWS, a_run, enter, probabilities

from fathometer.core.files import write_json
from fathometer.engine import Engine, Job, Outcome
from fathometer.learner import Encoder, Facts
from fathometer.study.budget import FAMILIES, Budget
from fathometer.study.ledger import Ledger
from fathometer.study.outcome import measure
from fathometer.study.pretraining import name_encoder
from fathometer.study.record import read_run
from fathometer.study.run import Progress, _Desk, structured_columns, work

ENCODER = {
    "name": "small",
    "kind": "text",
    "folder": "/models/small",
    "form": "onnx",
    "digest": "ab" * 32,
    "licence": "MIT",
    "size_bytes": 1_000,
    "learned_from": "",
    "width": 8,
}
THREE = (*FAMILIES, "pretrained")


class Pretended(Engine):
    """Ends every job at once, as failed after a second; lists these families' learners, two of each."""

    def __init__(self, *families: str) -> None:
        self.families = families
        self.jobs: list[Job] = []

    @property
    def workers(self) -> int:
        return 2

    def map(self, jobs: Iterator[Job | None]) -> Generator[Outcome]:
        for job in jobs:
            assert job is not None
            self.jobs.append(job)
            if job.key == "candidates":
                yield Outcome(
                    job, "done", value={"candidates": self._listed(), "left_out": [["frozen", "no extra"]]}
                )
            else:
                yield Outcome(job, "failed", "no", cpu_seconds=1.0)

    def close(self) -> None: ...

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {
                "learner": f"{family}{k}",
                "family": family,
                "title": f"{family} {k}",
                "turn": k,
                "settings": {},
                "space": {},
                "transparent": False,
            }
            for family in self.families
            for k in range(2)
        ]


def prepared(folder: Path, kinds: tuple[str, ...] = ("text",), encoders: bool = True) -> Path:
    """A run before its first trial, of columns of these kinds."""
    a_run(folder, CLASSES)
    facts = json.loads((folder / "run.json").read_text())
    columns = [{"name": f"c{k}", "kind": kind} for k, kind in enumerate(kinds)]
    facts |= {"schema": {"columns": columns}, "seed": 0, "budget": 60.0}
    facts["data"] = {"rows": ROWS, "train_rows": 40}
    if encoders:
        facts["encoders"] = [ENCODER]
    write_json(folder / "run.json", facts)
    return folder


def ran(folder: Path, *families: str) -> tuple[Pretended, list[Progress]]:
    engine, seen = Pretended(*families), []
    work(folder, engine, seen.append, time.monotonic())
    return engine, seen


def test_three_families_share_what_two_have() -> None:
    two, three = Budget(100.0, 2), Budget(100.0, 2, families=3)
    assert two.family_seconds == 0.4 * 100 * 2
    assert 3 * three.family_seconds == pytest.approx(2 * two.family_seconds)


def test_with_an_encoder_and_a_learner_each_of_three_lanes_has_a_third(tmp_path: Path) -> None:
    engine, seen = ran(prepared(tmp_path), "baseline", *THREE)
    assert set(seen[-1].families) == set(THREE)
    for family in seen[-1].families.values():
        assert family.share_seconds == pytest.approx(0.8 / 3 * 60 * 2)
        assert family.trials > 0
    assert {job.key.split("-")[1] for job in engine.jobs if "-" in job.key} >= {"pretrained0", "pretrained1"}


def test_without_a_learner_for_it_the_two_have_all_their_time_and_it_is_said_why(tmp_path: Path) -> None:
    _, seen = ran(prepared(tmp_path), "baseline", *FAMILIES)
    assert set(seen[-1].families) == set(FAMILIES)
    assert all(family.share_seconds == 0.4 * 60 * 2 for family in seen[-1].families.values())
    assert measure(tmp_path).families == FAMILIES
    assert ("frozen", "no extra") in measure(tmp_path).not_tried


def test_without_an_encoder_nobody_misses_its_learners(tmp_path: Path) -> None:
    _, seen = ran(prepared(tmp_path, encoders=False), "baseline", *FAMILIES)
    assert all(family.share_seconds == 0.4 * 60 * 2 for family in seen[-1].families.values())
    assert measure(tmp_path).not_tried == ()


def test_learners_are_told_what_there_is_and_how_much_time(tmp_path: Path) -> None:
    for number, (kinds, encoders, structured) in enumerate(
        [(("text",), True, 0), (("text", "number", "number"), False, 2), (("number",), False, 1)]
    ):
        engine, _ = ran(prepared(tmp_path / str(number), kinds, encoders), "baseline", *FAMILIES)
        facts = next(job for job in engine.jobs if job.key == "candidates").arguments["facts"]
        assert isinstance(facts, Facts)
        assert facts.structured == structured
        assert facts.encoders == ((Encoder(**ENCODER),) if encoders else ())  # type: ignore[arg-type]
        assert facts.seconds == pytest.approx(0.8 / (3 if encoders else 2) * 60 * 2 / 3)


class Trained(Pretended):
    """Trains the encoder, and lists the third family's learners to whom one is named; ends at the second listing."""

    def __init__(self, ends: bool) -> None:
        super().__init__("baseline", *THREE)
        self.ends = ends

    def map(self, jobs: Iterator[Job | None]) -> Generator[Outcome]:
        for job in jobs:
            assert job is not None
            self.jobs.append(job)
            if job.key == "pretraining":
                yield Outcome(job, "done", value={"encoder": ENCODER, "decided": {}}, cpu_seconds=1.0)
            elif job.key == "candidates":
                has_encoder = bool(job.arguments["facts"].encoders)
                if has_encoder and self.ends:
                    raise KeyboardInterrupt
                some = [one for one in self._listed() if has_encoder or one["family"] != "pretrained"]
                yield Outcome(job, "done", value={"candidates": some, "left_out": []})
            else:
                yield Outcome(job, "failed", "no", cpu_seconds=1.0)


def test_who_resumes_after_an_encoder_was_trained_has_its_learners(tmp_path: Path) -> None:
    prepared(tmp_path, ("image",), encoders=False)
    facts = json.loads((tmp_path / "run.json").read_text())
    told = {"column": "c0", "kind": "image", "rows": 200, "origin": "more"}
    write_json(tmp_path / "run.json", facts | {"unlabelled": told})
    work(tmp_path, Trained(ends=True), None, time.monotonic())
    assert [trial.learner for trial in Ledger(tmp_path).trials() if trial.stage == "pretraining"]
    work(tmp_path, Trained(ends=False), None, time.monotonic())
    tried = {trial.learner for trial in Ledger(tmp_path).trials()}
    assert {"pretrained0", "pretrained1", "deep0", "classical0"} <= tried
    assert json.loads((tmp_path / "run.json").read_text())["encoders"] == [ENCODER]


def test_an_encoder_trained_twice_in_one_place_is_named_once(tmp_path: Path) -> None:
    run: dict[str, Any] = {
        "encoders": [ENCODER, ENCODER | {"digest": "cd" * 32, "folder": "/run/unlabelled"}]
    }
    name_encoder(tmp_path, run, ENCODER | {"digest": "ef" * 32, "folder": "/run/unlabelled"})
    assert [one["digest"][:2] for one in run["encoders"]] == ["ab", "ef"]


def test_structured_columns_are_neither_words_nor_pictures() -> None:
    run = {"schema": {"columns": [{"kind": "text"}, {"kind": "category"}, {"kind": "image"}]}}
    assert structured_columns(run) == 1


def with_third(folder: Path, folds: list[str], passes: int = 1, later: int = 0) -> None:
    """Both families on every fold, and a pre-trained one on these."""
    target = a_run(folder, passes=passes)
    facts = json.loads((folder / "run.json").read_text())
    write_json(folder / "run.json", facts | {"encoders": [ENCODER]})
    rng = np.random.default_rng(2)
    every = [f"r{repeat}f{k}" for repeat in range(passes) for k in range(3)]
    enter(folder, "baseline", "baseline", np.full((ROWS, 2), 0.5), every)
    for number in range(3):
        for family in FAMILIES:
            enter(folder, family, f"{family}{number}", probabilities(rng, target, 1.0), every)
    enter(folder, "pretrained", "frozen", probabilities(rng, target, 2.0), folds)


def test_it_is_a_competitor_when_it_has_the_whole_first_pass(tmp_path: Path) -> None:
    with_third(tmp_path / "whole", FIRST)
    with_third(tmp_path / "part", FIRST[:2])
    whole, part = measure(tmp_path / "whole"), measure(tmp_path / "part")
    assert [fold.fold for fold in whole.results["pretrained"]] == FIRST
    assert "pretrained" not in part.results
    assert part.families == whole.families == THREE
    assert [len(folds) for folds in part.results.values()] == [3, 3, 3, 3]


def test_of_repeats_it_may_lack_some(tmp_path: Path) -> None:
    with_third(tmp_path, [*FIRST, "r1f0"], passes=2)
    found = measure(tmp_path)
    assert found.folds == 6
    assert [fold.fold for fold in found.results["pretrained"]] == [*FIRST, "r1f0"]
    assert [fold.fold for fold in found.packed("pretrained")] == FIRST


def test_it_is_never_in_a_mix_with_others(tmp_path: Path) -> None:
    with_third(tmp_path, FIRST)
    found = measure(tmp_path)
    family = {trial.key: trial.family for trial in found.trials}
    for name, folds in found.results.items():
        used = {family[key] for fold in folds for key, _ in fold.members}
        assert ("pretrained" in used) == (name == "pretrained")


def test_its_curve_has_the_sizes_that_it_and_both_families_tried(tmp_path: Path) -> None:
    with_third(tmp_path, FIRST)
    target, rng = measure(tmp_path).target, np.random.default_rng(3)
    for size in (2, 4, 8):
        names = [f"{fold}@{size}" for fold in FIRST]
        for learner, family in (("classical0", "classical"), ("deep0", "deep")):
            if size < 8:
                enter(tmp_path, family, learner, probabilities(rng, target, 1.0), names, stage="curve")
        if size != 4:
            enter(tmp_path, "pretrained", "frozen", probabilities(rng, target, 2.0), names, stage="curve")
    anchors = measure(tmp_path).anchors
    assert sorted(anchors["classical"]) == [1, 2, 4]
    assert sorted(anchors["pretrained"]) == [1, 2]
    assert [fold.fold for fold in anchors["pretrained"][2]] == [f"{fold}@2" for fold in FIRST]


def test_a_table_has_no_word_of_it(tmp_path: Path) -> None:
    with_third(tmp_path, FIRST)
    facts = json.loads((tmp_path / "run.json").read_text())
    del facts["encoders"]
    write_json(tmp_path / "run.json", facts)
    found = measure(tmp_path)
    assert found.families == FAMILIES
    assert "pretrained" not in found.results and "pretrained" not in found.anchors


@pytest.mark.parametrize(
    ("kinds", "ablated"),
    [
        (("number",), set()),
        (("number", "category"), set(FAMILIES)),
        (("text",), {"classical"}),
        (("image", "text"), {"classical"}),
        (("text", "number"), set(FAMILIES)),
    ],
)
def test_features_are_left_out_where_a_family_has_them(
    tmp_path: Path, kinds: tuple[str, ...], ablated: set[str]
) -> None:
    folder = prepared(tmp_path, kinds)
    desk = _Desk(folder, read_run(folder), Ledger(folder), Pretended(), time.monotonic(), None)
    assert {family for family in THREE if desk._is_ablated(family)} == ablated
