"""The verbs. Every command and every button is one call of these."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fathometer.api.packing import choose, finish_model, leave_model
from fathometer.api.records import Inspection, Study
from fathometer.core.cost import allowed_cores, cpu_seconds, machine, versions
from fathometer.core.files import write_json, writing_to
from fathometer.data.finding import quoted_names
from fathometer.data.outputs import write_table
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema, learn_schema
from fathometer.data.sources import ReadOptions, read_table
from fathometer.data.storage import NAMES, files_of_rows, write_names
from fathometer.data.table import Table
from fathometer.engine import ENGINES, Engine
from fathometer.errors import BadRun, UserError
from fathometer.study.budget import FAMILY_SHARE, PROBE_SHARE, parse_seconds, share_of_each
from fathometer.study.ledger import Ledger
from fathometer.study.outcome import measure
from fathometer.study.prepare import Understood, as_facts, understand
from fathometer.study.prepare import unlabelled as unlabelled_rows
from fathometer.study.pretraining import keep_unlabelled
from fathometer.study.record import read_run
from fathometer.study.request import Request
from fathometer.study.run import PRELOADED, Lock, Progress, Watcher, begin, probe, work
from fathometer.study.trial import MEMO
from fathometer.verdict.evidence import answer, gather
from fathometer.verdict.prices import RATE_PER_CORE_HOUR, WATTS_PER_CORE, prices

PACKAGES = (
    "fathometer",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "torch",
    "safetensors",
)


PROBED = ("classical", "deep", "together", "pretrained")  # whose fitted models are measured
PROBE_LEAST = 3.0  # seconds for each of them, however short the budget


@dataclass(frozen=True)
class Start:
    """When a sitting began, by both clocks."""

    wall: float = field(default_factory=time.monotonic)
    cpu_seconds: float = field(default_factory=cpu_seconds)


def compare(
    data: Any,
    target: str | None = None,
    *,
    budget: str | float = "5m",
    out: str | Path | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    group: str | None = None,
    time_column: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    margin: float | None = None,
    sensitive: str | None = None,
    favourable: str | None = None,
    pretrained: Sequence[str] = (),
    unlabelled: str | Path | None = None,
    learners: Sequence[str] = (),
    recipes: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    engine: str = "local",
    model: str = "best",
    read: ReadOptions | None = None,
    watcher: Watcher | None = None,
) -> Study:
    """Train classical ML and deep learning on the data under one fair budget, and judge.

    Args:
        data: a file (csv, tsv, xlsx, ods, parquet, json lines, gz of these), a folder or zip archive of pictures or
            texts, idx files, a DataFrame, or a database address.
        target: the column to predict; needed unless the data says it by class folders or labels of its own.
        budget: wall time for everything, as "90s", "5m", "1h".
        out: folder for the run; `runs/<name>-<time>` unless given.
        kinds: column -> kind, where the guess is wrong. drop, keep: columns to leave out, or to keep all the same.
        group: rows with the same value in this column stay on one side of every split.
        time_column: judge forward in time by this column; "none" never does.
        task, metric, margin: found out unless given. margin is in points, or per cent for losses.
        sensitive: a column by whose groups the answers of both families are compared; favourable: the answer people
            hope for, the rarer of two classes unless given.
        pretrained: encoders for words and pictures, by folder or by the name of one that was downloaded before; they
            make a third family. What is installed unless given; "none" for none.
        unlabelled: further words or pictures without answers (a folder, archive or table), on which an encoder is
            trained first, at the third family's cost.
        learners: only these; all unless given. seed: all randomness comes from it.
        recipes: at most so many of each family, each once over the folds, and no search: a short plan that ends before
            the budget, and so does not depend on the clock.
        workers: trials at a time; one per core unless given.
        engine: where trials run: "local" in processes that are ended over their limits, "inline" in this one.
        model: "best" ships the bag of all folds' models, "small" one model trained again on all rows.
        watcher: called with a `Progress` after every trial.

    Raises:
        UserError: one clear sentence about what to put right.
    """
    started = Start()
    seconds = parse_seconds(budget)
    _check_model_size(model)
    _check_places(workers, out)
    request = Request(
        target or "",
        dict(kinds or {}),
        tuple(drop),
        tuple(keep),
        group,
        time_column,
        task,
        metric,
        margin,
        tuple(learners),
        seed,
        recipes,
        sensitive,
        favourable,
        tuple(pretrained),
        None if unlabelled is None else str(unlabelled),
    )
    request.check()
    table = read_table(data, read or ReadOptions())
    request = replace(request, target=_target_of(table, target))
    request.check()
    understood = understand(table, request, seconds * (workers or allowed_cores()))
    folder = Path(out) if out is not None else _new_folder(table.origin)
    chosen = _engine(engine, workers, folder)
    facts = as_facts(table, understood, request) | _circumstances(seconds, engine, chosen.workers, model)
    further = None if unlabelled is None else _without_answers(unlabelled, understood, facts)
    with writing_to(folder, _advice(folder)), _made(folder), Lock(folder):
        if further is not None and not (folder / "run.json").exists():
            keep_unlabelled(folder, further)
        groups = None if understood.groups is None else understood.groups.codes
        begin(folder, understood.rows, understood.splits, facts, understood.clusters, groups)
        write_names(folder, understood.names)
        if watcher is not None:
            watcher(Progress(time.monotonic() - started.wall, seconds, {}, (), None))
        return _work(folder, chosen, watcher, started)


def resume(run: str | Path, *, watcher: Watcher | None = None, budget: str | float | None = None) -> Study:
    """Go on with a run that was interrupted or killed; finished trials are kept and not repeated.

    Args:
        budget: a new budget for the whole run, what was used before included.
    """
    started = Start()
    folder = Path(run)
    facts = read_run(folder)
    with writing_to(folder, _advice(folder)), Lock(folder):
        if budget is not None:
            facts["budget"] = parse_seconds(budget)
            write_json(folder / "run.json", facts)
        return _work(folder, _engine_of(facts, folder), watcher, started)


def replay(run: str | Path, *, out: str | Path, watcher: Watcher | None = None) -> Study:
    """Repeat exactly the trials of a run's record, in another folder; the numbers are the same on the same machine."""
    started = Start()
    source, folder = Path(run), Path(out)
    facts = read_run(source)
    done = [trial for trial in Ledger(source).trials() if trial.status == "done"]
    if (folder / "run.json").exists():
        raise BadRun(f"{folder} already holds a run. Name another folder.")
    with writing_to(folder, _advice(folder)), _made(folder / "trials"), Lock(folder):
        for name in (*files_of_rows(source), NAMES, "folds.safetensors", "learners.json"):
            if (source / name).exists():
                shutil.copyfile(source / name, folder / name)
        facts["replay"] = [
            {
                name: asdict(trial)[name]
                for name in (
                    "learner",
                    "family",
                    "title",
                    "turn",
                    "settings",
                    "fold",
                    "stage",
                    "seed",
                    "decided",
                )
            }
            for trial in done
        ]
        write_json(folder / "run.json", facts)
        return _work(folder, _engine_of(facts, folder), watcher, started)


def judge(run: str | Path) -> Study:
    """Draw the verdict again from a run's record; trains nothing."""
    folder = Path(run)
    return Study(folder, gather(folder, measure(folder)))


def report(
    run: str | Path,
    *,
    out: str | Path | None = None,
    price: float | None = None,
    watts: float | None = None,
) -> list[Path]:
    """Write a run's report: one HTML page that needs nothing beside it, and the same as Markdown and JSON.

    Args:
        out: folder for the three files; the run's folder unless given.
        price: of one hour of one core, in US dollars; watts: that one core draws. Common values unless given.

    Raises:
        BadRun: no run there. UserError: a price or power that cannot be.
    """
    study = judge(run)
    rate = RATE_PER_CORE_HOUR if price is None else price
    power = WATTS_PER_CORE if watts is None else watts
    for name, value in (("price of a core hour", rate), ("watts of a core", power)):
        if not 0 <= value < 1e6:
            raise UserError(f"Expected the {name} to be 0 or more and below a million; got {value!r}.")
    priced = prices(study.outcome, study.standings, rate, power)
    return Study(study.folder, replace(study.evidence, prices=priced)).report(out)


def inspect(
    data: Any,
    target: str | None = None,
    *,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    group: str | None = None,
    time_column: str | None = None,
    task: str | None = None,
    metric: str | None = None,
    read: ReadOptions | None = None,
) -> Inspection:
    """What the data is: kinds of columns and, with a target, the task and the audit. Trains nothing.

    The target is the column that the data itself says is to be predicted, unless one is given.
    """
    table = read_table(data, read or ReadOptions())
    target = target or table.target
    if target is None:
        return Inspection(table, None, _schema_only(table, kinds or {}, drop))
    request = Request(target, dict(kinds or {}), tuple(drop), tuple(keep), group, time_column, task, metric)
    understood = understand(table, request)
    return Inspection(table, understood, understood.schema)


def demo_data(folder: Path) -> tuple[Path, Path]:
    """Write the demonstration's two files: rows to learn from, and rows kept aside. Handwritten digits, 8 x 8 pixels.

    Alpaydin & Kaynak (1998). Optical recognition of handwritten digits. https://doi.org/10.24432/C50P49
    """
    # a light verb must not load scikit-learn
    from sklearn.datasets import load_digits

    digits = load_digits(as_frame=True)
    frame = digits.data.rename(columns=lambda name: name.replace("pixel_", "pixel ")).assign(
        digit=digits.target
    )
    folder.mkdir(parents=True, exist_ok=True)
    aside = frame.sample(100, random_state=0).sort_index()
    train, asked = folder / "digits.csv", folder / "digits_aside.csv"
    write_table(frame.drop(index=aside.index), train)
    write_table(aside.drop(columns="digit"), asked)
    return train, asked


def fresh_folder(folder: Path) -> Path:
    """A folder below this one that holds no run yet."""
    number = 1
    while (folder / f"run-{number}").exists():
        number += 1
    return folder / f"run-{number}"


def _work(folder: Path, engine: Engine, watcher: Watcher | None, started: Start) -> Study:
    """Run what is left to run, judge, and leave the model, then what it is like, then the result."""
    (folder / "measures.json").unlink(missing_ok=True)  # of models that may not be chosen again
    with closing(engine):
        why, before = work(folder, engine, watcher, started.wall)
        outcome = measure(folder)
        if outcome.folds:
            study = Study(folder, answer(outcome))
            chosen = choose(study, engine)
            leave_model(study, chosen)
            if why != "interrupted":
                probed = [name for name in PROBED if name in outcome.results]
                found = {name: (outcome.results[name], outcome.packed(name)) for name in probed}
                share = share_of_each(PROBE_SHARE, len(set(probed) - {"together"}))
                seconds = max(PROBE_LEAST, share * float(outcome.run["budget"]))
                probe(folder, engine, found, seconds)
        study = Study(folder, gather(folder, outcome))
        if outcome.folds:
            finish_model(study, chosen, None if why == "interrupted" else engine)
    elapsed = before + time.monotonic() - started.wall
    Ledger(folder).note_end(elapsed, why, cpu_seconds() - started.cpu_seconds)
    write_json(folder / "result.json", study.to_json())
    shutil.rmtree(folder / MEMO, ignore_errors=True)  # of use to its own trials alone
    return study


def _without_answers(source: str | Path, understood: Understood, facts: dict[str, Any]) -> Rows:
    """Rows without answers, and what the record is to say of them, which is put into the facts."""
    table = read_table(source, ReadOptions())
    rows = unlabelled_rows(table, understood)
    (column,) = rows.kinds
    facts["unlabelled"] = {
        "column": column,
        "kind": rows.kinds[column],
        "rows": len(rows),
        "origin": table.origin,
    }
    facts["understood"].append(
        f"An encoder is trained first on {len(rows):,} values of {table.origin}, which have no answers; it belongs to "
        "the third family."
    )
    return rows


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    yield


def _advice(folder: Path) -> str:
    return (
        f"Free space or get the right to write there, then go on with --resume {folder}; or name another folder "
        "with --out."
    )


def _target_of(table: Table, asked: str | None) -> str:
    """The column to predict: the one asked for, or the one the data says.

    Raises:
        UserError: neither.
    """
    if asked or table.target:
        return str(asked or table.target)
    if table.row_names is not None:
        raise UserError(
            f"The files of {table.origin} lie in one folder, without classes to tell apart. Put those of each "
            "class into a folder of its own, or add a table with their names and what to predict."
        )
    raise UserError(
        f"Say what to predict: --target COLUMN. Columns: {quoted_names(list(table.frame.columns), 20)}."
    )


def _schema_only(table: Table, kinds: Mapping[str, str], drop: Sequence[str]) -> Schema:
    schema, _ = learn_schema(table.frame, kinds=kinds, drop=drop)
    return schema


def _circumstances(seconds: float, engine: str, workers: int, model: str) -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "budget": seconds,
        "engine": engine,
        "workers": workers,
        "family_share": FAMILY_SHARE,
        "model": model,
        "machine": machine(),
        "versions": versions(PACKAGES),
    }


def _engine(name: str, workers: int | None, folder: Path) -> Engine:
    kind: Any = ENGINES.get(name)
    engine: Engine = kind(workers=workers or allowed_cores(), preload=PRELOADED, log=folder / "run.log")
    return engine


def _engine_of(facts: Mapping[str, Any], folder: Path) -> Engine:
    """An engine as the run was begun with."""
    return _engine(str(facts.get("engine", "local")), int(facts["workers"]), folder)


def _new_folder(origin: str) -> Path:
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(origin).stem)[:60] or "table"
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{name}-{stamp}"


def _check_places(workers: int | None, out: str | Path | None) -> None:
    if workers is not None and workers < 1:
        raise UserError(f"At least one trial runs at a time; got --workers {workers}.")
    # a name the system cannot even ask for is told when writing is tried
    if out is not None and os.path.isfile(out):  # noqa: PTH113
        raise UserError(f"{out} is a file, and a run needs a folder. Name another with --out.")


def _check_model_size(model: str) -> None:
    if model not in ("best", "small"):
        raise UserError(f"A model is 'best' (the bag of all folds) or 'small' (one model); got {model!r}.")
