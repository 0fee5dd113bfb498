"""An inference of the Open Inference Protocol: tensors to rows, and answers to tensors.

One input is one column of the table, by name; a single input of two dimensions is the whole table in the schema's
order. The protocol has no missing values: null in JSON, NaN among floats, and our own parameter `null_index` ("3,17")
stand for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd

from fathometer.data.schema import Schema
from fathometer.serve.codecs.manners import Manner, manner_of
from fathometer.serve.codecs.tables import columns_of_bytes, decoded_base64, demand_different, read_json
from fathometer.serve.codecs.tensors import (
    BYTES,
    Tensor,
    checked_shape,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError, Reply

PREDICTION, PROBABILITIES = "prediction", "probabilities"
LENGTH_HEADER = "inference-header-content-length"
LONGEST_NAME = 1_000
OURS = ("family", "on_bad", "fill_missing")
"""Parameters of a request that we know; others are for other servers."""


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for. classes: as texts of so many likeliest (Triton's classification); 0: as it is."""

    name: str
    is_binary: bool = False
    classes: int = 0


@dataclass(frozen=True)
class Inference:
    """What a request says. outputs: in the order asked for; none: all there are. request: its id, or ""."""

    frame: pd.DataFrame
    manner: Manner
    request: str
    outputs: tuple[Wanted, ...]
    is_binary: bool


def read_inference(body: bytes, header_length: str | None, schema: Schema, limits: Limits) -> Inference:
    """The inference in a body: JSON, or JSON of `header_length` bytes and then raw tensors in their order.

    Raises:
        RefusedError: it is none.
    """
    if header_length is None:
        head, tail = body, memoryview(b"")
    elif not header_length.isdecimal() or len(header_length) > 18 or int(header_length) > len(body):
        raise RefusedError(
            400,
            f"Expected {LENGTH_HEADER} as a number of bytes that the body has, got {header_length[:40]!r}.",
        )
    elif int(header_length) == 0:
        return _raw_input(body, schema)
    else:
        head, tail = body[: int(header_length)], memoryview(body)[int(header_length) :]
    asked = read_json(head)
    if not isinstance(asked, dict):
        raise RefusedError(400, 'Expected a JSON object with "inputs".')
    parameters = _parameters(asked, "the request")
    tensors = _inputs(asked.get("inputs"), tail, limits)
    manner = manner_of({name: parameters[name] for name in OURS if name in parameters})
    is_binary = _flag(parameters, "binary_data_output", False)
    return Inference(
        _frame(tensors, schema), manner, _id(asked), _outputs(asked.get("outputs"), is_binary), is_binary
    )


def write_inference(reply: Reply, asked: Inference) -> tuple[bytes, int | None]:
    """(body, bytes of JSON at its beginning, or None where there is nothing else).

    Raises:
        RefusedError: an output is asked for that there is not.
    """
    outputs, tails = [], []
    for wanted in asked.outputs or _all(reply.labels, asked.is_binary):
        tensor = _output(reply, wanted)
        told: dict[str, Any] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.shape),
        }
        if wanted.is_binary:
            tail = to_bytes(tensor)
            nulls = tensor.null_index()
            told["parameters"] = {"binary_data_size": len(tail)} | ({"null_index": nulls} if nulls else {})
            tails.append(tail)
        else:
            told["data"] = to_json(tensor)
        outputs.append(told)
    said = {"model_name": reply.model, "model_version": reply.version, "outputs": outputs}
    if asked.request:
        said["id"] = asked.request
    head = orjson.dumps(said)
    return b"".join([head, *tails]), len(head) if tails else None


def _raw_input(body: bytes, schema: Schema) -> Inference:
    """The body is the one input, without any JSON: for a model of one column."""
    if len(schema.columns) != 1:
        raise RefusedError(
            400,
            f"A body without JSON can only be asked of a model of one column; this one has {len(schema.columns)}.",
        )
    column = schema.columns[0]
    if column.kind == "number":
        tensor = from_bytes(column.name, "FP64", (len(body) // 8,), body)
    else:
        tensor = Tensor(column.name, BYTES, (1,), None, (body,))
    return Inference(_frame([(tensor, {})], schema), Manner(), "", (), False)


Read = tuple[Tensor, Mapping[str, Any]]


def _inputs(inputs: Any, tail: memoryview, limits: Limits) -> list[Read]:
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise RefusedError(400, 'Expected "inputs" as a list of tensors, at least one.')
    if len(inputs) > limits.columns:
        raise RefusedError(413, f"At most {limits.columns:,} inputs are read, got {len(inputs):,}.")
    read: list[Read] = []
    place = 0
    for one in inputs:
        name = _name(one, "an input")
        parameters = _parameters(one, repr(name))
        shape = checked_shape(name, one.get("datatype"), one.get("shape"))
        if shape[0] > limits.rows:
            raise RefusedError(413, f"At most {limits.rows:,} rows are answered at once, got {shape[0]:,}.")
        size = parameters.get("binary_data_size")
        if size is None:
            tensor = from_json(name, one["datatype"], shape, one.get("data"))
        else:
            if type(size) is not int or not 0 <= size <= len(tail) - place or "data" in one:
                raise RefusedError(
                    400, f"The binary_data_size of {name!r} is not the size of its part of the body."
                )
            tensor = from_bytes(name, one["datatype"], shape, tail[place : place + size])
            place += size
        read.append((_with_nulls(tensor, parameters.get("null_index")), parameters))
    if place != len(tail):
        raise RefusedError(
            400, f"Behind the last input the body has {len(tail) - place:,} bytes that belong to none."
        )
    demand_different([tensor.name for tensor, _ in read])
    return read


def _with_nulls(tensor: Tensor, null_index: Any) -> Tensor:
    if null_index is None or null_index == "":
        return tensor
    parts = null_index.split(",") if isinstance(null_index, str) else [""]
    if not all(part.strip().isdecimal() and len(part) < 12 for part in parts):
        raise RefusedError(400, f'Expected the null_index of {tensor.name!r} as places such as "3,17".')
    return tensor.without([int(part) for part in parts])


def _frame(tensors: Sequence[Read], schema: Schema) -> pd.DataFrame:
    if len(tensors) == 1 and tensors[0][0].name not in schema.names:
        table = tensors[0][0]
        if len(table.shape) == 2 and table.shape[1] == len(schema.names):
            return _whole_table(table, schema)
    pictures = columns_of_bytes(schema)
    columns = {
        tensor.name: _column(tensor, parameters, tensor.name in pictures) for tensor, parameters in tensors
    }
    if len({len(cells) for cells in columns.values()}) > 1:
        lengths = sorted({len(cells) for cells in columns.values()})
        raise RefusedError(
            400, f"Expected as many rows in every input, got from {lengths[0]:,} to {lengths[-1]:,}."
        )
    return pd.DataFrame({name: _as_is(cells) for name, cells in columns.items()})


def _column(
    tensor: Tensor, parameters: Mapping[str, Any], is_bytes: bool
) -> Sequence[Any] | np.ndarray[Any, Any]:
    if tensor.numbers is not None and is_bytes and len(tensor.shape) in (3, 4):
        return list(tensor.numbers.reshape(tensor.shape))  # (rows, height, width[, channels])
    if len(tensor.shape) > 2 or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
        raise RefusedError(
            400,
            f"Expected {tensor.name!r} in the shape [rows] or [rows, 1], for it is one column; got "
            f"{list(tensor.shape)}.",
        )
    if tensor.numbers is not None:
        return tensor.cells()
    if is_bytes:
        return _pictures(tensor, parameters.get("content_type") == "base64")
    return _texts(tensor, parameters.get("content_type") == "base64")


def _pictures(tensor: Tensor, is_base64: bool) -> list[Any]:
    """Raw bytes as they are; what came as JSON can only be base64."""
    cells: list[Any] = []
    for cell in tensor.texts:
        if isinstance(cell, bytes) and is_base64:
            cell = cell.decode("ascii", "replace")
        cells.append(decoded_base64(cell, tensor.name) if isinstance(cell, str) else cell)
    return cells


def _texts(tensor: Tensor, is_base64: bool) -> list[Any]:
    try:
        texts: list[Any] = [cell.decode() if isinstance(cell, bytes) else cell for cell in tensor.texts]
        if is_base64:
            texts = [cell and decoded_base64(cell, tensor.name).decode() for cell in texts]
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"Expected texts in UTF-8 in {tensor.name!r}, but one is not.") from error
    return texts


def _whole_table(table: Tensor, schema: Schema) -> pd.DataFrame:
    width, pictures = len(schema.names), columns_of_bytes(schema)
    columns: dict[str, Any] = {}
    for place, name in enumerate(schema.names):
        part = Tensor(
            name,
            table.datatype,
            (table.shape[0],),
            None if table.numbers is None else table.numbers[place::width],
            table.texts[place::width],
            None if table.missing is None else table.missing[place::width],
        )
        columns[name] = _column(part, {}, name in pictures)
    return pd.DataFrame({name: _as_is(cells) for name, cells in columns.items()})


def _outputs(outputs: Any, is_binary: bool) -> tuple[Wanted, ...]:
    if outputs is None:
        return ()
    if not isinstance(outputs, list) or not all(isinstance(one, dict) for one in outputs):
        raise RefusedError(400, 'Expected "outputs" as a list of objects with a name.')
    wanted = []
    for one in outputs:
        name = _name(one, "an output")
        parameters = _parameters(one, repr(name))
        classes = parameters.get("classification", 0)
        if type(classes) is not int or not 0 <= classes < 2**31:
            raise RefusedError(400, f"Expected the classification of {name!r} as a number of classes.")
        wanted.append(Wanted(name, _flag(parameters, "binary_data", is_binary), classes))
    demand_different([one.name for one in wanted])
    return tuple(wanted)


def _all(labels: Sequence[str], is_binary: bool) -> tuple[Wanted, ...]:
    names = (PREDICTION, PROBABILITIES) if labels else (PREDICTION,)
    return tuple(Wanted(name, is_binary) for name in names)


def _output(reply: Reply, wanted: Wanted) -> Tensor:
    rows = len(reply.places)
    if wanted.name == PROBABILITIES and reply.labels:
        if wanted.classes:
            return _likeliest(reply, min(wanted.classes, len(reply.labels)))
        numbers = np.ascontiguousarray(reply.prediction, dtype=np.float64)
        return Tensor(wanted.name, "FP64", (rows, len(reply.labels)), numbers.reshape(-1))
    if wanted.name != PREDICTION or wanted.classes:
        there = [one.name for one in _all(reply.labels, False)]
        raise RefusedError(400, f"There is no such output {wanted.name[:80]!r}. Outputs: {', '.join(there)}.")
    if not reply.labels:
        return Tensor(PREDICTION, "FP64", (rows,), np.asarray(reply.prediction, dtype=np.float64))
    labels = reply.answers["prediction"].tolist()
    return Tensor(
        PREDICTION,
        BYTES,
        (rows,),
        None,
        tuple(label if isinstance(label, str) else None for label in labels),
    )


def _likeliest(reply: Reply, classes: int) -> Tensor:
    """Texts `probability:place:label`, the likeliest first, as Triton's classification extension writes them."""
    order = np.argsort(-reply.prediction, axis=1, kind="stable")[:, :classes]
    texts = tuple(
        f"{float(reply.prediction[row, place])!r}:{place}:{reply.labels[place]}"
        for row, places in enumerate(order.tolist())
        for place in places
    )
    return Tensor(PROBABILITIES, BYTES, (len(order), classes), None, texts)


def _id(asked: Mapping[str, Any]) -> str:
    given = asked.get("id")
    if given is None:
        return ""
    if not isinstance(given, str) or len(given) > LONGEST_NAME:
        raise RefusedError(400, f'Expected "id" as a text of at most {LONGEST_NAME:,} characters.')
    return given


def _name(one: Mapping[str, Any], what: str) -> str:
    name = one.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise RefusedError(
            400, f'Expected {what} to have a "name", a text of at most {LONGEST_NAME:,} characters.'
        )
    return name


def _parameters(one: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    parameters = one.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise RefusedError(400, f"Expected the parameters of {what} as an object.")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RefusedError(400, f"Expected the parameter {name} as true or false.")
    return value


def _as_is(cells: Any) -> pd.Series:
    """A column of these cells; of texts as objects, for pandas would take long to make another kind of them."""
    is_object = isinstance(cells, list) or getattr(cells, "dtype", None) == np.dtype(object)
    return pd.Series(cells, dtype=object) if is_object else pd.Series(cells)
