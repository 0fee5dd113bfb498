"""What a server counts of itself, for Prometheus: base units, and never a value, a label or a request's name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
NAMED_COLUMNS = 100
OTHER = "other"
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where several processes share their counts; read by prometheus_client when it is imported."""

MEDIA_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counts of one process, or of all workers where they share a folder."""

    def __init__(self, model: str, version: str, columns: Sequence[str]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # when each count began: as many lines again, and nobody asks
        self.registry = CollectorRegistry()
        self._folder = os.environ.get(FOLDER_VARIABLE)
        self._model = (model, version)
        self._columns = {name: name if place < NAMED_COLUMNS else OTHER for place, name in enumerate(columns)}
        self._requests: dict[tuple[str, int], Counter] = {}
        self._make(("model", "version"))
        if self._folder is None:
            ProcessCollector(registry=self.registry)

    def _make(self, who: tuple[str, str]) -> None:
        registry = self.registry
        named, first = "fathometer_inference", self._model
        self._request = Counter(
            f"{named}_requests", "Requests, by HTTP status.", (*who, "protocol", "code"), registry=registry
        )
        self._rows = Counter(f"{named}_rows", "Rows answered.", who, registry=registry).labels(*first)
        self._batches = Counter(f"{named}_batches", "Calls of the model.", who, registry=registry).labels(
            *first
        )
        self._duration, self._queue = (
            Histogram(f"{named}_{what}", told, who, buckets=BUCKETS, registry=registry).labels(*first)
            for what, told in (
                ("duration_seconds", "From a question to its answer, decoding and encoding apart."),
                ("queue_seconds", "Of it, waiting for a thread."),
            )
        )
        gauges: tuple[tuple[str, str, Literal["livesum", "livemin", "livemax"]], ...] = (
            (f"{named}_in_progress", "Questions under way.", "livesum"),
            ("fathometer_model_ready", "1 where questions are answered.", "livemin"),
            ("fathometer_model_load_seconds", "Opening, checking and trying the model.", "livemax"),
        )
        self._in_progress, self._ready, self._load = (
            Gauge(what, told, who, registry=registry, multiprocess_mode=mode).labels(*first)
            for what, told, mode in gauges
        )
        self._missing = Counter(
            "fathometer_prediction_missing_features", "Missing cells.", ("column",), registry=registry
        )
        self._unseen = Counter(
            "fathometer_prediction_unseen_levels",
            "Cells with a level never seen in training.",
            ("column",),
            registry=registry,
        )
        self._bad = Counter(
            "fathometer_prediction_bad_rows",
            "Rows with a cell that does not read as learned.",
            registry=registry,
        )
        self._labels = Counter("fathometer_labels", "True answers received.", registry=registry)
        self._log_errors = Counter(
            "fathometer_log_write_errors", "Writes of the log that failed.", registry=registry
        )
        self._log_dropped = Counter(
            "fathometer_log_dropped_rows", "Answers not logged: the log was too slow.", registry=registry
        )

    def request(self, protocol: str, code: int) -> None:
        """A request was answered, or refused."""
        counter = self._requests.get((protocol, code))
        if counter is None:
            counter = self._request.labels(*self._model, protocol, str(code))
            self._requests[protocol, code] = counter
        counter.inc()

    def answered(self, rows: int, seconds: float, queued: float) -> None:
        """A question was answered."""
        self._rows.inc(rows)
        self._duration.observe(seconds)
        self._queue.observe(queued)

    def batch(self) -> None:
        """The model was called."""
        self._batches.inc()

    def in_progress(self, count: int) -> None:
        """So many questions are under way."""
        self._in_progress.set(count)

    def ready(self, is_ready: bool) -> None:
        """Whether questions are answered."""
        self._ready.set(float(is_ready))

    def loaded(self, seconds: float) -> None:
        """The model is ready to answer after so long."""
        self._load.set(seconds)

    def cells(self, frame: pd.DataFrame) -> None:
        """Count the missing cells of the columns learned from."""
        rows = len(frame)
        if rows == 1 and frame.shape[1] == frame.columns.size:
            for name, cell in zip(frame.columns, frame.to_numpy(dtype=object)[0], strict=True):
                if cell is None or cell is pd.NaT or cell is pd.NA or cell != cell:
                    self._count_missing(name, 1)
        else:
            missing = frame.isna().to_numpy().sum(axis=0)
            for name, count in zip(frame.columns, missing.tolist(), strict=True):
                if count:
                    self._count_missing(name, count)
        if len(self._columns) > frame.shape[1]:
            for name in self._columns.keys() - set(frame.columns):
                self._count_missing(name, rows)

    def _count_missing(self, column: str, count: int) -> None:
        name = self._columns.get(column)
        if name is not None:
            self._missing.labels(name).inc(count)

    def oddities(self, unseen: Mapping[str, int], bad_rows: int) -> None:
        """Count cells with new levels, and rows with cells that do not read."""
        for column, count in unseen.items():
            self._unseen.labels(self._columns.get(column, OTHER)).inc(count)
        if bad_rows:
            self._bad.inc(bad_rows)

    def truths(self, count: int) -> None:
        """So many true answers were received."""
        self._labels.inc(count)

    def log_error(self) -> None:
        """A write of the log failed."""
        self._log_errors.inc()

    def log_dropped(self, rows: int) -> None:
        """So many answers found the log's queue full."""
        self._log_dropped.inc(rows)

    def page(self) -> bytes:
        """Everything, as Prometheus reads it."""
        registry = self.registry
        if self._folder is not None:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_worker(folder: Path, process_id: int) -> None:
    """A worker is gone: its gauges count no more."""
    multiprocess.mark_process_dead(process_id, str(folder))  # type: ignore[no-untyped-call]
