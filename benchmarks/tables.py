"""The benchmark's tables and their one fixed split into training and test rows.

Run as a script (`python benchmarks/tables.py`) to write `train.csv` and `test.csv` of every table
into the work folder. It needs pandas and scikit-learn only.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split

Task = Literal["classification", "regression"]
Metric = Literal["accuracy", "log_loss", "rmse"]
Generator = Literal["digits", "letters_like"]

DATA_VARIABLE: Final = "FATHOMETER_DATA"
WORK_VARIABLE: Final = "FATHOMETER_BENCH_WORK"
TEST_SHARE: Final = 0.25
SPLIT_SEED: Final = 0


@dataclass(frozen=True)
class BenchmarkTable:
    """One table: where its rows come from, what is predicted and how a prediction is judged."""

    name: str
    target: str
    task: Task
    metric: Metric
    path: str | None = None
    """File relative to the development data folder; None for a generated or bundled table."""
    generator: Generator | None = None
    header: tuple[str, ...] | None = None
    """Column names, for a file whose first line is already a row."""
    dropped: tuple[str, ...] = ()
    """Columns removed before the split: row identifiers and columns that give the target away."""


GERMAN_CREDIT_HEADER: Final = (
    "checking_status",
    "duration_months",
    "credit_history",
    "purpose",
    "credit_amount",
    "savings",
    "employment_since",
    "installment_rate",
    "personal_status",
    "other_debtors",
    "residence_since",
    "property",
    "age",
    "other_installments",
    "housing",
    "existing_credits",
    "job",
    "dependants",
    "telephone",
    "foreign_worker",
    "risk",
)
MAMMOGRAPHY_HEADER: Final = (
    "area",
    "grey_level",
    "gradient",
    "noise_root_mean_square",
    "contrast",
    "low_order_moment",
    "microcalcification",
)

TABLES: Final[tuple[BenchmarkTable, ...]] = (
    BenchmarkTable(
        "telco_churn",
        "Churn",
        "classification",
        "accuracy",
        "tabular/telco_churn.csv",
        dropped=("customerID",),
    ),
    BenchmarkTable(
        "adult_with_header", "income", "classification", "accuracy", "tabular/adult_with_header.csv"
    ),
    BenchmarkTable(
        "german_credit",
        "risk",
        "classification",
        "accuracy",
        "tabular/german_credit.csv",
        header=GERMAN_CREDIT_HEADER,
    ),
    BenchmarkTable(
        "credit_scoring",
        "Status",
        "classification",
        "accuracy",
        "tabular/credit_scoring.csv",
        dropped=("rownames",),
    ),
    BenchmarkTable(
        "titanic", "Survived", "classification", "accuracy", "tabular/titanic.csv", dropped=("PassengerId",)
    ),
    BenchmarkTable(
        "creditcard_fraud_sample",
        "Class",
        "classification",
        "log_loss",
        "tabular/creditcard_fraud_sample.csv",
    ),
    BenchmarkTable(
        "mammography",
        "microcalcification",
        "classification",
        "log_loss",
        "tabular/mammography.csv",
        header=MAMMOGRAPHY_HEADER,
    ),
    BenchmarkTable("digits", "digit", "classification", "accuracy", generator="digits"),
    BenchmarkTable("letters_like", "letter", "classification", "accuracy", generator="letters_like"),
    BenchmarkTable(
        "california_housing", "median_house_value", "regression", "rmse", "tabular/california_housing.csv"
    ),
    BenchmarkTable(
        "ames_housing",
        "SalePrice",
        "regression",
        "rmse",
        "tabular/ames_housing.csv",
        dropped=("Order", "PID"),
    ),
    BenchmarkTable(
        "bike_sharing_hourly",
        "count",
        "regression",
        "rmse",
        "tabular/bike_sharing_hourly.csv",
        dropped=("casual", "registered"),
    ),
    BenchmarkTable("wage", "wage", "regression", "rmse", "tabular/wage.csv", dropped=("logwage", "rownames")),
    BenchmarkTable(
        "cps1988_wages", "wage", "regression", "rmse", "tabular/cps1988_wages.csv", dropped=("rownames",)
    ),
)


def table_by_name(name: str) -> BenchmarkTable:
    """Return the table called `name`; raises KeyError for an unknown name."""
    return {table.name: table for table in TABLES}[name]


def data_folder() -> Path:
    """Folder of the development data: the environment's, else `../shared/data` beside the repository."""
    given = os.environ.get(DATA_VARIABLE)
    return Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"


def work_folder() -> Path:
    """Folder the splits are written to: the environment's, else one under the temporary folder."""
    given = os.environ.get(WORK_VARIABLE)
    return Path(given) if given else Path(tempfile.gettempdir()) / "fathometer_benchmark_splits"


def _digits_frame(target: str) -> pd.DataFrame:
    """Return the 8x8 digits that scikit-learn ships: 1,797 rows of 64 grey values from 0 to 16."""
    bundle = load_digits()
    frame = pd.DataFrame(bundle.data, columns=[f"pixel_{index:02d}" for index in range(bundle.data.shape[1])])
    frame[target] = bundle.target
    return frame


def _letters_like_frame(target: str) -> pd.DataFrame:
    """Return a generated stand-in for the letter recognition table: 16,000 rows, 16 numbers, 26 classes."""
    features, classes = make_classification(
        n_samples=16_000,
        n_features=16,
        n_informative=14,
        n_classes=26,
        n_clusters_per_class=2,
        class_sep=1.0,
        random_state=0,
    )
    frame = pd.DataFrame(features, columns=[f"feature_{index:02d}" for index in range(features.shape[1])])
    frame[target] = [chr(ord("A") + int(number)) for number in classes]
    return frame


def read_table(table: BenchmarkTable) -> pd.DataFrame:
    """Return all rows of `table` without its dropped columns."""
    if table.generator == "digits":
        return _digits_frame(table.target)
    if table.generator == "letters_like":
        return _letters_like_frame(table.target)
    if table.path is None:
        raise ValueError(f"table {table.name} has neither a path nor a generator")
    # Every cell stays the text it is in the file ("NA", "?", "29.850"), so that the split adds no
    # interpretation of its own; utf-8-sig takes off a byte-order mark where there is one.
    frame = pd.read_csv(
        data_folder() / table.path,
        dtype=str,
        keep_default_na=False,
        encoding="utf-8-sig",
        header=0 if table.header is None else None,
        names=None if table.header is None else list(table.header),
    )
    return frame.drop(columns=list(table.dropped))


def write_split(table: BenchmarkTable, folder: Path) -> Path:
    """Write `train.csv`, `test.csv` and `table.json` of `table` below `folder`; return their folder.

    The split is 75/25 with a fixed seed, stratified by class for classification.
    """
    frame = read_table(table)
    stratify = frame[table.target] if table.task == "classification" else None
    train, test = train_test_split(frame, test_size=TEST_SHARE, random_state=SPLIT_SEED, stratify=stratify)
    place = folder / table.name
    place.mkdir(parents=True, exist_ok=True)
    train.to_csv(place / "train.csv", index=False)
    test.to_csv(place / "test.csv", index=False)
    (place / "table.json").write_text(json.dumps(asdict(table), indent=2) + "\n", encoding="utf-8")
    return place


def main() -> None:
    """Write the splits of all tables into the work folder."""
    for table in TABLES:
        print(write_split(table, work_folder()))


if __name__ == "__main__":
    main()
