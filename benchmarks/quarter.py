"""Does a quarter of the rows tell what all of them would? Written to benchmarks/results/quarter.md.

    python -m benchmarks.quarter                      every table, a minute on the quarter and a minute on all rows
    python -m benchmarks.quarter telco adult          these alone
    python -m benchmarks.quarter --minutes 30         begin no table after so many minutes
    python -m benchmarks.quarter --runs FOLDER        keep the runs there; those that are there are judged again
    python -m benchmarks.quarter --report             write the page again from what is stored

What was measured is kept in quarter.json beside the page and not measured again. Needs the development data
(`FATHOMETER_DATA`); a table whose file is absent is left out. Nothing else may run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

import fathometer as fm
from benchmarks.outlook_coverage import OUTCOMES, three
from benchmarks.tables import data_folder, read_table, table_by_name
from fathometer.study.ledger import Ledger
from fathometer.verdict.decide import WINNER
from fathometer.verdict.forecast import ENGINES_APART

RESULTS = Path(__file__).parent / "results"
STORED, PAGE = RESULTS / "quarter.json", RESULTS / "quarter.md"
BUDGET = 60
SEED = 0
FACTOR = 4.0
SURE = 0.8
PARTS = ("quarter", "all")

Found = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """One table. how: "new" (nothing was chosen by it), "peers" (in the comparison with peers), or "developed" on."""

    name: str
    target: str
    how: str
    read: Callable[[], pd.DataFrame]
    options: tuple[tuple[str, Any], ...] = ()


def _listed(name: str) -> Callable[[], pd.DataFrame]:
    """A table of the comparison with peers, as the product would read its cells."""
    return lambda: read_table(table_by_name(name))


def _beijing() -> pd.DataFrame:
    frame = pd.read_csv(data_folder() / "timeseries" / "beijing_pm25_hourly.csv")
    return frame.dropna(subset="pm2.5").drop(columns="No")


def _air_quality() -> pd.DataFrame:
    """Nitrogen dioxide from the cheap sensors and the weather; the other reference instruments are left out."""
    path = data_folder() / "messy_csv" / "AirQualityUCI_semicolon_decimal_comma.csv"
    frame = pd.read_csv(path, sep=";", decimal=",").dropna(how="all").replace(-200, np.nan)
    frame["hour"] = frame["Time"].str[:2].astype(float)
    others = [name for name in frame if name.endswith("(GT)") and name != "NO2(GT)"]
    unnamed = [name for name in frame if name.startswith("Unnamed")]
    return frame.drop(columns=["Date", "Time", *others, *unnamed]).dropna(subset="NO2(GT)")


def _ett() -> pd.DataFrame:
    """Oil temperature a day later from the loads now."""
    frame = pd.read_csv(data_folder() / "timeseries" / "ETTh1.csv")
    hour = pd.to_datetime(frame.pop("date")).dt.hour
    return frame.assign(hour=hour, later=frame["OT"].shift(-24)).dropna(subset="later")


def fashion_pixels(rows: int, part: str = "train") -> pd.DataFrame:
    """The first pictures of Fashion-MNIST as a table of 784 grey values and `label`."""
    folder = data_folder() / "images" / "fashion_mnist"
    pixels = _idx(folder / f"{part}-images-idx3-ubyte.gz", 16)[: rows * 784].reshape(-1, 784)
    labels = _idx(folder / f"{part}-labels-idx1-ubyte.gz", 8)[:rows]
    frame = pd.DataFrame(pixels, columns=[f"pixel_{k:03d}" for k in range(784)])
    return frame.assign(label=[f"class {label}" for label in labels])


def _idx(path: Path, head: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The bytes after the head of an idx file (http://yann.lecun.com/exdb/mnist/)."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=head)


def _news() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "text" / "ag_news" / "test.csv", names=["topic", "title", "text"])


def _tweets() -> pd.DataFrame:
    frame = pd.read_csv(data_folder() / "text" / "airline_tweets.csv")
    return frame[["airline_sentiment", "airline", "retweet_count", "text"]]


def _reviews() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "text" / "imdb" / "imdb_train_10k.csv.gz").drop(columns="id")


def _ratings() -> pd.DataFrame:
    """20,000 ratings with what is known of the user and the film."""
    folder = data_folder() / "ratings" / "movielens100k"
    ratings = pd.read_csv(folder / "u.data", sep="\t", names=["user", "film", "rating", "time"])
    users = pd.read_csv(folder / "u.user", sep="|", names=["user", "age", "sex", "occupation", "zip"])
    genres = [f"genre_{k}" for k in range(19)]
    films = pd.read_csv(
        folder / "u.item",
        sep="|",
        encoding="latin-1",
        names=["film", "title", "released", "video", "address", *genres],
    )
    chosen = ratings.sample(20_000, random_state=SEED).drop(columns="time")
    joined = chosen.merge(users.drop(columns="zip"), on="user").merge(films[["film", *genres]], on="film")
    return joined.assign(user="u" + joined["user"].astype(str), film="f" + joined["film"].astype(str))


TABLES = (
    Table("beijing_pm25", "pm2.5", "new", _beijing),
    Table("fashion_pixels", "label", "new", lambda: fashion_pixels(8_000)),
    Table("air_quality", "NO2(GT)", "new", _air_quality),
    Table("cps1988_wages", "wage", "peers", _listed("cps1988_wages")),
    Table("telco", "Churn", "developed", _listed("telco_churn")),
    Table("ag_news", "topic", "new", _news),
    Table("mammography", "microcalcification", "peers", _listed("mammography")),
    Table("airline_tweets", "airline_sentiment", "new", _tweets),
    Table("letters_like", "letter", "peers", _listed("letters_like")),
    Table("adult", "income", "developed", _listed("adult_with_header")),
    Table("movielens", "rating", "new", _ratings, (("task", "regression"),)),
    Table("california", "median_house_value", "developed", _listed("california_housing")),
    Table("creditcard_fraud", "Class", "peers", _listed("creditcard_fraud_sample")),
    Table("bike", "count", "developed", _listed("bike_sharing_hourly")),
    Table("etth1", "later", "new", _ett),
    Table("credit_scoring", "Status", "developed", _listed("credit_scoring")),
    Table("imdb", "sentiment", "new", _reviews),
)
ABOUT = f"""
Made by `python -m benchmarks.quarter`: each table is compared on a random, stratified quarter of its rows with
{BUDGET} s, and on all its rows with {BUDGET} s. What the quarter's outlook says of four times its rows is held against
what all rows measured. Gaps are classical less deep loss, in points of accuracy or per cent of the loss's level: above
0 deep learning is better. *Gap stays*: the quarter's measured gap taken for the gap at all rows. The measured outcome
is by the measured gap against the margin; it is *sure* where all rows' own probability of it is {SURE:.0%} or more.
The same seconds buy less search on all rows than on a quarter, and what all rows measured is itself no truth: even a
perfect 80 % interval of the true gap holds it less often.
"""
ABOUT_TIME = (
    "The luck of the test rows does that, or too little time for the rows, which no forecast of what more rows bring "
    "can know. Scores are accuracy, RMSE or log-loss."
)
HOW = {
    "new": "nothing was chosen by it",
    "peers": "in the comparison with peers",
    "developed": "defaults were developed on it",
}


def quarter_of(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """A quarter of the rows at random, with the same share of every class or of every tenth of the numbers."""
    numbers = pd.to_numeric(frame[target], errors="coerce")
    if numbers.notna().mean() > 0.9 and numbers.nunique() > 20:
        strata = pd.qcut(numbers.rank(method="first"), 10, labels=False)
    else:
        strata = frame[target].astype(str)
    kept, _ = train_test_split(frame, train_size=0.25, random_state=SEED, stratify=strata)
    return kept.sort_index()


def measured(frame: pd.DataFrame, table: Table, run: Path) -> Found:
    """One run's answer, gap and outlook as plain data; a run that is there is judged, and not repeated."""
    if (run / "result.json").exists():
        result = fm.judge(run).to_json()
    else:
        options = dict(table.options)
        result = fm.compare(
            frame.reset_index(drop=True), table.target, budget=BUDGET, out=run, **options
        ).to_json()
    verdict, curves = result["verdict"], (result["curves"] or {}).get("competitors", {})
    gap = verdict["families"] or {}
    return {
        "rows": len(frame),
        "seconds": Ledger(run).elapsed(),
        "created": result["created"],
        "metric": result["metric"],
        "how": result["splits"]["how"],
        "answer": verdict["answer"],
        "sentence": verdict["sentence"],
        "more_rows": verdict["more_rows"],
        "use": verdict["use"],
        **{f"p_{name}": verdict[f"p_{name}"] for name in OUTCOMES},
        **{name: gap.get(name) for name in ("gap", "low", "high", "margin", "folds")},
        "scores": {
            name: [standing["score"][key] for key in ("score", "low", "high")]
            for name, standing in result["table"].items()
            if standing["score"]
        },
        "outlook": result["outlook"],
        "behaviour": {name: curve["behaviour"] for name, curve in curves.items()},
        "points": {name: curve["points"] for name, curve in curves.items()},
    }


def measure(tables: Iterable[Table], minutes: float, runs: Path, *, again: bool) -> None:
    """Measure what is not stored yet, storing each half at once. again: judge stored runs again where they are kept."""
    ends = time.monotonic() + 60 * minutes
    for table in tables:
        stored = _stored()
        found = stored.setdefault(table.name, {"how": table.how, "target": table.target})
        places = {part: runs / f"{table.name}-{part}" for part in PARTS}
        wanted = [
            part for part in PARTS if part not in found or (again and (places[part] / "result.json").exists())
        ]
        if any(part not in found for part in PARTS) and time.monotonic() > ends:
            print(f"no time left for {table.name}")
            continue
        try:
            frame = table.read() if wanted else pd.DataFrame()
        except FileNotFoundError as error:
            print(f"left out {table.name}: {error}")
            continue
        for part in wanted:
            rows = quarter_of(frame, table.target) if part == "quarter" else frame
            found[part] = measured(rows, table, places[part])
            STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
            print(table.name, part, found[part]["seconds"], found[part]["sentence"], flush=True)


def _stored() -> dict[str, Found]:
    stored: dict[str, Found] = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    return stored


@dataclass(frozen=True)
class Judged:
    """What the quarter said of four times its rows, and what came."""

    name: str
    how: str
    rows: int
    unit: str
    margin: float
    now: tuple[float, float, float]  # the quarter's gap and its 95 % interval
    forecast: tuple[float, float, float] | None  # gap at four times and its 80 % interval
    chances: dict[str, float] | None
    came: tuple[float, float, float]  # all rows' gap and its 95 % interval
    outcome: str
    stays: str
    is_sure: bool  # of the outcome, by all rows' own probabilities
    is_said: bool  # whether the verdict says its forecast, or that it cannot extrapolate
    answers: tuple[str, str]
    scores: dict[str, tuple[float, float]]  # of each family on a quarter and on all rows
    no_better: tuple[str, ...]  # families whose score did not gain from four times the rows

    @property
    def guess(self) -> str | None:
        """The likeliest outcome by the forecast."""
        return None if self.chances is None else max(self.chances, key=lambda name: self.chances[name])  # type: ignore[index]

    @property
    def is_inside(self) -> bool:
        """Whether the forecast's interval holds what was measured."""
        return self.forecast is not None and self.forecast[1] <= self.came[0] <= self.forecast[2]

    @property
    def is_wrong_winner(self) -> bool:
        """Whether a family was named with confidence, and something else came."""
        guess = self.guess
        return (
            guess in ("deep", "classical")
            and self.chances is not None
            and self.chances[guess] >= WINNER
            and guess != self.outcome
        )


def judge(name: str, found: Found) -> Judged | None:
    """None where one of the runs has no gap."""
    quarter, whole = found["quarter"], found["all"]
    if quarter["gap"] is None or whole["gap"] is None:
        return None
    outlook = quarter["outlook"]
    ahead = next((one for one in outlook["factors"] if one["factor"] == FACTOR), None) if outlook else None
    outcome = three(whole["gap"], whole["margin"])
    rough = any(quarter["behaviour"].get(family) in ("rising", "rough") for family in ("classical", "deep"))
    scores = {
        family: (quarter["scores"][family][0], whole["scores"][family][0]) for family in ("classical", "deep")
    }
    return Judged(
        name=name,
        how=found["how"],
        rows=whole["rows"],
        unit=whole["metric"]["gap_unit"],
        margin=whole["margin"],
        now=_three_numbers(quarter),
        forecast=_three_numbers(ahead) if ahead else None,
        chances={key: ahead[f"p_{key}"] for key in OUTCOMES} if ahead else None,
        came=_three_numbers(whole),
        outcome=outcome,
        stays=three(quarter["gap"], quarter["margin"]),
        is_sure=whole[f"p_{outcome}"] >= SURE,
        is_said=outlook is not None
        and not rough
        and outlook["disagreement"] <= ENGINES_APART
        and quarter["answer"] != "no_signal",
        answers=(quarter["answer"], whole["answer"]),
        scores=scores,
        no_better=tuple(
            family
            for family, (before, after) in scores.items()
            if (after <= before if whole["metric"]["higher_is_better"] else after >= before)
        ),
    )


def _three_numbers(of: Found) -> tuple[float, float, float]:
    gap, low, high = (math.nan if of[key] is None else float(of[key]) for key in ("gap", "low", "high"))
    return gap, low, high


def page(stored: dict[str, Found]) -> str:
    """Everything stored, as Markdown."""
    done = {name: found for name, found in stored.items() if set(PARTS) <= set(found)}
    judged = [one for name, found in done.items() if (one := judge(name, found)) is not None]
    unjudged = [name for name in done if name not in {one.name for one in judged}]
    missing = [table.name for table in TABLES if table.name not in done]
    return "\n".join(
        [
            "# Does a quarter of the rows tell what all of them would?",
            "",
            *wrap(ABOUT.strip(), 110),
            "",
            *_summary(judged),
            *_tables(judged),
            *_answers(judged),
            *([f"Without a gap on one side: {', '.join(unjudged)}.", ""] if unjudged else []),
            *([f"Not measured: {', '.join(missing)}.", ""] if missing else []),
        ]
    )


def _summary(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| tables | how many | right of three outcomes | gap stays | where sure | gap stays | log-loss (gap stays) | "
        "inside the 80 % interval | wrong winners at P >= 80 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {
        "all": judged,
        "not developed on": [one for one in judged if one.how != "developed"],
        **{f"{how}: {words}": [one for one in judged if one.how == how] for how, words in HOW.items()},
        "the forecast is said": [one for one in judged if one.is_said],
    }
    for words, group in groups.items():
        known = [one for one in group if one.chances is not None]
        sure = [one for one in known if one.is_sure]
        if known:
            lines.append(
                f"| {words} | {len(known)} | {_count(one.guess == one.outcome for one in known)} | "
                f"{_count(one.stays == one.outcome for one in known)} | "
                f"{_count(one.guess == one.outcome for one in sure)} | "
                f"{_count(one.stays == one.outcome for one in sure)} | "
                f"{log_loss(known):.2f} ({stays_loss(known):.2f}) | "
                f"{_count(one.is_inside for one in known)} | {sum(one.is_wrong_winner for one in known)} |"
            )
    silent = [one.name for one in judged if one.chances is None]
    return [*lines, "", *([f"No forecast was made for: {', '.join(silent)}.", ""] if silent else [])]


def _count(values: Iterable[bool]) -> str:
    listed = list(values)
    return f"{sum(listed)} of {len(listed)}"


def log_loss(judged: Sequence[Judged]) -> float:
    """Mean log-loss of the forecast's three probabilities."""
    return float(np.mean([-math.log(max((one.chances or {}).get(one.outcome, 0.0), 1e-3)) for one in judged]))


def stays_loss(judged: Sequence[Judged]) -> float:
    """The same of "gap stays", its gap believed as far as its own 95 % interval reaches, without a prior."""
    losses = []
    for one in judged:
        scale = max((one.now[2] - one.now[1]) / (2 * 1.96), 1e-9)
        below, above = (_normal((edge - one.now[0]) / scale) for edge in (-one.margin, one.margin))
        chance = {"classical": below, "tie": above - below, "deep": 1 - above}[one.outcome]
        losses.append(-math.log(max(chance, 1e-3)))
    return float(np.mean(losses))


def _normal(value: float) -> float:
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


def _tables(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| table | rows | gap at a quarter [95 %] | forecast at 4 times [80 %] | P deep / tie / classical | "
        "gap at all rows [95 %] | came | forecast | gap stays | inside |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in judged:
        chances = "-" if one.chances is None else " / ".join(f"{one.chances[key]:.0%}" for key in OUTCOMES)
        lines.append(
            f"| {one.name} ({one.how}) | {one.rows:,} | {_gap(one.now, one.unit)} | "
            f"{_gap(one.forecast, one.unit) if one.forecast else '-'} | {chances} | {_gap(one.came, one.unit)} | "
            f"{one.outcome}{', sure' if one.is_sure else ''} | "
            f"{_verdict(one.guess, one)} | {_verdict(one.stays, one)} | "
            f"{'yes' if one.is_inside else '**no**' if one.forecast else '-'} |"
        )
    return [*lines, ""]


def _gap(values: tuple[float, float, float], unit: str) -> str:
    gap, low, high = values
    return f"{gap:+.2f} [{low:+.2f}, {high:+.2f}]{' %' if unit == '%' else ''}"


def _verdict(guess: str | None, one: Judged) -> str:
    if guess is None:
        return "-"
    words = "right" if guess == one.outcome else f"**{guess}**"
    return f"{words}, wrong winner" if guess == one.guess and one.is_wrong_winner else words


def _answers(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| table | answer at a quarter | answer at all rows | forecast said | classical, quarter and all | "
        "deep, quarter and all |",
        "|---|---|---|---|---|---|",
    ]
    for one in judged:
        said = "yes" if one.is_said else "cannot extrapolate" if one.forecast else "none"
        scores = " | ".join(f"{before:.4g}, {after:.4g}" for before, after in one.scores.values())
        lines.append(f"| {one.name} | {one.answers[0]} | {one.answers[1]} | {said} | {scores} |")
    stuck = [f"{one.name} ({', '.join(one.no_better)})" for one in judged if one.no_better]
    told = (
        f"No better with four times the rows in the same seconds: {', '.join(stuck) or 'none'}. {ABOUT_TIME}"
    )
    return [*lines, "", *wrap(told, 110), ""]


def main() -> None:
    """Measure what is asked for and not stored, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *(table.name for table in TABLES)], default=[])
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--runs", type=Path, default=None)
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if not arguments.report:
        chosen = [table for table in TABLES if not arguments.names or table.name in arguments.names]
        with tempfile.TemporaryDirectory(prefix="quarter-") as folder:
            kept = arguments.runs
            measure(chosen, arguments.minutes, kept or Path(folder), again=kept is not None)
    PAGE.write_text(page(_stored()), encoding="utf-8")


if __name__ == "__main__":
    main()
