"""A small model, and a server of it without a socket: asked as uvicorn would ask."""

from __future__ import annotations

import asyncio
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from fathometer.bundle import Bundle, Member, pack
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.learner import LEARNERS, Model, Run
from fathometer.serve.app import make_app
from fathometer.serve.desk import Desk
from fathometer.serve.settings import Settings
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

CLASSES = Classification("left", "accuracy", 0.5, ("no", "<b>yes"))
NUMBERS = Regression("price", "rmse", 1.0)
HOST = "127.0.0.1:8080"
NAMES = ("age", "<i>plan", "since")
ROW = {"age": 41, "<i>plan": "gold", "since": "2024-03-01"}


def table(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Cells of a number, a category and a moment, with gaps."""
    rng = np.random.default_rng(seed)
    ages = pd.Series(rng.normal(40, 12, rows).round(1)).astype(str)
    ages[rng.random(rows) < 0.1] = ""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    return pd.DataFrame(
        {
            "age": ages,
            "<i>plan": rng.choice(["gold", "silver", "tin"], rows),
            "since": days.strftime("%Y-%m-%d"),
        }
    )


def make_model(
    folder: Path, task: Task, frame: pd.DataFrame | None = None, target: npt.NDArray[Any] | None = None
) -> Path:
    """Two families that load no torch."""
    frame = table() if frame is None else frame
    schema, _ = learn_schema(frame)
    read = schema.read(frame)
    if target is None:
        age = read.column("age").fillna(40).to_numpy()
        gold = (frame["<i>plan"] == "gold").to_numpy()
        target = (age + 10 * gold > 45).astype(np.int64) if task.outputs > 1 else age / 2 + 3.0 * gold
    rows = Rows(read.frame, read.kinds, target)
    members = []
    for name in ("linear", "boosting"):
        model = LEARNERS.get(name)().fit(rows.take(np.arange(90)), rows.take(np.arange(90, 120)), task, Run())
        place = folder.parent / f"{folder.name}-members" / name
        place.mkdir(parents=True)
        model.save(place)
        members.append(Member(f"a-{name}", name, name, place))
    mixes = {"classical": [{"a-linear": 0.25, "a-boosting": 0.75}], "baseline": [{"a-linear": 1.0}]}
    verdict = "Take <script>alert(1)</script>."
    pack(
        folder,
        schema=schema,
        task=task,
        members=members,
        mixes=mixes,
        default="classical",
        about={"verdict": verdict, "created": "2026-01-01"},
    )
    return folder


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Asked:
    """A server of a desk, asked in this process."""

    def __init__(self, desk: Desk, settings: Settings | None = None) -> None:
        self.desk = desk
        self.app = make_app(desk, settings)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
    ) -> Answer:
        """One request; what is no bytes is sent as JSON."""
        return asyncio.run(self.asking(method, path, body, headers, host))

    async def asking(
        self,
        method: str,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        host: str = HOST,
    ) -> Answer:
        """The same on a loop that runs already."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.asking_in_parts(method, path, [raw], {"host": host, **(headers or {})})

    async def asking_in_parts(
        self, method: str, path: str, parts: Iterable[bytes], headers: Mapping[str, str]
    ) -> Answer:
        """The same with a body that comes in parts."""
        given = iter([*parts, None])
        following: list[Any] = [next(given)]
        sent: list[Any] = []

        async def receive() -> Any:
            part = following.pop()
            following.append(next(given))
            return {"type": "http.request", "body": part, "more_body": following[0] is not None}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope_of(method, path, headers), receive, send)
        found = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))


def scope_of(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """A request as ASGI tells it."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "server": ("127.0.0.1", 8080),
        "client": ("127.0.0.1", 50000),
    }


class Gated(Model):
    """A model that answers when it is let; `calls` are the rows of each question it was asked."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.open = threading.Event()
        self.reached = threading.Event()
        self.calls: list[int] = []

    def predict(self, rows: Rows) -> Any:
        self.calls.append(len(rows))
        self.reached.set()
        assert self.open.wait(30)
        return self.model.predict(rows)

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def gated(bundle: Bundle) -> Gated:
    """Put a gate before a member of the bundle."""
    gate = Gated(bundle.member("a-linear"))
    bundle.loaded["a-linear"] = gate
    return gate


async def reached(gate: Gated) -> None:
    """Wait until the model is asked, and leave the loop free meanwhile."""
    assert await asyncio.to_thread(gate.reached.wait, 30)


async def started(asks: Iterable[Callable[[], Awaitable[Answer]]]) -> list[asyncio.Task[Answer]]:
    """Requests under way, each as far as it gets by itself."""

    async def one(ask: Callable[[], Awaitable[Answer]]) -> Answer:
        return await ask()

    tasks = [asyncio.create_task(one(ask)) for ask in asks]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks
