"""The whole way once for pictures and for words: from a zip or a folder to an answer, a report and predictions."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fathometer as fm
from fathometer.api import predict, report
from fathometer.kind import KINDS

PER_CLASS = 60


def picture(rng: np.random.Generator, upright: bool) -> Image.Image:
    """Stripes on a noisy ground, upright or lying, of 18 to 30 pixels a side."""
    side = int(rng.integers(18, 31))
    waves = np.sin(np.arange(side) * rng.uniform(0.7, 1.1) + rng.uniform(0, 6))
    stripes = np.tile(waves, (side, 1)) if upright else np.tile(waves[:, None], (1, side))
    grey = 128 + 60 * stripes + rng.normal(0, 25, (side, side))
    return Image.fromarray(np.stack([grey, grey * 0.9, grey * 0.7], axis=-1).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of two class folders with everything in it that people's zips hold."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "photos.zip", "w") as packed:
        for name, upright in (("up <b>", True), ("lying", False)):
            for number in range(PER_CLASS):
                path = folder / "one.png"
                picture(rng, upright).save(path)
                packed.write(path, f"photos/{name}/{number}.png")
        packed.writestr("photos/lying/cut off.png", path.read_bytes()[:100])
        packed.writestr("photos/up <b>/Thumbs.db", "x")
        packed.writestr("__MACOSX/photos/lying/._1.png", "x")
        packed.writestr("../../escaped.png", "x")
    return folder


@pytest.fixture(scope="module")
def study(photos: Path) -> fm.Study:
    """A short plan of one recipe each."""
    return fm.compare(
        photos / "photos.zip", budget=60, out=photos / "run", recipes=1, learners=("linear", "cnn"), workers=2
    )


def test_a_zip_of_photos_needs_no_option(study: fm.Study) -> None:
    assert study.outcome.folds == 5
    assert study.outcome.task.to_json()["labels"] == ["lying", "up <b>"]
    classical = study.standings["classical"].score
    assert classical is not None and classical.score > 90


def test_what_cannot_be_read_is_left_out_by_name(study: fm.Study) -> None:
    told = " ".join(study.understood)
    assert "cut off.png" in told and "left out" in told
    assert study.outcome.run["data"]["rows"] == 2 * PER_CLASS


def test_the_model_answers_a_folder_with_the_names_of_its_files(photos: Path, study: fm.Study) -> None:
    asked = photos / "asked"
    asked.mkdir()
    rng = np.random.default_rng(5)
    for number in range(8):
        picture(rng, number % 2 == 0).save(asked / f"{number}.jpg", quality=95)
    for family in ("classical", "deep", None):
        answers = predict(study.folder, asked, family=family)
        assert answers["file"].tolist() == [f"{number}.jpg" for number in range(8)]
        np.testing.assert_allclose(answers.filter(like="probability").sum(axis=1), 1, atol=1e-6)
    right = predict(study.folder, asked, family="classical")["prediction"].to_numpy()
    assert (right == ["up <b>", "lying"] * 4).mean() >= 0.75


def test_the_model_answers_without_the_run_and_without_the_zip(
    photos: Path, study: fm.Study, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(study.folder / "model", tmp_path / "model")
    frame = pd.DataFrame({"picture": [picture(np.random.default_rng(9), True), None]})
    here = fm.open_model(study.folder).predict(frame)
    there = fm.open_model(tmp_path / "model").predict(frame)
    pd.testing.assert_frame_equal(here, there)


def test_the_report_shows_pictures_and_nothing_breaks_it(study: fm.Study, tmp_path: Path) -> None:
    page, text, _ = report(study.folder, out=tmp_path)
    html = page.read_text(encoding="utf-8")
    assert "data:image/png;base64," in html
    assert "up <b>" not in html and "up &lt;b&gt;" in html
    assert "<script" not in html
    assert "Examples" in text.read_text(encoding="utf-8")


def test_texts_in_class_folders_go_the_whole_way(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    texts = KINDS.get("text")().toy(rng.random(160), rng)
    for number, text in enumerate(texts):
        good = sum(word in text for word in ("great", "lovely", "works", "happy", "fast"))
        place = tmp_path / "mail" / ("good" if good >= 2 else "bad")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "fathometer", "compare", "mail", "-b", "40s", "-o", "run"]
    command += ["--pretrained", "none", "--learner", "words", "--learner", "bag"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.txt").write_text("great lovely works happy fast", encoding="utf-8")
    (tmp_path / "new" / "b.txt").write_text("awful broken slow refund angry", encoding="utf-8")
    answers = predict(tmp_path / "run", tmp_path / "new", family="classical")
    assert answers["prediction"].tolist() == ["good", "bad"]


def test_pictures_without_answers_train_an_encoder_for_the_third_family(photos: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    further = tmp_path / "further"
    further.mkdir()
    for number in range(120):
        picture(rng, bool(number % 2)).save(further / f"{number}.png")
    study = fm.compare(
        photos / "photos.zip",
        budget=60,
        out=tmp_path / "run",
        recipes=1,
        learners=("linear", "cnn", "frozen"),
        unlabelled=further,
    )
    stages = [(trial.stage, trial.status) for trial in study.outcome.trials if trial.family == "pretrained"]
    assert ("pretraining", "done") in stages
    assert ("presets", "done") in stages
    assert "no answers" in " ".join(study.understood)
    (encoder,) = study.outcome.run["encoders"]
    assert encoder["kind"] == "image" and "further" in encoder["learned_from"]
