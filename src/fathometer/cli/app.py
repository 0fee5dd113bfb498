"""The command line: options in, one call of the api, words out.

Nothing heavy is imported before a verb runs, so that help answers at once.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from fathometer import __version__
from fathometer.cli.terminal import clean
from fathometer.errors import FathometerError, UserError

if TYPE_CHECKING:
    from fathometer.api import Study

app = typer.Typer(
    name="fathom",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[
    str,
    typer.Argument(
        help="A file (csv, tsv, xlsx, ods, parquet, json lines, gz, idx), a folder or zip of pictures or texts, or a "
        "database address."
    ),
]
Target = Annotated[
    str | None,
    typer.Option("--target", "-t", help="The column to predict. [the class, where folders are classes]"),
]
Kinds = Annotated[
    list[str],
    typer.Option("--kind", help="COLUMN=number|category|moment|text|image, where the guess is wrong."),
]
Drop = Annotated[list[str], typer.Option("--drop", help="A column not to learn from.")]
Keep = Annotated[
    list[str], typer.Option("--keep", help="A column to learn from although the audit would leave it out.")
]
Group = Annotated[str | None, typer.Option(help="Rows with one value in this column stay on one side.")]
Time = Annotated[str | None, typer.Option(help="Judge forward in time by this column; none: never.")]
Task = Annotated[str | None, typer.Option(help="classification or regression.")]
Metric = Annotated[str | None, typer.Option(help="accuracy, balanced_accuracy, log_loss, auc, rmse or mae.")]
Delimiter = Annotated[str | None, typer.Option(help="What separates cells in a csv file.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of a text file.")]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether the first line names the columns.")
]
Sheet = Annotated[str | None, typer.Option(help="Sheet of a workbook.")]
Query = Annotated[str | None, typer.Option(help="SQL, where the data is a database address.")]
Files = Annotated[
    str | None,
    typer.Option(
        help="Folder or zip with the files that cells name; none: cells name no files. [the table's folder]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@app.callback(invoke_without_command=True)
def about(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Measures on your own data whether classical machine learning or deep learning is needed."""
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def compare(
    data: Annotated[str | None, typer.Argument(help="The data; not with --resume or --replay.")] = None,
    target: Target = None,
    budget: Annotated[
        str | None, typer.Option("--budget", "-b", help="Wall time for everything: 90s, 5m, 1h. [5m]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the run. [runs/NAME-TIME]")
    ] = None,
    kind: Kinds = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    keep: Keep = [],  # noqa: B006
    group: Group = None,
    time: Time = None,
    task: Task = None,
    metric: Metric = None,
    margin: Annotated[
        float | None, typer.Option(help="Smallest difference that matters: points, or per cent.")
    ] = None,
    sensitive: Annotated[
        str | None, typer.Option(help="Compare the answers between the groups of this column.")
    ] = None,
    favourable: Annotated[
        str | None, typer.Option(help="The answer people hope for. [the rarer of two]")
    ] = None,
    pretrained: Annotated[
        list[str],
        typer.Option(
            help="A pre-trained encoder of words or pictures: folder or downloaded name; none: none."
        ),
    ] = [],  # noqa: B006
    unlabelled: Annotated[
        str | None, typer.Option(help="Words or pictures without answers, to train an encoder on first.")
    ] = None,
    learner: Annotated[list[str], typer.Option("--learner", help="Only these learners.")] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="All randomness comes from it.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Trials at a time. [one per core]")] = None,
    model: Annotated[
        str, typer.Option(help="best: all folds' models; small: one, trained again on all rows.")
    ] = "best",
    resume: Annotated[Path | None, typer.Option(help="Go on with this run.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Repeat exactly the trials of this run, into --out.")
    ] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    header: Header = None,
    sheet: Sheet = None,
    query: Query = None,
    files: Files = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train classical ML and deep learning under one fair budget, and say which is needed."""
    import fathometer.api as api
    from fathometer.cli.progress import Screen, show_study

    with Screen(quiet=quiet or as_json) as screen:
        if resume is not None or replay is not None:
            _refuse_beside(data, target, drop, keep, kind, "--resume" if resume is not None else "--replay")
        if resume is not None:
            study = api.resume(resume, budget=budget, watcher=screen.watch)
        elif replay is not None:
            study = api.replay(
                replay, out=_needed(out, "--out", "a folder for the replay"), watcher=screen.watch
            )
        else:
            study = api.compare(
                _needed(data, "DATA", "a file to learn from"),
                target,
                budget=budget or "5m",
                out=out,
                kinds=_pairs(kind),
                drop=drop,
                keep=keep,
                group=group,
                time_column=time,
                task=task,
                metric=metric,
                margin=margin,
                sensitive=sensitive,
                favourable=favourable,
                pretrained=pretrained,
                unlabelled=unlabelled,
                learners=learner,
                seed=seed,
                workers=workers,
                model=model,
                read=api.ReadOptions(
                    delimiter=delimiter,
                    encoding=encoding,
                    header=header,
                    sheet=sheet,
                    query=query,
                    files=files,
                ),
                watcher=screen.watch,
            )
    _show(study, as_json, show_study)
    if not study.outcome.folds:
        raise typer.Exit(3)  # there is no answer and no model


@app.command()
def inspect(
    data: Data,
    target: Target = None,
    kind: Kinds = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    keep: Keep = [],  # noqa: B006
    group: Group = None,
    time: Time = None,
    task: Task = None,
    metric: Metric = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    header: Header = None,
    sheet: Sheet = None,
    query: Query = None,
    files: Files = None,
) -> None:
    """Say what the data is: kinds of columns, gaps, duplicates, leaks. Trains nothing."""
    import fathometer.api as api
    from fathometer.cli.progress import show_inspection

    options = api.ReadOptions(
        delimiter=delimiter, encoding=encoding, header=header, sheet=sheet, query=query, files=files
    )
    found = api.inspect(
        data,
        target,
        kinds=_pairs(kind),
        drop=drop,
        keep=keep,
        group=group,
        time_column=time,
        task=task,
        metric=metric,
        read=options,
    )
    show_inspection(found)


@app.command()
def judge(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    as_json: AsJson = False,
) -> None:
    """Show a run's table and verdict again, from its record; trains nothing."""
    import fathometer.api as api
    from fathometer.cli.progress import show_study

    _show(api.judge(run), as_json, show_study)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the files. [the run folder]")
    ] = None,
    price: Annotated[float | None, typer.Option(help="US dollars for an hour of one core.")] = None,
    watts: Annotated[float | None, typer.Option(help="Watts that one core draws.")] = None,
) -> None:
    """Write the report: one HTML page to show, and the same as Markdown and JSON; trains nothing."""
    import fathometer.api as api

    for path in api.report(run, out=out, price=price, watts=watts):
        typer.echo(str(path))


@app.command()
def demo(
    budget: Annotated[str, typer.Option("--budget", "-b", help="Wall time for the comparison.")] = "60s",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the data and the run.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Compare on real data that comes along: 1,797 handwritten digits."""
    import fathometer.api as api
    from fathometer.cli.progress import Screen, show_study

    train, asked = api.demo_data(out)
    typer.echo(f"fathom compare {train} --target digit --budget {budget}")
    with Screen(quiet=False) as screen:
        study = api.compare(train, "digit", budget=budget, out=api.fresh_folder(out), watcher=screen.watch)
    _show(study, False, show_study)
    typer.echo(f"\nfathom predict {study.folder} {asked}")
    api.predict(study.folder, asked, out=out / "answers.csv")
    typer.echo(f"Answers for rows kept aside: {out / 'answers.csv'}")


def main() -> NoReturn:
    """Run the command line; user errors become one sentence, and exit 2."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(prog_name="fathom", standalone_mode=False)
        code = 0
    except UserError as error:
        typer.echo(f"fathom: {clean(str(error))}", err=True)
        code = 2
    except FathometerError as error:
        typer.echo(f"fathom: something went wrong on our side: {clean(str(error))}", err=True)
        code = 1
    except KeyboardInterrupt:
        typer.echo("fathom: interrupted. What was finished is kept: fathom compare --resume RUN", err=True)
        code = 130
    except BrokenPipeError:
        code = 0
    except Exception as error:
        code = _other(error)
    sys.exit(code)


def _other(error: Exception) -> int:
    """The command line's own complaints, and our faults."""
    complaint = getattr(error, "format_message", None)
    if complaint is not None:
        typer.echo(f"fathom: {clean(complaint())} See: fathom --help", err=True)
        return 2
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, OSError):
        typer.echo(f"fathom: {clean(str(error))}", err=True)
        return 1
    raise error


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _show(study: Study, as_json: bool, show: Any) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(study.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        show(study)


def _refuse_beside(
    data: str | None, target: str | None, drop: list[str], keep: list[str], kind: list[str], option: str
) -> None:
    """A run's data and question are in its record; saying them again would be ignored."""
    given = {"DATA": data, "--target": target, "--drop": drop, "--keep": keep, "--kind": kind}
    said = [name for name, value in given.items() if value]
    if said:
        raise UserError(
            f"{option} takes the data and the question from the run's record; leave out {', '.join(said)}."
        )


def _needed(value: Any, name: str, what: str) -> Any:
    if value is None:
        raise UserError(f"{name} is needed: {what}. See: fathom compare --help")
    return value


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        column, sign, kind = text.rpartition("=")
        if not sign or not column:
            raise UserError(f"--kind takes COLUMN=KIND, such as zip=category; got {text!r}.")
        pairs[column] = kind
    return pairs
