"""What a person sees while a run works, and when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fathometer.cli.terminal import clean

if TYPE_CHECKING:
    from fathometer.api import Inspection, PretrainedView, Progress, Reason, Standing, Study

NAMES = {
    "classical": "classical ML",
    "deep": "deep learning",
    "pretrained": "pre-trained",
    "together": "both together",
    "baseline": "baseline",
}
FAILURES_SHOWN = 5
REASONS_SHOWN = 5
SAID_ABOVE = ("V602", "V605", "V704", "V705")  # thin evidence, learners not tried, an encoder and its costs
ORDER = ("classical", "deep", "pretrained", "together", "baseline")  # of the table's columns, those there are


class Screen:
    """Live progress on a terminal; silent elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(stderr=True)
        self.is_on = self.console.is_terminal and not quiet
        self.live: Live | None = None
        self.latest: tuple[Progress, float] | None = None

    def __enter__(self) -> Self:
        if self.is_on:
            self.live = Live(self, console=self.console, transient=True, refresh_per_second=4)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def watch(self, progress: Progress) -> None:
        """Show how far the run is; called after every trial."""
        self.latest = progress, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The latest figures; the clock runs on between trials."""
        if self.latest is None:
            yield Text("reading the data", style="dim")
            return
        progress, seen = self.latest
        yield _progress_view(progress, progress.elapsed + time.monotonic() - seen)


def _progress_view(progress: Progress, elapsed: float) -> Group:
    head = Text(f"{_clock(elapsed)} of {_clock(progress.budget)}  (Ctrl-C: stop and judge what is there)")
    table = Table(box=None, pad_edge=False)
    for title in ("", "trials", "processor time", "best so far, on its own validation rows"):
        table.add_column(title, style="bold" if not title else "")
    for name, family in progress.families.items():
        failed = f" ({family.failed} failed)" if family.failed else ""
        best = f"{family.best_title}: {family.best_loss:.4g}" if family.best_loss is not None else "-"
        table.add_row(
            NAMES[name],
            f"{family.trials}{failed}",
            f"{family.spent_seconds:.0f} of {family.share_seconds:.0f} s",
            Text(clean(best)),
        )
    running = Text("running: " + ", ".join(progress.running) if progress.running else "starting", style="dim")
    return Group(head, table, running)


def show_study(study: Study) -> None:
    """What was understood, the audit's news, the table, the verdict and what to do with it."""
    console = _paper()
    run = study.outcome.run
    rows, columns = run["data"]["rows"], run["data"]["columns"]
    _say(console, f"{run['data']['origin']}: {rows:,} rows, columns to learn from: {columns:,}", "bold")
    for sentence in study.understood:
        _say(console, f"  {sentence}")
    for item in run["left_out"]:
        overrule = f" Overrule: {item['overrule']}" if item["overrule"] else ""
        _say(console, f"  left out: {item['sentence']}{overrule}")
    told = {item["name"] for item in run["left_out"]}
    for finding in run["findings"]:
        is_news = finding["severity"] != "info" and not (
            finding["columns"] and set(finding["columns"]) <= told
        )
        if is_news:
            _say(console, f"  note: {finding['sentence']}")
    reasons: dict[str, list[str]] = {}
    for name, why in study.outcome.not_tried:
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        _say(console, f"  not tried: {', '.join(names)}: {why}")
    if study.outcome.folds:
        console.print(_table(study))
    for attempt in [attempt for attempt in study.attempts if attempt.failed][:FAILURES_SHOWN]:
        tried = attempt.folds + attempt.failed
        _say(console, f"  failed on {attempt.failed} of {tried} folds: {attempt.title}: {attempt.reason}")
    _say_verdict(console, study)


def _say_verdict(console: Console, study: Study) -> None:
    verdict, run = study.verdict, study.outcome.run
    _say(console, verdict.sentence, "bold")
    if verdict.families is not None:
        margin = f"{verdict.families.margin:g} {verdict.families.unit}"
        _say(
            console,
            f"P(classical better by more than {margin}) {_chance(verdict.p_classical)} · P(no practical difference) "
            f"{_chance(verdict.p_tie)} · P(deep better by more than {margin}) {_chance(verdict.p_deep)}",
        )
        if verdict.pretrained is not None:
            _say_pretrained(console, verdict.pretrained, margin)
    if verdict.more_rows:
        _say(console, f"More rows: {verdict.more_rows}")
    if verdict.more_time:
        _say(console, f"More time: {verdict.more_time}")
    for reason in verdict.weak:
        _say(console, f"Thin evidence: {reason}.")
    if verdict.next_step:
        _say(console, verdict.next_step)
    for found in _news(study):
        _say(console, f"  {found.code} {found.title}: {found.sentence}")
    if study.ended == "interrupted":
        _say(console, f"Stopped before its time. To go on: fathom compare --resume {study.folder}")
    if study.busy:
        _say(console, study.busy)
    cores = f"{run['workers']} core{'s' if run['workers'] != 1 else ''}"
    _say(console, f"Under this budget ({_clock(float(run['budget']))} on {cores}), on this machine.")
    if study.outcome.folds:
        use = f"fathom predict {study.folder} NEW_DATA -o answers.csv"
        _say(console, f"Record and model: {study.folder}. To use it: {use}")
        _say(console, f"To show it: fathom report {study.folder}")
    else:
        _say(
            console,
            f"Record: {study.folder}. To go on: fathom compare --resume {study.folder} --budget LONGER",
        )


def _say_pretrained(console: Console, view: PretrainedView, margin: str) -> None:
    """The chances of the pre-trained model, what it is, and that its own training is not counted."""
    _say(
        console,
        f"P(pre-trained better than {NAMES[view.against]} by more than {margin}) {_chance(view.p_better)} · "
        f"P(no practical difference) {_chance(view.p_same)} · P(worse) {_chance(view.p_worse)}",
    )
    for encoder in view.encoders:
        licence = encoder.get("licence") or "no licence found in its files"
        size = f"{float(encoder.get('size_bytes') or 0) / 1e6:,.0f} MB"
        name = f"{encoder.get('name')} ({licence}, {size})"
        here = "It was trained in this run, on rows without answers, and that is counted."
        cost = here if encoder.get("trained_here") else "What it cost to train before is not counted."
        _say(console, f"Pre-trained: {name}. {cost}")


def _news(study: Study) -> list[Reason]:
    """Reasons that say more than the answer above them, warnings first; the report has all of them."""
    beside = [
        found for found in study.reasons if found.strength != "decides" and found.code not in SAID_ABOVE
    ]
    return sorted(beside, key=lambda found: found.strength != "warns")[:REASONS_SHOWN]


def _chance(p: float) -> str:
    """A probability; never 0 or 100 %, which nobody can measure."""
    return "> 99 %" if p > 0.99 else "< 1 %" if p < 0.01 else f"{p:.0%}"


def show_inspection(inspection: Inspection) -> None:
    """What the data is: how it was read, every column, and what the audit found."""
    console = _paper()
    for sentence in inspection.sentences:
        _say(console, sentence)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("column", "kind", "different", "missing", "holds"):
        table.add_column(title, justify="right" if title in ("different", "missing") else "left")
    for column in inspection.schema.columns:
        facts = column.summary
        share = facts["missing"] / facts["rows"] if facts["rows"] else 0.0
        kind = column.kind if column.guessed else f"{column.kind} (as asked)"
        missing = f"{share:.1%}" if share else ""
        table.add_row(
            Text(clean(column.name, 60)),
            kind,
            _different(facts),
            missing,
            Text(clean(_holds(facts), 70)),
        )
    console.print(table)
    if inspection.understood is not None:
        for finding in inspection.understood.audit.findings:
            if finding.code != "target":  # told above
                _say(console, f"{finding.severity}: {finding.sentence}")
    if inspection.odds is not None:
        odds = inspection.odds
        _say(
            console,
            f"Before any training: classical ML better {_chance(odds.p_classical)}, no practical difference "
            f"{_chance(odds.p_tie)}, deep learning better {_chance(odds.p_deep)}. {odds.source}",
        )


def _different(facts: Mapping[str, Any]) -> str:
    """How many different values there are; of a column that takes long to read, among those looked at."""
    looked_at = f" of {facts['looked_at']:,}" if "looked_at" in facts else ""
    return f"{facts['distinct']:,}{looked_at}"


def _holds(facts: Mapping[str, Any]) -> str:
    """A column's values in a few words."""
    if "commonest" in facts:
        return ", ".join(str(value) for value, _ in facts["commonest"][:6])
    if isinstance(facts.get("low"), float):
        return f"{facts['low']:g} to {facts['high']:g}, mean {facts['mean']:.4g}"
    if facts.get("low") is not None:
        return f"{facts['low']} to {facts['high']}"
    if facts.get("height"):
        colour = "colour" if facts["channels"] == 3 else "grey"
        return f"{facts['width']} x {facts['height']} pixels, {colour}"
    if facts.get("mean_words") is not None:
        return f"{facts['mean_words']:.0f} words on average"
    return ""


def _paper() -> Console:
    """Standard output; in a file or a pipe as wide as the table needs."""
    console = Console(file=sys.stdout, highlight=False)
    return console if console.is_terminal else Console(file=sys.stdout, highlight=False, width=120)


def _table(study: Study) -> Table:
    measure = study.outcome.task.measure
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    shown = [name for name in ORDER if name in study.standings]
    for name in shown:
        table.add_column(NAMES[name], justify="right")
    columns = [study.standings[name] for name in shown]
    table.add_row(
        f"{measure.title}{' ' + measure.unit if measure.unit else ''}", *[_score(c) for c in columns]
    )
    table.add_row("  95 % interval", *[_interval(c) for c in columns])
    table.add_row("trials (failed)", *[f"{c.trials} ({c.failed})" for c in columns])
    if any(c.cut_short for c in columns):
        table.add_row("  stopped by the clock", *[str(c.cut_short) for c in columns])
    table.add_row("processor time, s", *[f"{c.cpu_seconds:.0f}" for c in columns])
    table.add_row(
        "  of its share",
        *[f"{c.cpu_seconds / c.share_seconds:.0%}" if c.share_seconds else "-" for c in columns],
    )
    table.add_row("models in it, over all folds", *[str(c.members) for c in columns])
    table.add_row("µs per row answered", *[f"{c.microseconds_per_row:,.0f}" for c in columns])
    table.add_row("size, MB", *[f"{c.model_bytes / 1e6:.1f}" for c in columns])
    table.add_row("peak memory of a trial, MB", *[f"{c.peak_bytes / 1e6:.0f}" for c in columns])
    table.add_row("mostly", *[Text(clean(c.best)) for c in columns])
    return table


def _score(standing: Standing) -> str:
    return "-" if standing.score is None else f"{standing.score.score:.4g}"


def _interval(standing: Standing) -> str:
    return "-" if standing.score is None else f"{standing.score.low:.4g} to {standing.score.high:.4g}"


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(clean(text), style=style), soft_wrap=not console.is_terminal)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
