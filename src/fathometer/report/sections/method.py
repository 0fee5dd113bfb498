"""What was understood of the data, every trial, how it was measured, and how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import counted, opened
from fathometer.report import amounts
from fathometer.report.document import (
    Block,
    Bullets,
    Code,
    Commands,
    Folded,
    Name,
    Paragraph,
    Portion,
    Section,
    Table,
    Terms,
    Words,
)
from fathometer.report.record import TITLES, Record, items, mapping, number, records, text, texts

MOST_TRIALS = 3_000
FEW = 12  # more lines than this are folded

SEVERITIES = {"info": "for information", "warning": "warning", "action": "acted on"}

FAIRNESS = (
    "Both families had the same rows, the same folds, and the same share of processor time; time of failures counts.",
    "Every choice was made on validation rows; the test rows were scored once.",
    "Differences are compared row by row on the same test rows.",
    "Validation scores are never compared across families.",
    "Equal rows stay in one fold, so that no model is tested on rows it has seen.",
    "Unspent time is reported and given to neither side.",
)

DEFINITIONS = (
    "The three probabilities are drawn towards no difference, as most differences between families are small. They are "
    "less sure than the interval alone would be.",
    "Of two shares the difference is in points. Of other metrics it is in per cent of the mean level of the two; gains "
    "by more rows are in per cent of both families' level at all rows.",
    "Answers are timed with the model as it is packed, which asks the models of every fold. Importances, robustness "
    "and the small tree are measured on the first fold alone, so scores there may differ from the table's.",
    "A forecast begins between what was measured here and what other data sets would have of its numbers. So the "
    "probabilities at your rows and at twice as many come from different sources.",
)


def audit(record: Record) -> Section:
    """How the data was read, what was found in it, and what was left out."""
    blocks: list[Block] = []
    understood = texts(record.result, "understood")
    if understood:
        blocks.append(Portion("How it was understood", (Bullets(tuple(understood)),)))
    left_out = tuple(
        (Name(text(one, "name")), text(one, "sentence") or text(one, "reason"), Code(text(one, "overrule")))
        for one in records(record.result, "left_out")
    )
    if left_out:
        table = Table("Columns not learned from", ("column", "why", "to overrule"), left_out, stacked=True)
        blocks.append(
            Portion("Columns left out", (_folded(f"{len(left_out):,} columns", table, len(left_out)),))
        )
    findings = tuple(
        (
            text(one, "code"),
            SEVERITIES.get(text(one, "severity"), text(one, "severity")),
            text(one, "sentence"),
        )
        for one in records(record.result, "findings")
    )
    if findings:
        table = Table("What the audit found", ("finding", "weight", "what it says"), findings, stacked=True)
        blocks.append(Portion("Findings", (_folded(f"{len(findings):,} findings", table, len(findings)),)))
    if not blocks:
        blocks.append(Paragraph("The audit left no record.", "missing"))
    return Section("audit", "The data, as audited", tuple(blocks))


def _folded(summary: str, table: Table, lines: int) -> Block:
    return Folded(summary, (table,)) if lines > FEW else table


def trials(record: Record) -> Section:
    """Every trial, failures included; recipes where single trials were not kept."""
    blocks: list[Block] = []
    found = records(record.result, "trials")
    attempts = records(record.result, "leaderboard")
    failed = [one for one in found if text(one, "status") not in ("done", "")]
    if found:
        ended = f"{len(failed):,}" if failed else "none"
        blocks.append(Paragraph(f"{counted(len(found), 'trial')}, {ended} of them failed."))
        if failed:
            blocks.append(_trial_table(f"{counted(len(failed), 'trial')} that failed", failed))
        blocks.append(_trial_table(f"Every trial ({len(found):,})", found))
    elif attempts:
        rows = tuple(_attempt(one) for one in attempts[:MOST_TRIALS])
        head = (
            "family",
            "learner",
            "folds",
            "failed",
            "validation loss",
            "processor time",
            "reason of failure",
        )
        table = Table("Every recipe tried", head, rows, frozenset({2, 3, 4, 5}))
        blocks.append(Folded(f"Every recipe ({len(attempts):,})", (table,), is_long=True))
    else:
        blocks.append(Paragraph("The trials were not recorded.", "missing"))
    untried = tuple(
        (Name(text(one, "learner")), text(one, "why")) for one in records(record.result, "not_tried")
    )
    if untried:
        blocks.append(Table("Not tried", ("learner", "why"), untried))
    return Section("trials", "Everything that was tried", tuple(blocks))


def _trial_table(summary: str, found: list[Mapping[str, Any]]) -> Folded:
    rows = tuple(_trial(one) for one in found[:MOST_TRIALS])
    head = (
        "family",
        "learner",
        "fold",
        "stage",
        "how it ended",
        "validation loss",
        "processor time",
        "settings",
    )
    blocks: list[Block] = [Table(summary, head, rows, frozenset({5, 6}))]
    if len(found) > MOST_TRIALS:
        blocks.append(
            Paragraph(f"The first {MOST_TRIALS:,} of {len(found):,}; all are in result.json.", "note")
        )
    return Folded(summary, tuple(blocks), is_long=True)


def _trial(one: Mapping[str, Any]) -> tuple[Words, ...]:
    status, reason = text(one, "status"), text(one, "reason")
    loss, spent = number(one, "valid_loss"), number(one, "cpu_seconds")
    return (
        TITLES.get(text(one, "family"), text(one, "family")),
        Name(text(one, "title")),
        text(one, "fold"),
        text(one, "stage"),
        f"{status}: {reason}" if reason else status,
        amounts.level(loss) if loss is not None else "–",
        amounts.seconds(spent) if spent is not None else "–",
        _settings(one.get("settings")),
    )


def _settings(found: Any) -> str:
    if isinstance(found, Mapping):
        return ", ".join(f"{name}={_setting(value)}" for name, value in found.items())
    return text(found)


def _setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else text(value) or str(value)


def _attempt(one: Mapping[str, Any]) -> tuple[Words, ...]:
    loss, spent = number(one, "valid_loss"), number(one, "cpu_seconds")
    return (
        TITLES.get(text(one, "family"), text(one, "family")),
        Name(text(one, "title") or text(one, "learner")),
        text(one, "folds"),
        text(one, "failed"),
        amounts.level(loss) if loss is not None else "–",
        amounts.seconds(spent) if spent is not None else "–",
        text(one, "reason") or "–",
    )


def method(record: Record) -> Section:
    """Folds, metric, margin, promises, versions and machine."""
    result, measure = record.result, record.measure
    pairs: list[tuple[Words, tuple[Words, ...]]] = []
    split = text(result, "splits", "sentence")
    if split:
        how = text(result, "splits", "how")
        pairs.append(("Judged", (f"{opened(split)}{f' ({how} folds)' if how else ''}.",)))
    if measure.name:
        direction = "higher" if measure.higher_is_better else "lower"
        pairs.append(("Metric", (f"{measure.title}, {direction} is better",)))
    if measure.margin is not None:
        shown = amounts.amount(measure.margin, measure.gap_unit)
        pairs.append(("Margin", (f"{shown}: the smallest difference that matters",)))
    pairs += _asked(result)
    blocks: list[Block] = [Terms(tuple(pairs), "facts")] if pairs else []
    blocks.append(Portion("What makes the comparison fair", (Bullets(FAIRNESS),)))
    blocks.append(Portion("What the figures mean", (Bullets(DEFINITIONS),)))
    folds = _folds(result)
    if folds:
        blocks.append(Folded("Folds", (folds,)))
    optimism = _optimism(result)
    if optimism:
        blocks.append(Folded("Where learners are judged and where they are chosen", (optimism,)))
    blocks.append(Portion("How to repeat it", tuple(_repeat(record))))
    return Section("method", "How it was measured", tuple(blocks))


def _asked(result: Mapping[str, Any]) -> Iterator[tuple[Words, tuple[Words, ...]]]:
    budget, workers, seed = (number(result, key) for key in ("budget_seconds", "workers", "seed"))
    if budget is not None:
        at_once = f", {counted(int(workers), 'trial')} at a time" if workers else ""
        yield "Budget", (f"{amounts.span(budget)}{at_once}",)
    spent, share = number(result, "cost", "cpu_seconds"), number(result, "cost", "share_in_learners")
    if spent is not None:
        in_learners = (
            f", {amounts.share(share)} of it in the learners themselves" if share is not None else ""
        )
        yield "Spent", (f"{amounts.seconds(spent)} of processor time in all{in_learners}",)
    if seed is not None:
        yield "Seed", (f"{seed:.0f}",)
    machine = mapping(result, "machine")
    described = [text(machine, key) for key in ("processor", "architecture", "system")]
    cores, memory = number(machine, "cores"), number(machine, "memory_bytes")
    if cores:
        described.append(counted(int(cores), "core"))
    if memory:
        described.append(f"{amounts.bytes_of(memory)} of memory")
    if any(described):
        yield "Machine", (", ".join(filter(None, described)),)
    versions = mapping(result, "versions")
    if versions:
        yield "Versions", (", ".join(f"{name} {text(version)}" for name, version in versions.items()),)


def _optimism(result: Mapping[str, Any]) -> Table | None:
    """Whether learners look alike where they are chosen and where they are judged."""
    rows: list[tuple[Words, ...]] = []
    for key in mapping(result, "optimism"):
        one = mapping(result, "optimism", key)
        trials, ratio = number(one, "trials"), number(one, "ratio")
        if trials is not None and ratio is not None:
            family = text(one, "family")
            rows.append(
                (Name(text(one, "title")), TITLES.get(family, family), amounts.count(trials), f"{ratio:.2f}")
            )
    if not rows:
        return None
    head = ("learner", "family", "trials on all rows", "loss on test rows / on validation rows")
    return Table(
        "Losses where learners are judged and where they are chosen", head, tuple(rows), frozenset({2, 3})
    )


def _folds(result: Mapping[str, Any]) -> Table | None:
    rows: list[tuple[Words, ...]] = []
    for name, folds in mapping(result, "folds").items():
        for fold in records(folds):
            size, loss = number(fold, "rows"), number(fold, "loss")
            members = ", ".join(
                f"{key} × {weight:.2f}"
                for key in mapping(fold, "members")
                if (weight := number(fold, "members", key)) is not None
            )
            rows.append(
                (
                    TITLES.get(name, name),
                    text(fold, "fold"),
                    amounts.count(size) if size is not None else "–",
                    amounts.level(loss) if loss is not None else "–",
                    members or "–",
                )
            )
    if not rows:
        return None
    head = ("", "fold", "test rows", "mean loss", "members and weights")
    return Table("Mean loss on each fold's test rows", head, tuple(rows), frozenset({2, 3}))


def _repeat(record: Record) -> Iterator[Block]:
    origin, target = text(record.result, "data", "origin"), record.target
    budget, seed = number(record.result, "budget_seconds"), number(record.result, "seed")
    if origin and target:
        words = ["fathom", "compare", origin, "--target", target]
        words += ["--budget", f"{budget:g}s"] if budget else []
        words += ["--seed", f"{seed:.0f}"] if seed is not None else []
        for choice in texts(record.result, "effort", "by_hand"):
            option, _, value = choice.partition(" ")
            words += [option, value] if value else [option]
        yield Paragraph("The same question again, on the same file:")
        yield Commands((shlex.join(words),))
    yield Paragraph("Exactly the same trials again, from the folder of the run:")
    yield Commands(("fathom compare --replay RUN --out FOLDER",))
    if not items(record.result, "trials"):
        return
    yield Paragraph("With the same seed and the same trials the table comes out the same.", "note")
