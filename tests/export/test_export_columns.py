"""Features of a graph are those of the featurizers, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from onnx import TensorProto, helper

from fathometer.data.rows import Rows
from fathometer.data.schema import Schema, learn_schema
from fathometer.export.check import session
from fathometer.export.columns import Inputs, features_of
from fathometer.export.matrix import matrix_of
from fathometer.kind import Features
from fathometer.learners._inputs import Inputs as LearnedInputs
from fathometer.learners._matrix import scaled_matrix, tree_matrix
from fathometer.tasks.regression import Regression


def both(learned: Rows, asked: Rows, schema: Schema) -> tuple[Features, list[npt.NDArray[Any]]]:
    """Features of the rows asked as the featurizers make them, and as a graph does."""
    fitted = LearnedInputs.fit(learned)
    inputs = Inputs.of(schema)
    made = features_of(inputs, fitted.state())
    outputs = []
    for name, tensor, kind in (("n", made.numbers, TensorProto.FLOAT), ("c", made.codes, TensorProto.INT64)):
        if tensor is not None:
            inputs.graph.named(tensor, name)
            outputs.append(helper.make_tensor_value_info(name, kind, None))
    model = inputs.graph.model(inputs.declared(), outputs, {})
    return fitted.features(asked), session(model.SerializeToString()).run(None, inputs.fed(asked))


def same(wanted: npt.NDArray[Any], found: npt.NDArray[Any]) -> None:
    np.testing.assert_array_equal(found.astype(wanted.dtype), wanted)


def moments(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"when": np.array(texts, dtype="datetime64[us]")})


LEARNED = moments(
    ["2011-01-01T06:00", "2012-02-29T18:00", "2012-12-31T23:59:59.25", "NaT", "2013-07-04T00:00"]
)


@given(
    some.lists(
        some.datetimes(
            min_value=pd.Timestamp("1700-01-01").to_pydatetime(),
            max_value=pd.Timestamp("2250-12-31").to_pydatetime(),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=30, deadline=None)
def test_moments_of_any_time_have_the_same_features(asked: list[Any]) -> None:
    schema, _ = learn_schema(LEARNED)
    frame = moments([str(one) for one in asked])
    wanted, (numbers, codes) = both(schema.read(LEARNED), schema.read(frame), schema)
    same(wanted.codes, codes)
    np.testing.assert_allclose(numbers, wanted.numbers, rtol=2e-6, atol=1e-7)


def test_moments_of_whole_minutes_are_equal_to_the_last_bit() -> None:
    schema, _ = learn_schema(LEARNED)
    hours = np.datetime64("1899-12-30T00:00", "us") + np.arange(0, 90_000).astype("timedelta64[h]")
    days = np.datetime64("1600-01-01", "us") + np.arange(0, 300_000, 7).astype("timedelta64[D]")
    minutes = np.datetime64("2024-02-28", "us") + np.arange(0, 5_000).astype("timedelta64[m]")
    frame = pd.DataFrame({"when": np.concatenate([hours, days, minutes, [np.datetime64("NaT")]])})
    wanted, (numbers, codes) = both(schema.read(LEARNED), schema.read(frame), schema)
    same(wanted.codes, codes)
    same(wanted.numbers, numbers)


@pytest.mark.parametrize("start", [0.0, 1.7e9, -4e8])
def test_numbers_are_equal_to_the_last_bit(start: float) -> None:
    rng = np.random.default_rng(0)
    learned = pd.DataFrame({"a": start + rng.normal(size=50), "b": rng.normal(size=50) * 1e20})
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 1e-300, 3e38, 1.5e30, start]
    asked = pd.DataFrame({"a": [*odd, *rng.normal(size=50)], "b": [*odd[::-1], *rng.normal(size=50)]})
    schema, _ = learn_schema(learned, kinds={"a": "number", "b": "number"})
    wanted, (numbers,) = both(schema.read(learned), schema.read(asked), schema)
    same(wanted.numbers, numbers)


def test_categories_are_equal_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"Straße {place} é,\n" for place in range(60)], dtype=object)
    learned = pd.DataFrame({"many": rng.choice(names[:50], 400), "few": rng.choice(["1", "2.0", "?"], 400)})
    learned = learned.mask(rng.random(learned.shape) < 0.1)
    asked = pd.DataFrame(
        {"many": [*names, None, "", "?"], "few": ["1", "1.0", "2", "2.0", "3", "?", "", None, "x"] * 7}
    )
    schema, _ = learn_schema(learned, kinds={"few": "category", "many": "category"})
    wanted, (numbers, codes) = both(schema.read(learned), schema.read(asked), schema)
    same(wanted.codes, codes)
    same(wanted.numbers, numbers)


@pytest.mark.parametrize("make", [scaled_matrix, tree_matrix])
def test_matrices_are_equal_to_the_last_bit(make: Any) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=300) * 1e6,
            "town": rng.choice([f"t{place}" for place in range(60)], 300),
            "colour": rng.choice(["red", "blue", "green"], 300),
            "b": rng.exponential(size=300),
        }
    ).mask(rng.random((300, 4)) < 0.1)
    schema, _ = learn_schema(frame)
    rows = schema.read(frame)
    fitted = LearnedInputs.fit(rows)
    features = fitted.features(rows)
    matrix, _ = make(features, rng.normal(size=300), Regression("y", "rmse", 1.0), 0)
    inputs = Inputs.of(schema)
    made = matrix_of(inputs.graph, features_of(inputs, fitted.state()), matrix.state())
    inputs.graph.named(made, "m")
    model = inputs.graph.model(
        inputs.declared(), [helper.make_tensor_value_info("m", TensorProto.FLOAT, None)], {}
    )
    (found,) = session(model.SerializeToString()).run(None, inputs.fed(rows))
    same(matrix.transform(features), found)


def test_columns_called_as_outputs_or_strangely_keep_inputs_of_their_own() -> None:
    rng = np.random.default_rng(0)
    names = ["label", "column label", "probabilities", "t0", "t1", "a b/c", "é"]
    frame = pd.DataFrame({name: rng.normal(size=30) for name in names})
    schema, _ = learn_schema(frame, kinds=dict.fromkeys(names, "number"))
    wanted, (numbers,) = both(schema.read(frame), schema.read(frame), schema)
    same(wanted.numbers, numbers)
    inputs = Inputs.of(schema)
    assert len(set(inputs.names.values())) == len(schema.names)
