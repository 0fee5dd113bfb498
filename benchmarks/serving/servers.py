"""Start a server, wait until it answers, and look at its memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from benchmarks.serving.load import Question, Result, closed

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
START_SECONDS = 120.0


@dataclass(frozen=True)
class Server:
    """How one is started ("{port}" in the command is put in), and how rows are asked."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    asks: str  # "native", "split", "oip", "rows"
    path: str

    def question(self, frame: pd.DataFrame) -> Question:
        """These rows as this server wants them."""
        return Question(self.path, ENCODERS[self.asks](frame))


def ours(bundle: Path, folder: Path) -> list[Server]:
    """This product through three of its protocols, and the bare call."""
    environment = {"OMP_NUM_THREADS": "1"}
    serve = (sys.executable, "-m", "fathometer", "serve", str(bundle), "--port", "{port}")
    log = ("--log", str(folder / "log.sqlite"))
    bare = (sys.executable, str(HERE / "bare.py"), "{port}", str(bundle))
    return [
        Server("bare call", bare, environment, folder, "native", "/"),
        Server("fathom serve, native", (*serve, *log), environment, folder, "native", "/predict"),
        Server(
            "fathom serve, MLflow's grammar", (*serve, *log), environment, folder, "split", "/invocations"
        ),
        Server(
            "fathom serve, Open Inference",
            (*serve, *log),
            environment,
            folder,
            "oip",
            f"/v2/models/{bundle.stem}/infer",
        ),
    ]


def peers(bundle: Path, folder: Path, places: Mapping[str, Path]) -> list[Server]:
    """The same bundle's Python call inside other servers, each from an environment of its own."""
    found = []
    base = {"PYTHONPATH": str(SOURCE), "SERVED_BUNDLE": str(bundle), "OMP_NUM_THREADS": "1"}
    if "mlflow" in places:
        binaries = places["mlflow"].parent
        model = folder / "mlflow-model"
        subprocess.run(
            [places["mlflow"], HERE / "peers" / "mlflow_save.py", bundle, model],
            env=os.environ | base,
            check=True,
            capture_output=True,
        )
        command = (
            str(binaries / "mlflow"),
            "models",
            "serve",
            "-m",
            str(model),
            "-p",
            "{port}",
            "--env-manager",
            "local",
        )
        path = {"PATH": f"{binaries}:{os.environ['PATH']}"}
        found.append(Server("mlflow models serve", command, base | path, folder, "split", "/invocations"))
    if "mlserver" in places:
        place = folder / "mlserver"
        place.mkdir()
        (place / "model-settings.json").write_text(
            json.dumps({"name": "served", "implementation": "mlserver_runtime.Served"})
        )
        settings = {
            "MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": str(free_port()),
            "MLSERVER_METRICS_PORT": str(free_port()),
            "MLSERVER_PARALLEL_WORKERS": "0", "PYTHONPATH": f"{SOURCE}:{HERE / 'peers'}", "MLSERVER_HOST": "127.0.0.1",
        }  # fmt: skip
        command = (str(places["mlserver"].parent / "mlserver"), "start", str(place))
        found.append(Server("MLServer", command, base | settings, place, "oip", "/v2/models/served/infer"))
    if "bentoml" in places:
        command = (
            str(places["bentoml"].parent / "bentoml"), "serve", "bentoml_service:Served", "--port", "{port}",
            "--host", "127.0.0.1", "--working-dir", str(HERE / "peers"),
        )  # fmt: skip
        home = {"BENTOML_HOME": str(folder / "bento"), "BENTOML_DO_NOT_TRACK": "True"}
        found.append(Server("BentoML", command, base | home, folder, "rows", "/predict"))
    return found


@contextmanager
def running(server: Server, first: Question) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a server that has answered; ended at the end."""
    port = free_port()
    put = lambda text: text.replace("{port}", str(port))  # noqa: E731
    environment = os.environ | {name: put(value) for name, value in server.environment.items()}
    log = (server.folder / f"{port}.log").open("w")
    process = subprocess.Popen(
        [put(part) for part in server.command], env=environment, cwd=server.folder, stdout=log, stderr=log
    )
    try:
        _wait(port, first, process, Path(log.name))
        yield port, psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            here = psutil.Process(process.pid)
            for one in [*here.children(recursive=True), here]:
                one.terminate()
            process.wait(30)
        log.close()


def memory(process: psutil.Process) -> int:
    """Bytes that the process and its children have for themselves (of shared pages each its part, where told)."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        told = one.memory_full_info()
        total += getattr(told, "pss", 0) or told.rss
    return total


def _wait(port: int, first: Question, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    result = Result()
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        result = closed(port, first, 1, 0.2)
        if result.seconds:
            return
        time.sleep(0.3)
    raise RuntimeError(f"{process.args!r} did not answer: {result.errors}\n{log.read_text()[-3000:]}")


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    records: list[dict[str, object]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return records


def _native(frame: pd.DataFrame) -> bytes:
    return json.dumps({"rows": _records(frame)}).encode()


def _split(frame: pd.DataFrame) -> bytes:
    data = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return json.dumps({"dataframe_split": {"columns": list(frame), "data": data}}).encode()


def _oip(frame: pd.DataFrame) -> bytes:
    inputs = []
    for name in frame:
        cells = frame[name]
        is_number = pd.api.types.is_numeric_dtype(cells)
        data = cells.tolist() if is_number else ["" if pd.isna(cell) else str(cell) for cell in cells]
        one = {
            "name": name,
            "shape": [len(frame), 1],
            "datatype": "FP64" if is_number else "BYTES",
            "data": data,
        }
        inputs.append(one if is_number else one | {"parameters": {"content_type": "str"}})
    return json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs}).encode()


ENCODERS = {"native": _native, "rows": _native, "split": _split, "oip": _oip}
