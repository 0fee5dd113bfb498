"""The commands that put a model to work: pack it, serve it, export it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fathometer.cli.app import app
from fathometer.cli.terminal import clean

Model = Annotated[Path, typer.Argument(help="A run folder, or a model folder or file.")]
Family = Annotated[
    str | None, typer.Option(help="classical, deep, pretrained or together. [the verdict's choice]")
]
TrustNative = Annotated[
    bool, typer.Option("--trust-native", help="Open members that only their own library can read.")
]


@app.command()
def pack(
    run: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or one file (.fathom or .zip).")],
    family: Family = None,
    trust_native: TrustNative = False,
) -> None:
    """Make a model to hand on: one family's, in a folder or in one file that opens anywhere."""
    import fathometer.api as api

    typer.echo(str(api.pack(run, out, family=family, trust_native=trust_native)))


@app.command()
def serve(
    model: Annotated[
        Path, typer.Argument(help="A run folder, or a model folder or file.", envvar="FATHOMETER_MODEL")
    ],
    host: Annotated[str, typer.Option(help="Where to listen.", envvar="FATHOMETER_HOST")] = "127.0.0.1",
    port: Annotated[
        int,  # not FATHOMETER_PORT: Kubernetes sets that to an address where a service is called fathometer
        typer.Option(
            "--port", "-p", help="0: any free one.", envvar=["FATHOMETER_HTTP_PORT", "AIP_HTTP_PORT"]
        ),
    ] = 8080,
    unix_socket: Annotated[Path | None, typer.Option(help="A socket file instead of host and port.")] = None,
    name: Annotated[
        list[str],
        typer.Option(
            help="A name by which clients may call this machine; *: any.", envvar="FATHOMETER_NAMES"
        ),
    ] = [],  # noqa: B006
    key_file: Annotated[
        Path | None, typer.Option(help="Keys, one per line; or in FATHOMETER_API_KEYS, by commas.")
    ] = None,
    no_key: Annotated[
        bool,
        typer.Option(
            "--no-key",
            help="Listen wider than this machine without asking for a key.",
            envvar="FATHOMETER_NO_KEY",
        ),
    ] = False,
    open_metrics: Annotated[bool, typer.Option("--open-metrics", help="/metrics needs no key.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    threads: Annotated[int, typer.Option(help="Questions answered at a time in each process.")] = 1,
    batch: Annotated[
        bool | None,
        typer.Option(
            "--batch/--no-batch", help="Answer small questions that wait together. [networks, trees]"
        ),
    ] = None,
    trust_native: TrustNative = False,
    log: Annotated[
        Path | None, typer.Option(help="SQLite file for questions and answers. [the user's state folder]")
    ] = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Keep nothing.")] = False,
    log_features: Annotated[str, typer.Option(help="Keep all cells, a hash of each, or none.")] = "all",
    log_rows: Annotated[int, typer.Option(help="Older answers are removed beyond so many.")] = 1_000_000,
    log_megabytes: Annotated[int, typer.Option(help="And beyond this size.")] = 1024,
    body_megabytes: Annotated[int, typer.Option(help="The largest request.")] = 16,
    rows: Annotated[int, typer.Option(help="The most rows in one request.")] = 10_000,
    waiting: Annotated[int, typer.Option(help="Questions under way in a process; more are refused.")] = 64,
    seconds: Annotated[float, typer.Option(help="After which a question is given up.")] = 60.0,
    drain: Annotated[
        float, typer.Option(help="Seconds a stopping server still answers and says that it stops.")
    ] = 1.0,
) -> None:
    """Answer over HTTP, in the languages that clients speak (docs/serve.md, docs/protocols.md)."""
    import fathometer.api as api

    api.serve(
        model,
        host=host,
        port=port,
        unix_socket=unix_socket,
        names=name,
        key_file=key_file,
        no_key=no_key,
        open_metrics=open_metrics,
        workers=workers,
        threads=threads,
        batch=batch,
        trust_native=trust_native,
        log=log,
        no_log=no_log,
        log_features=log_features,
        log_rows=log_rows,
        log_megabytes=log_megabytes,
        body_megabytes=body_megabytes,
        rows=rows,
        waiting=waiting,
        seconds=seconds,
        drain_seconds=drain,
        say=lambda text: typer.echo(clean(text)),
    )


@app.command()
def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(help="The ONNX file to write.")],
    family: Family = None,
    member: Annotated[str | None, typer.Option(help="One model alone, by its key.")] = None,
    quantized: Annotated[
        bool, typer.Option("--quantized", help="Networks in 8 bits; what that costs is measured.")
    ] = False,
    trust_native: TrustNative = False,
) -> None:
    """Write a model as one ONNX file, once it is shown to answer the same."""
    import fathometer.api as api

    exported = api.export(
        model, onnx, family=family, member=member, quantized=quantized, trust_native=trust_native
    )
    for sentence in exported.sentences():
        typer.echo(clean(sentence))
