"""From a table and a question to typed rows, a task and folds: everything decided before the first trial."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fathometer.data.encoder_files import Encoder
from fathometer.data.encoders import find_encoders
from fathometer.data.groups import Groups, groups_of
from fathometer.data.metrics import METRICS
from fathometer.data.oddities import unread_cells
from fathometer.data.profile import Audit, audit
from fathometer.data.rows import Rows
from fathometer.data.schema import LeftOut, Schema, learn_schema
from fathometer.data.sentences import counted
from fathometer.data.splits import Splits, make_splits
from fathometer.data.storage import read_rows
from fathometer.data.table import Table
from fathometer.data.target import Target, learn_target
from fathometer.data.thinning import thin
from fathometer.errors import UnknownColumn, UnknownName, UnsuitableData, UserError
from fathometer.kind import KINDS, all_unstructured, unstructured_among
from fathometer.study.pretraining import FOLDER as UNLABELLED
from fathometer.study.record import read_run
from fathometer.study.request import Request
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

ROWS_LEAST = 20
OF_RUN = ("run.json", "rows.feather", "folds.safetensors")
FOLDERS_OF_RUN = 6  # a run's, and those below it in which a trained network may be named
RARE_SHARE = 0.10  # a class rarer than this, with two classes, makes accuracy say nothing
SEEN_SHARE = 0.5  # of the values, short ones too: below it an earlier run may share them
LIKELY = 0.5  # a guess of a column's kind above which it is taken for that
NUMBER_STEPS = 10  # a number's range is cut into so many steps, to be spread evenly over folds


@dataclass(frozen=True)
class Understood:
    """What will be learned from, and how it will be judged.

    unreadable: a sentence on rows that were left out because nothing in them could be read; empty where there are none.
    names: what people call the rows; empty where that is their number, from 1.
    """

    schema: Schema
    left_out: tuple[LeftOut, ...]
    target: Target
    task: Task
    metric_reason: str
    rows: Rows
    clusters: npt.NDArray[np.int64]
    splits: Splits
    groups: Groups | None
    audit: Audit
    table_rows: int
    unreadable: str = ""
    encoders: tuple[Encoder, ...] = ()
    names: tuple[str, ...] = ()


def understand(table: Table, request: Request, seconds: float = math.inf) -> Understood:
    """Decide kinds, task, metric, what is left out, and the folds.

    Args:
        seconds: of processor time that the run may take, where there is to be one.

    Raises:
        UserError: the table cannot answer the question; the sentence says why.
    """
    frame = table.frame
    if request.recipes is not None and request.recipes < 1:
        raise UserError(f"At least one recipe of each family is tried; got recipes={request.recipes!r}.")
    if request.target not in frame.columns:
        raise UnknownColumn(request.target, map(str, frame.columns))
    if request.sensitive is not None and request.sensitive not in frame.columns:
        raise UnknownColumn(request.sensitive, map(str, frame.columns))
    target = learn_target(frame[request.target], asked=request.task, metric=request.metric)
    cells = target.read(frame[request.target]).reset_index(drop=True)
    usable = cells.notna().to_numpy()
    if int(usable.sum()) < ROWS_LEAST:
        raise UnsuitableData(
            f"Expected at least {ROWS_LEAST} rows with a target to learn from and judge by, got {int(usable.sum())}. "
            "Bring more rows."
        )
    places = np.flatnonzero(usable)
    frame = frame.loc[usable].reset_index(drop=True)
    cells = cells[usable].reset_index(drop=True)
    schema, asked = learn_schema(frame, target=request.target, kinds=request.kinds, drop=request.drop)
    rows = schema.read(frame)
    empty = _holding_nothing(rows)
    unreadable = _told_unreadable(frame, rows, schema, empty)
    if empty.any():
        kept = np.flatnonzero(~empty)
        frame, cells = frame.iloc[kept].reset_index(drop=True), cells.iloc[kept].reset_index(drop=True)
        rows, places = rows.take(kept), places[kept]
    found = audit(frame, rows, schema, target, keep=request.keep, group=request.group, time=request.time)
    clusters = found.clusters if found.group is None else _merged(found.clusters, frame[found.group])
    order = None if found.time is None else _order(rows, found.time)
    schema = schema.without(item.name for item in found.left_out)
    task, metric_reason = _task(target, cells, request)
    if request.favourable is not None and request.favourable not in target.labels:
        raise UnknownName("label of the target", request.favourable, target.labels)
    rows = Rows(rows.frame[list(schema.names)], schema.kinds, task.encode(cells))
    strata = _strata(rows, task)
    costly = bool(unstructured_among(schema.kinds.values()))
    splits = make_splits(
        strata, clusters, order, found.group is not None, request.seed, costly=costly, seconds=seconds
    )
    thinner = [thin(fold, strata, clusters, request.seed, classes=task.outputs > 1) for fold in splits.folds]
    return Understood(
        schema=schema,
        left_out=(*asked, *found.left_out),
        target=target,
        task=task,
        metric_reason=metric_reason,
        rows=rows,
        clusters=clusters,
        splits=replace(splits, thinner=tuple(fold for several in thinner for fold in several)),
        groups=groups_of(frame, request.sensitive),
        audit=found,
        table_rows=len(table.frame),
        unreadable=unreadable,
        encoders=_encoders(request, schema, rows),
        names=_names(table, places),
    )


def _names(table: Table, places: npt.NDArray[np.intp]) -> tuple[str, ...]:
    """What people call the rows that are learned from: their file's name, or their number in the table.

    Empty where that is the number of the row among those learned from.
    """
    if table.row_names is not None:
        return tuple(table.row_names[place] for place in places)
    return tuple(f"row {place + 1:,}" for place in places) if len(places) < len(table.frame) else ()


def _encoders(request: Request, schema: Schema, rows: Rows) -> tuple[Encoder, ...]:
    """The pre-trained encoders of the words and pictures in these columns."""
    kinds = unstructured_among(schema.kinds.values())
    if not kinds and not request.pretrained:
        return ()
    for name in request.pretrained:
        _refuse_seen(Path(name).expanduser(), rows)
    return find_encoders(request.pretrained, kinds)


def _refuse_seen(place: Path, rows: Rows) -> None:
    """Refuse the networks of an earlier run that has learned from these rows, answers and all.

    Raises:
        UserError: it has.
    """
    # a member of its model, or the model of one trial, may be named too
    above = [place.resolve(), *place.resolve().parents][:FOLDERS_OF_RUN]
    folder = next((one for one in above if all((one / name).is_file() for name in OF_RUN)), None)
    if folder is None or (folder / UNLABELLED) in above:
        return
    kinds = {column["name"]: column["kind"] for column in read_run(folder)["schema"]["columns"]}
    earlier = read_rows(folder, kinds)
    for kind in unstructured_among(kinds.values()):
        (known, seen), (every, mine) = (_digests(some, kind) for some in (earlier, rows))
        # a short text in common says nothing, most of them do
        if seen & mine or (known & every and len(known & every) >= SEEN_SHARE * len(every)):
            raise UserError(
                f"{place} has learned from {counted(len(known & every), 'value')} of this data, answers and all, so "
                "its networks would know the test rows. Name a run on other data."
            )


def _digests(rows: Rows, kind: str) -> tuple[set[int], set[int]]:
    """Digests of the values in columns of this kind: all of them, and those of values that nobody makes twice."""
    every: set[int] = set()
    particular: set[int] = set()
    one = KINDS.get(kind)()
    for name in (name for name, its in rows.kinds.items() if its == kind):
        values = rows.column(name).dropna()
        digests = one.digests(values)
        every.update(digests.tolist())
        particular.update(digests[one.particular(values)].tolist())
    return every, particular


def _holding_nothing(rows: Rows) -> npt.NDArray[np.bool_]:
    """(rows,) whether there is nothing to learn from, where all columns are words, pictures or the like.

    A gap in a table may tell something; a picture that cannot be opened is no picture.
    """
    if not all_unstructured(rows.kinds.values()):
        return np.zeros(len(rows), dtype=bool)
    nothing: npt.NDArray[np.bool_] = rows.frame.isna().all(axis=1).to_numpy(dtype=bool)
    return nothing


def _told_unreadable(frame: pd.DataFrame, rows: Rows, schema: Schema, empty: npt.NDArray[np.bool_]) -> str:
    """One sentence on the rows that are left out; empty where there are none."""
    if not empty.any():
        return ""
    places = np.flatnonzero(empty)
    told = []
    for column in schema.columns:
        cells = frame[column.name].iloc[places]
        if cells.notna().any():
            told.append(unread_cells(cells, rows.column(column.name).iloc[places], KINDS.get(column.kind)()))
    which = "that cannot be read" if told else "without anything to learn from"
    reasons = f" {'; '.join(told)}." if told else ""
    return f"{counted(len(places), 'row')} {which} {'was' if len(places) == 1 else 'were'} left out.{reasons}"


def unlabelled(table: Table, understood: Understood) -> Rows:
    """Words or pictures without answers, as one column of the study's, read as that column is.

    Raises:
        UserError: the study has no such column, or the table none like it.
    """
    columns = [column for column in understood.schema.columns if KINDS.get(column.kind).unstructured]
    if not columns:
        raise UserError(
            "Rows without answers train an encoder of words or pictures, and no column holds any. Take --unlabelled "
            "away."
        )
    names = [str(name) for name in table.frame.columns]
    for column in columns:
        kind = KINDS.get(column.kind)()
        cells = {name: table.frame[name] for name in names if name == column.name or len(names) == 1}
        cells = cells or {name: table.frame[name] for name in names if kind.guess(table.frame[name]) > LIKELY}
        for name in cells:
            values = kind.read(cells[name].reset_index(drop=True), column.reading)
            known = values[values.notna()].reset_index(drop=True)
            if len(known):
                return Rows(pd.DataFrame({column.name: known}), {column.name: column.kind})
    wanted = " or ".join(dict.fromkeys(column.kind for column in columns))
    raise UnsuitableData(
        f"Expected rows without answers that hold columns of kind {wanted}, but {table.origin} has none. Give a folder "
        "or a table of the same sort as the data."
    )


def as_facts(table: Table, understood: Understood, request: Request) -> dict[str, Any]:
    """What was asked and understood, as plain data for the run's record."""
    return {
        "request": {**asdict(request), "kinds": dict(request.kinds)},
        "seed": request.seed,
        "learners": list(request.learners),
        "sensitive": (
            None
            if understood.groups is None
            else {
                "column": understood.groups.column,
                "labels": list(understood.groups.labels),
                "favourable": request.favourable,
            }
        ),
        "recipes": request.recipes,
        "encoders": [asdict(encoder) for encoder in understood.encoders],
        "task": understood.task.to_json(),
        "target": understood.target.to_json(),
        "schema": understood.schema.to_json(),
        "data": {
            "origin": table.origin,
            "table_rows": understood.table_rows,
            "rows": len(understood.rows),
            "columns": len(understood.schema.columns),
            "train_rows": len(understood.splits.folds[0].train),
        },
        "understood": sentences(table, understood),
        "left_out": [asdict(item) for item in understood.left_out],
        "findings": [asdict(finding) for finding in understood.audit.findings],
    }


def sentences(table: Table, understood: Understood) -> list[str]:
    """What was understood, for people, in the order of the work."""
    told = [*table.notes, *filter(None, [understood.unreadable])]
    told += [*understood.target.sentences, understood.metric_reason]
    told.append(f"Judged {understood.splits.sentence}.")
    return told + [_told_encoder(encoder) for encoder in understood.encoders]


def _told_encoder(encoder: Encoder) -> str:
    licence = f"licence {encoder.licence}" if encoder.licence else "no licence stated"
    return (
        f"A pre-trained model for {encoder.kind} is tried as a third family: {encoder.name} "
        f"({encoder.size_bytes / 1e6:,.0f} MB, {licence}). Without it: --pretrained none."
    )


def _task(target: Target, cells: pd.Series, request: Request) -> tuple[Task, str]:
    metric, reason = _metric(target, request)
    if request.margin is not None and not 0 < request.margin < 100:
        raise UserError(f"A margin is a number above 0 and below 100; got {request.margin!r}.")
    margin = request.margin or METRICS[metric].margin
    if target.task == "classification":
        rows = sum(target.label_rows)
        shares = tuple(count / rows for count in target.label_rows)
        return Classification(request.target, metric, margin, target.labels, shares), reason
    return Regression(request.target, metric, margin), reason


def _metric(target: Target, request: Request) -> tuple[str, str]:
    classes = target.task == "classification"
    if request.metric is not None:
        fitting = {name for name, metric in METRICS.items() if metric.for_classes == classes}
        if request.metric not in fitting:
            raise UnknownName(f"metric for {target.task}", request.metric, fitting)
        return request.metric, f"Judged by {METRICS[request.metric].title}, as asked."
    if not classes:
        return "rmse", "Judged by RMSE (root mean squared error), in the target's unit."
    share = min(target.label_rows) / sum(target.label_rows)
    # with k classes of one size each has 1 / k of the rows, so rareness is counted against that
    if share * len(target.labels) / 2 <= RARE_SHARE:
        rarest = target.labels[int(np.argmin(target.label_rows))]
        return (
            "log_loss",
            f"Judged by log-loss, because only {share:.1%} of the rows are {rarest!r}: with a class so rare, accuracy "
            "would praise a model that never finds it.",
        )
    return "accuracy", "Judged by accuracy, the share of rows answered rightly."


def _merged(clusters: npt.NDArray[np.int64], groups: pd.Series) -> npt.NDArray[np.int64]:
    """Rows are together that share a group, or equal inputs, or are linked by a chain of both.

    A row without a group is one of its own, or all of them would be one large group.
    """
    text = groups.astype("string").str.strip()
    named, _ = pd.factorize(text.where(text != ""))
    named = np.where(named < 0, named.max() + 1 + np.arange(len(named)), named)
    _, copies = np.unique(clusters, return_inverse=True)
    first = int(copies.max()) + 1  # nodes: the sets of copies, then the groups; every row is an edge
    size = first + int(named.max()) + 1
    links = coo_array((np.ones(len(named), dtype=np.int8), (copies, first + named)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    together: npt.NDArray[np.int64] = component[copies].astype(np.int64)
    return together


def _order(rows: Rows, column: str) -> npt.NDArray[np.int64]:
    """Rank of every row in time, equal for equal moments; rows without a time come first: none is tested by them."""
    kind = rows.kinds.get(column)
    if kind not in ("moment", "number"):
        raise UserError(
            f"Expected the time column to hold dates, times or numbers, but {column!r} was read as {kind}. "
            f"Name its kind (--kind {column}=moment), or split at random (--time none)."
        )
    ranks = rows.column(column).rank(method="min", na_option="top")
    return ranks.to_numpy(dtype=np.float64).astype(np.int64)


def _strata(rows: Rows, task: Task) -> npt.NDArray[np.int64]:
    answers = rows.answers
    if task.outputs > 1:
        return answers.astype(np.int64)
    steps = max(1, min(NUMBER_STEPS, len(answers) // 20))
    edges = np.quantile(answers, np.linspace(0, 1, steps + 1)[1:-1])
    return np.searchsorted(edges, answers, side="right").astype(np.int64)
