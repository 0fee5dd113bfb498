"""Real tables, with the traps they are known for: what must be found in each, and what must not.

The tables are development data that does not come with the sources; the tests are skipped where it is absent.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from fathometer.data.profile import Audit, audit
from fathometer.data.schema import Schema, learn_schema
from fathometer.data.sources import read_table
from fathometer.data.target import Target, learn_target

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
pytestmark = pytest.mark.skipif(not (DATA / "tabular").is_dir(), reason="the development data is not here")


@dataclass(frozen=True)
class Known:
    """What is known of a table.

    left_out: column -> reason. kinds: columns whose kind is worth a check. warned: codes of warnings.
    """

    path: str
    target: str
    task: str
    left_out: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    warned: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    clusters: int | None = None


TABLES = [
    Known(
        "tabular/telco_churn.csv",
        "Churn",
        "classification",
        {"customerID": "id"},
        {"TotalCharges": "number", "SeniorCitizen": "category", "Contract": "category", "tenure": "number"},
    ),
    Known(
        "tabular/adult_with_header.csv",
        "income",
        "classification",
        {},
        {
            "workclass": "category",
            "education-num": "number",
            "fnlwgt": "number",
            "native-country": "category",
        },
        ("stand_in",),  # capital-gain 99,999
    ),
    Known(
        "tabular/adult_train.csv", "column_15", "classification", {}, {"column_1": "number"}, ("stand_in",)
    ),
    Known(
        "tabular/california_housing.csv",
        "median_house_value",
        "regression",
        {},
        {"ocean_proximity": "category", "total_bedrooms": "number", "households": "number"},
        ("capped_target",),
    ),
    Known(
        "tabular/ames_housing.csv",
        "SalePrice",
        "regression",
        {"Order": "id", "PID": "id"},
        {
            "MS SubClass": "category",
            "Pool QC": "category",
            "Lot Frontage": "number",
            "Overall Qual": "number",
        },
    ),
    Known(
        "tabular/bike_sharing_hourly.csv",
        "count",
        "regression",
        {"casual": "leak", "registered": "leak"},
        {"datetime": "moment", "holiday": "category", "season": "number"},
        time="datetime",
    ),
    Known(
        "tabular/german_credit.csv",
        "column_21",
        "classification",
        {},
        {"column_1": "category", "column_2": "number", "column_4": "category"},
    ),
    Known(
        "tabular/credit_scoring.csv",
        "Status",
        "classification",
        {"rownames": "id"},
        {"Time": "number", "Home": "category", "Income": "number"},
    ),
    Known(
        "tabular/creditcard_fraud_sample.csv",
        "Class",
        "classification",
        {},
        {"Time": "number", "V1": "number"},
        ("imbalance",),
    ),
    Known(
        "tabular/mammography.csv",
        "column_7",
        "classification",
        {},
        {"column_1": "number"},
        ("imbalance",),
    ),
    Known(
        "tabular/wage.csv",
        "wage",
        "regression",
        {"rownames": "id", "region": "constant", "logwage": "leak"},
        {"education": "category", "year": "number", "maritl": "category"},
    ),
    Known(
        "tabular/cps1988_wages.csv",
        "wage",
        "regression",
        {"rownames": "id"},
        {"parttime": "category", "experience": "number"},
        clusters=28155,  # few columns: equal inputs are different persons
    ),
    Known(
        "tabular/wage1.csv",
        "wage",
        "regression",
        {"rownames": "id", "lwage": "leak"},
        {"female": "category", "expersq": "number"},
    ),
    Known(
        "tabular/titanic.csv",
        "Survived",
        "classification",
        {"PassengerId": "id"},
        {"Name": "text", "Ticket": "category", "Cabin": "category", "Fare": "number", "Pclass": "number"},
        ("missing",),
    ),
    Known("text/SMSSpamCollection.tsv", "column_1", "classification", {}, {"column_2": "text"}),
    Known(
        "text/airline_tweets.csv",
        "airline_sentiment",
        "classification",
        {
            "tweet_id": "id",
            "negativereason": "leak",
            "negativereason_confidence": "leak",
            "airline_sentiment_gold": "leak",
            "negativereason_gold": "leak",
        },
        {"text": "text", "name": "category", "tweet_created": "moment", "tweet_location": "category"},
        ("suspected_leak", "missing"),
    ),
    Known("text/imdb/imdb_train_10k.csv.gz", "sentiment", "classification", {"id": "id"}, {"review": "text"}),
    Known(
        "text/ag_news/test.csv",
        "column_1",
        "classification",
        {},
        {"column_2": "text", "column_3": "text"},
        clusters=7528,  # of 7,600 reports some are sent again with words or the title changed
    ),
    Known(
        "messy_csv/AirQualityUCI_semicolon_decimal_comma.csv",
        "CO(GT)",
        "regression",
        {},
        {"Date": "moment", "Time": "moment", "T": "number", "PT08.S1(CO)": "number"},
        ("stand_in",),
        time="Date",
    ),
    Known(
        "messy_csv/googleplaystore.csv",
        "Rating",
        "regression",
        {},
        {
            "Size": "number",
            "Installs": "number",
            "Price": "number",
            "Last Updated": "moment",
            "Genres": "category",
        },
        ("suspected_leak",),
    ),
    Known("timeseries/ETTh1.csv", "OT", "regression", {}, {"date": "moment", "HUFL": "number"}, time="date"),
]
NAMED = {known.path: known for known in TABLES}


@functools.cache
def found_in(path: str) -> tuple[Schema, Target, Audit]:
    known = NAMED[path]
    frame = read_table(DATA / path).frame
    target = learn_target(frame[known.target])
    frame = frame[target.read(frame[known.target]).notna()].reset_index(drop=True)
    schema, _ = learn_schema(frame, target=known.target)
    return schema, target, audit(frame, schema.read(frame), schema, target)


@pytest.mark.parametrize("path", NAMED)
def test_what_is_known_of_a_table_is_found(path: str) -> None:
    known = NAMED[path]
    schema, target, found = found_in(path)
    assert target.task == known.task
    empty = {left.name for left in found.left_out if left.reason == "empty"}
    assert {left.name: left.reason for left in found.left_out if left.name not in empty} == known.left_out
    assert {name: schema.kinds[name] for name in known.kinds} == known.kinds
    warned = {finding.code for finding in found.findings if finding.severity == "warning"}
    assert set(known.warned) <= warned and "few_rows" not in warned
    assert (found.group, found.time) == (known.group, known.time)
    if known.clusters is not None:
        assert len(np.unique(found.clusters)) == known.clusters


def test_twins_of_columns_are_told() -> None:
    told = {
        finding.columns for finding in found_in("tabular/adult_with_header.csv")[2].of("same_information")
    }
    assert told == {("education", "education-num")}
    told = {finding.columns for finding in found_in("tabular/wage1.csv")[2].of("same_information")}
    assert told == {("exper", "expersq"), ("tenure", "tenursq")}


def test_the_common_case_of_mammography_is_no_copy_and_its_other_repeats_are() -> None:
    clusters = found_in("tabular/mammography.csv")[2].clusters
    assert len(clusters) == 11183 and len(np.unique(clusters)) == 11176


def test_messages_sent_again_share_a_cluster() -> None:
    clusters = found_in("text/SMSSpamCollection.tsv")[2].clusters
    # 5,160 different messages; about 160 more are sent again with a number or a word changed
    assert len(clusters) == 5574 and len(np.unique(clusters)) == pytest.approx(5000, abs=20)


def test_the_cap_of_california_is_counted() -> None:
    assert "965 rows" in found_in("tabular/california_housing.csv")[2].of("capped_target")[0].sentence


def test_blank_charges_of_telco_are_missing() -> None:
    assert found_in("tabular/telco_churn.csv")[0].column("TotalCharges").summary["missing"] == 11


def test_no_pool_stays_an_answer_in_ames() -> None:
    pool = found_in("tabular/ames_housing.csv")[0].column("Pool QC").summary
    assert pool["missing"] == 0 and pool["commonest"][0] == ["NA", 2917]


def test_decimal_commas_of_the_air_are_read() -> None:
    assert (
        found_in("messy_csv/AirQualityUCI_semicolon_decimal_comma.csv")[0].column("T").summary["high"] == 44.6
    )
