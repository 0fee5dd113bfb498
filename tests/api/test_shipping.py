"""A family's part of a model is packed whole or not at all, and answers as it did in the run."""

from __future__ import annotations

import shutil
import zipfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from shop_rows import shop

import fathometer as fm
from fathometer.api import shipping
from fathometer.api.packing import choose, leave_model
from fathometer.api.shipping import pack
from fathometer.bundle import open_bundle, write
from fathometer.bundle.golden import GOLDEN_ROWS, check_golden
from fathometer.engines.inline import Inline
from fathometer.errors import BadBundle, BadRun, UnknownName, UserError

OLD = Path(__file__).parents[1] / "bundle" / "old"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked in this very process: one test is about another process."""
    monkeypatch.setattr(shipping, "_engine", Inline)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_packed_family_answers_as_in_the_run_and_nothing_else_is_in_it(
    finished_run: Path, tmp_path: Path
) -> None:
    whole, rows = open_bundle(finished_run / "model"), shop(30, seed=5)
    place = pack(finished_run, tmp_path / "shop.fathom", family="classical")
    with open_bundle(place) as packed:
        assert list(packed.mixes) == [packed.default] == ["classical"]
        assert packed.predict(rows).equals(whole.predict(rows, "classical"))
        assert set(packed.learners) == {key for mix in whole.mixes["classical"] for key in mix}
        assert "torch" in whole.requires
        assert "torch" not in packed.requires
        assert packed.reference is not None
        assert set(packed.reference["answers"]) == {"classical"}
        assert packed.verdict == whole.verdict
        assert packed.about["ids"] == ["code"]
        assert check_golden(packed) == GOLDEN_ROWS
    assert left_in(tmp_path) == {"shop.fathom"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("family", ["classical", "deep", "together", "baseline"])
def test_folders_and_files_answer_alike(finished_run: Path, tmp_path: Path, family: str) -> None:
    rows = shop(20, seed=6)
    wanted = open_bundle(finished_run / "model").predict(rows, family)
    for name in ("one.fathom", "two.zip", "three"):
        bundle = open_bundle(pack(finished_run, tmp_path / name, family=family))
        assert bundle.predict(rows).equals(wanted)
        assert f"# {name.split('.')[0]}\n" in (bundle.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("at_once")
def test_the_choice_of_the_verdict_is_packed_unless_another_is_asked_for(
    finished_run: Path, tmp_path: Path
) -> None:
    assert (
        open_bundle(pack(finished_run, tmp_path / "a")).default == open_bundle(finished_run / "model").default
    )
    with pytest.raises(UnknownName, match="'transformers'"):
        pack(finished_run, tmp_path / "b", family="transformers")
    assert left_in(tmp_path) == {"a"}


@pytest.mark.usefixtures("at_once")
def test_a_packed_model_can_be_packed_again(finished_run: Path, tmp_path: Path) -> None:
    first = pack(finished_run, tmp_path / "first.zip", family="together")
    second = open_bundle(pack(first, tmp_path / "second", family="together"))
    rows = shop(10, seed=3)
    assert second.predict(rows).equals(open_bundle(first).predict(rows))
    assert second.verdict == open_bundle(first).verdict
    with pytest.raises(UnknownName, match="'deep'"):
        pack(first, tmp_path / "third", family="deep")


@pytest.mark.usefixtures("at_once")
def test_what_a_model_lacks_is_taken_from_the_record_of_its_run(
    finished_run: Path, run: Path, tmp_path: Path
) -> None:
    whole = open_bundle(finished_run / "model")
    study = fm.judge(run)
    leave_model(study, choose(study, Inline()))
    assert open_bundle(run / "model").reference is None
    packed = open_bundle(pack(run, tmp_path / "a", family="deep"))
    assert packed.reference is not None
    assert whole.reference is not None
    assert packed.reference["columns"] == whole.reference["columns"]
    assert packed.verdict is not None
    shutil.rmtree(run / "model")
    packed = open_bundle(pack(run, tmp_path / "b", family="deep"))
    assert packed.about["ids"] == ["code"]
    assert packed.predict(shop(9)).equals(whole.predict(shop(9), "deep"))


@pytest.mark.usefixtures("at_once")
def test_a_model_without_a_run_is_packed_without_a_record(run: Path, tmp_path: Path) -> None:
    study = fm.judge(run)
    leave_model(study, choose(study, Inline()))
    (run / "run.json").unlink()
    packed = open_bundle(pack(run / "model", tmp_path / "a.zip", family="classical"))
    assert packed.reference is None
    assert check_golden(packed) == GOLDEN_ROWS
    assert "without the record of its run" in (packed.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("model", sorted(OLD.glob("*/model")), ids=lambda path: f"format {path.parent.name}")
def test_old_models_can_be_packed(model: Path, tmp_path: Path) -> None:
    old = open_bundle(model)
    packed = open_bundle(pack(model, tmp_path / "old.fathom"))
    assert packed.format == 2
    assert check_golden(packed) == GOLDEN_ROWS
    assert packed.mixes == {old.default: old.mixes[old.default]}


@pytest.mark.usefixtures("at_once")
def test_a_model_that_answers_otherwise_is_not_put_in_place(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = pack(finished_run, tmp_path / "shop.fathom", family="classical")
    before = place.read_bytes()
    made = shipping.rehearse

    def lied(*arguments: Any) -> tuple[dict[str, Any] | None, str]:
        golden, why_not = made(*arguments)
        assert golden is not None
        answers = {name: [[0.0, 1.0]] * GOLDEN_ROWS for name in golden["answers"]}
        return golden | {"answers": answers}, why_not

    monkeypatch.setattr(shipping, "rehearse", lied)
    with pytest.raises(BadBundle, match=r"not put in place.*'classical'.*off by"):
        pack(finished_run, place, family="classical")
    monkeypatch.setattr(shipping, "rehearse", lambda *_: (None, "out of memory"))
    with pytest.raises(BadBundle, match="out of memory"):
        pack(finished_run, tmp_path / "new", family="classical")
    assert place.read_bytes() == before
    assert left_in(tmp_path) == {"shop.fathom"}


@pytest.mark.usefixtures("at_once")
def test_a_model_is_replaced_and_nothing_else_is(finished_run: Path, tmp_path: Path) -> None:
    for name in ("model.fathom", "model"):
        pack(finished_run, tmp_path / name, family="classical")
        place = pack(finished_run, tmp_path / name, family="deep")
        assert open_bundle(place).default == "deep"
    (tmp_path / "empty").mkdir()
    assert open_bundle(pack(finished_run, tmp_path / "empty")).default


def occupied(folder: Path, name: str) -> Path:
    """A place where something else is."""
    place = folder / name
    if name == "letter.zip":
        place.write_text("Dear Jane")
    elif name == "photos.zip":
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("photo.txt", "x")
    elif name == "photos":
        place.mkdir()
        (place / "photo.txt").write_text("x")
    elif name == "notes":
        place.write_text("Dear Jane")
    elif name == "link.fathom":
        (folder / "there").write_text("Dear Jane")
        place.symlink_to(folder / "there")
    elif name == "folder.zip":
        place.mkdir()
    return place


@pytest.mark.parametrize("name", ["letter.zip", "photos.zip", "photos", "notes", "link.fathom", "folder.zip"])
def test_what_is_no_model_is_not_replaced(finished_run: Path, tmp_path: Path, name: str) -> None:
    place = occupied(tmp_path, name)
    before = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="is no model, so it is not replaced"):
        pack(finished_run, place)
    assert {
        path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    } == before


def test_places_that_cannot_be_are_told_in_a_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        pack(run, tmp_path / "not" / "there.zip")
    with pytest.raises(UserError, match="what is packed"):
        pack(run, run / "model")
    with pytest.raises(UserError, match="what is packed"):
        pack(run / "model", run / "model" / "inner.zip")
    with pytest.raises(UserError):
        pack(tmp_path / "nothing", tmp_path / "a.zip")


def test_a_run_without_a_finished_fold_says_how_to_go_on(run: Path, tmp_path: Path) -> None:
    shutil.rmtree(run / "model")
    (run / "ledger.jsonl").write_text("")
    with pytest.raises(BadRun, match="--resume"):
        pack(run, tmp_path / "a.zip")
    assert left_in(tmp_path) == {"shop"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("lost", ["ledger.jsonl", "trials", "folds.safetensors", "rows.feather"])
@pytest.mark.parametrize("left", ["whole", "bare", "none"])
def test_a_run_of_whose_record_parts_are_lost_is_packed_or_refused_in_a_sentence(
    run: Path, tmp_path: Path, lost: str, left: str
) -> None:
    if left == "bare":
        study = fm.judge(run)
        leave_model(study, choose(study, Inline()))
    if left == "none":
        shutil.rmtree(run / "model")
    place = run / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    try:
        packed = open_bundle(pack(run, tmp_path / "a.zip", family="classical"))
    except UserError as told:
        assert left == "none", told
    else:
        assert left != "none"
        assert check_golden(packed) == GOLDEN_ROWS


@pytest.mark.parametrize("name", ["x.tar", "model.onnx", "a.fathom.gz"])
def test_an_ending_that_is_no_models_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"ends in \.fathom or \.zip"):
        pack(run, tmp_path / name)
    assert left_in(tmp_path) == {"shop"}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("with_model", [True, False])
def test_what_is_packed_twice_has_the_same_version(run: Path, tmp_path: Path, with_model: bool) -> None:
    if not with_model:
        shutil.rmtree(run / "model")
    versions = set()
    for day in ("2031-01-01", "2032-02-02"):
        (tmp_path / day).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                write, "datetime", SimpleNamespace(now=lambda _, day=day: datetime.fromisoformat(day))
            )
            versions.add(open_bundle(pack(run, tmp_path / day / "a.fathom")).version)
    assert len(versions) == 1


@pytest.mark.usefixtures("at_once")
def test_a_model_with_facts_that_make_no_sense_is_refused_in_a_sentence(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents_of_bundle = shipping._of_bundle

    def nonsense(*arguments: Any) -> Any:
        return shipping.replace(contents_of_bundle(*arguments), verdict={"metric": 5, "table": []})

    monkeypatch.setattr(shipping, "_of_bundle", nonsense)
    with pytest.raises(BadBundle, match="says of itself"):
        pack(finished_run, tmp_path / "a.zip")
    assert not left_in(tmp_path)


@pytest.mark.usefixtures("at_once")
def test_packing_changes_nothing_of_the_run(finished_run: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()}
    pack(finished_run, tmp_path / "a", family="classical")
    assert {path: path.read_bytes() for path in finished_run.rglob("*") if path.is_file()} == before
    pd.testing.assert_frame_equal(
        open_bundle(finished_run / "model").predict(shop(5), "classical"),
        open_bundle(tmp_path / "a").predict(shop(5)),
    )
