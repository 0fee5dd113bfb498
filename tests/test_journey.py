"""The whole way once, as a user goes it: from a file to an answer, a model and predictions."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fathometer as fm
from fathometer.study.ledger import Ledger

# names that would break a path, a page, LightGBM's parser, rich's markup or a formula if they got that far
AMOUNT, PLAN, START, NOTE = "amount, [bold] {€}", "../plan", "start <script>", "=note"


def churn_table(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Numbers, categories, dates and text with gaps; the label depends on amount and plan."""
    rng = np.random.default_rng(seed)
    amount = rng.gamma(2.0, 30.0, rows)
    plan = rng.choice(["basic", "plus", "pro [red]"], rows)
    score = amount / 60 + (plan == "basic") + rng.normal(0, 0.4, rows)
    start = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D")
    words = np.array(["late", "delivery", "happy", "refund", "slow", "great", "box"])
    table = pd.DataFrame(
        {
            AMOUNT: amount.round(2),
            PLAN: plan,
            START: start.strftime("%d.%m.%Y"),
            NOTE: [" ".join(rng.choice(words, 6)) for _ in range(rows)],
            "customer_id": [f"C{number:05d}" for number in range(rows)],
            "left?": np.where(score > 1.6, "yes / no", "no"),
        }
    )
    table.loc[rng.random(rows) < 0.1, AMOUNT] = np.nan
    return table


def fathom(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "fathometer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=240)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """A run made by the command line, and its JSON."""
    folder = tmp_path_factory.mktemp("journey")
    churn_table().to_csv(folder / "churn.csv", index=False, sep=";", decimal=",")
    done = fathom(
        *("compare", "churn.csv", "-t", "left?", "-b", "40s", "-o", "run", "--json"),
        *("--learner", "linear", "--learner", "boosting", "--learner", "mlp"),
        *("--sensitive", PLAN, "--favourable", "no"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_answer_has_probabilities_that_sum_to_one(
    finished: tuple[Path, dict[str, dict[str, float]]],
) -> None:
    verdict = finished[1]["verdict"]
    assert sum(verdict[name] for name in ("p_deep", "p_tie", "p_classical")) == pytest.approx(1.0)
    assert verdict["sentence"]


def test_both_families_were_measured_on_the_same_folds(finished: tuple[Path, dict[str, dict]]) -> None:  # type: ignore[type-arg]
    folds = finished[1]["folds"]
    named = {name: [fold["fold"] for fold in several] for name, several in folds.items()}
    assert len(named["classical"]) >= 3
    assert named["classical"] == named["deep"] == named["together"] == named["baseline"]


def test_signal_is_found_and_the_id_is_left_out(finished: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    result = finished[1]
    assert result["verdict"]["answer"] != "no_signal"
    assert result["table"]["classical"]["score"]["score"] > result["table"]["baseline"]["score"]["score"] + 5
    assert "customer_id" in [item["name"] for item in result["left_out"]]


def test_every_field_of_the_result_is_described(finished: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    page = (Path(__file__).resolve().parent.parent / "docs" / "result.md").read_text(encoding="utf-8")
    result = finished[1]
    fields = [*result, *result["verdict"], *result["table"]["deep"]]
    assert [name for name in fields if f"`{name}`" not in page and name != "name"] == []


def test_result_file_is_what_was_printed(finished: tuple[Path, dict[str, object]]) -> None:
    folder, printed = finished
    assert json.loads((folder / "run" / "result.json").read_text()) == printed


def test_judging_again_gives_the_same_result(finished: tuple[Path, dict[str, object]]) -> None:
    folder, printed = finished
    assert fm.judge(folder / "run").to_json() == printed


def test_predictions_keep_the_order_of_rows_whatever_else_they_hold(
    finished: tuple[Path, dict[str, object]],
) -> None:
    folder, _ = finished
    rows = churn_table(50, seed=5).drop(columns="left?").assign(extra="x")
    rows.loc[3, PLAN] = "never seen"
    rows.to_csv(folder / "new.csv", index=False, sep=";", decimal=",")
    done = fathom("predict", "run", "new.csv", "-o", "answers.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    answers = pd.read_csv(folder / "answers.csv")
    assert list(answers.columns) == ["customer_id", "prediction", "probability_no", "probability_yes / no"]
    assert answers["customer_id"].tolist() == rows["customer_id"].tolist()
    np.testing.assert_allclose(answers.filter(like="probability").sum(axis=1), 1.0, atol=1e-6)
    backwards = fm.open_model(folder / "run").predict(
        pd.read_csv(folder / "new.csv", sep=";", dtype=str).iloc[::-1]
    )
    assert list(backwards["prediction"])[::-1] == list(answers["prediction"])


def test_a_column_written_otherwise_than_in_training_is_refused(
    finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    folder, _ = finished
    rows = churn_table(40, seed=9)
    rows[AMOUNT] = rows[AMOUNT].map(lambda value: f"about {value} euros")
    rows.to_csv(tmp_path / "other.csv", index=False, sep=";")
    done = fathom("predict", folder / "run", "other.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "Write the column as in the training data" in done.stderr


def test_every_family_answers(finished: tuple[Path, dict[str, object]]) -> None:
    folder, _ = finished
    cells = pd.read_csv(folder / "churn.csv", sep=";", dtype=str)
    bundle = fm.open_model(folder / "run")
    for family in ("classical", "deep", "together", "baseline"):
        assert len(bundle.predict(cells, family)) == len(cells)


def test_the_report_tells_what_the_result_holds_and_runs_nothing(
    finished: tuple[Path, dict],
    tmp_path: Path,  # type: ignore[type-arg]
) -> None:
    folder, printed = finished
    done = fathom("report", "run", "-o", tmp_path / "shown", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.split()] == ["report.html", "report.md", "report.json"]
    page = (tmp_path / "shown" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "start &lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    told = json.loads((tmp_path / "shown" / "report.json").read_text(encoding="utf-8"))
    assert told["result"]["verdict"] == printed["verdict"]
    assert {path.name for path in (folder / "run").iterdir()} & {"report.html", "report.md"} == set()


def test_more_rows_groups_and_fitted_models_were_measured(finished: tuple[Path, dict]) -> None:  # type: ignore[type-arg]
    result = finished[1]
    assert len(result["curves"]["competitors"]["deep"]["points"]) >= 2
    assert result["verdict"]["more_rows"]
    assert result["fairness"]["positive"] == "no"
    assert {group["group"] for group in result["fairness"]["competitors"]["deep"]["groups"]} == {
        "basic",
        "plus",
        "pro [red]",
    }
    for name in ("classical", "deep", "together"):
        columns = {item["column"] for item in result["measures"][name]["importance"]}
        assert columns <= {AMOUNT, PLAN, START, NOTE}
        assert columns
    assert [one["share"] for one in result["budgets"]] == [0.25, 0.5, 1.0]
    assert result["reasons"]


def test_nothing_executable_is_in_the_run_folder(finished: tuple[Path, dict[str, object]]) -> None:
    folder, _ = finished
    endings = {path.suffix for path in (folder / "run").rglob("*") if path.is_file()}
    assert endings <= {".json", ".jsonl", ".safetensors", ".feather", ".txt", ".md", ".log"}


def test_resuming_a_finished_run_repeats_nothing(
    finished: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    folder, _ = finished
    before = [trial.key for trial in Ledger(folder / "run").trials()]
    done = fathom("compare", "--resume", "run", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    after = [trial.key for trial in Ledger(folder / "run").trials()]
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("compare", "missing.csv", "-t", "x"), "missing.csv"),
        (("compare", "churn.csv", "-t", "lft?"), "Did you mean 'left?'"),
        (("compare", "churn.csv"), "--target"),
        (("compare", "churn.csv", "-t", "left?", "-b", "soon"), "budget"),
        (("compare", "churn.csv", "-t", "left?", "--kind", "plan"), "COLUMN=KIND"),
        (("compare", "churn.csv", "-t", "left?", "--metric", "f1"), "no metric"),
        (("compare", "churn.csv", "-t", "left?", "--learner", "forrest"), "Did you mean 'forest'"),
        (("predict", "nowhere", "churn.csv"), "model"),
        (("judge", "nowhere"), "nowhere"),
        (("compare", "--resume", "nowhere"), "nowhere"),
        (("compare", "churn.csv", "--resume", "run"), "leave out DATA"),
        (("compare", "churn.csv", "-t", "left?", "--drop", "left?"), "column to predict"),
        (("compare", "churn.csv", "-t", "left?", "--workers", "0"), "At least one"),
        (("compare", "churn.csv", "-t", "left?", "--learner", "linear"), "one deep"),
        (("compare", "churn.csv", "-t", "left?", "-o", "churn.csv"), "folder"),
        (("predict", "run", "churn.csv", "-o", "churn.csv"), "Name another"),
        (("inspect", "churn.csv", "-t", "left?", "--metric", "f1"), "no metric"),
        (("compare", "churn.csv", "-t", "left?", "--sensitive", "left?"), "column to predict"),
        (("compare", "churn.csv", "-t", "left?", "--sensitive", "plan"), "no column"),
        (("compare", "churn.csv", "-t", "left?", "--favourable", "no"), "--sensitive"),
        (("report", "nowhere"), "nowhere"),
        (("report", "run", "--price", "-1"), "0 or more"),
        (("report", "run", "-o", "churn.csv"), "folder"),
    ],
)
def test_mistakes_get_one_sentence(
    finished: tuple[Path, dict[str, object]], arguments: tuple[str, ...], told: str
) -> None:
    done = fathom(*arguments, cwd=finished[0])
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
