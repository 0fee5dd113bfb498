"""The part of the model card that says where a model ends: what was measured of it beside its score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fathometer.bundle.card_words import amount, interval, metric_told, name_of, score_told, sentence, table

CLASSES_SHOWN = 20
COLUMNS_SHOWN = 10
WEAK_SHOWN = 3
GROUPS_SHOWN = 12
CONFUSED_MOST = 12
THOUSAND_COLD = 3  # one row that takes more than this part of a thousand's time was asked of a cold process
WARM_LEAST = 10  # answers to one row whose median is believed all the same


def measured_limits(default: str, result: Mapping[str, Any]) -> Iterator[str]:
    """What was measured of the competitor that answers by default, each part where it was."""
    measures = (result.get("measures") or {}).get(default) or {}
    metric = metric_told(result["metric"])
    yield from ("## Limits, as measured", "")
    bullets = [
        *_overfit(measures.get("train_gap"), metric),
        *_calibration((result.get("calibration") or {}).get(default)),
        *_robustness(measures.get("robustness") or (), metric),
        *_weaknesses(measures.get("weaknesses") or (), metric),
        *_latency(measures.get("latency"), result.get("machine") or {}),
    ]
    yield from bullets or ["Nothing beside the score was measured."]
    yield ""
    yield from _mistakes(((result.get("mistakes") or {}).get("competitors") or {}).get(default))
    yield from _importances(measures.get("importance") or (), metric)
    yield from _groups(result.get("fairness"), default, metric)
    yield from _warnings(result)


def _overfit(found: Mapping[str, Any] | None, metric: Mapping[str, Any]) -> Iterator[str]:
    if found:
        scores = [
            score_told({"score": found[name]}, metric["unit"]) for name in ("train_score", "test_score")
        ]
        yield (
            f"- By {metric['title']}, the models of one fold alone reach {scores[0]} on rows they learned from and "
            f"{scores[1]} on that fold's rows held out. The score above is that of all folds."
        )


def _calibration(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found and isinstance(found.get("ece"), int | float):
        off = 100 * found["ece"]
        yield (
            f"- Its probabilities are off by {amount(round(off, 2))} points in the mean (expected calibration error; "
            f"Brier score {amount(found.get('brier'))})."
        )


def _robustness(found: Any, metric: Mapping[str, Any]) -> Iterator[str]:
    for one in found:
        loss = one.get("loss_of_score")
        if isinstance(loss, int | float):
            ends, sides = "", [one.get("low"), one.get("high")]
            if loss < 0:
                sides = [None if side is None else -side for side in reversed(sides)]
            if None not in sides:
                ends = f" {interval(round(sides[0], 2), round(sides[1], 2), '')}"
            what = sentence(f"{str(one['what'])[:1].upper()}{str(one['what'])[1:]}")
            size = f"{amount(round(abs(loss), 2))} {metric['gap_unit']}"
            yield f"- {what}: {f'does {size} better there' if loss < 0 else f'loses {size}'}{ends}."


def _weaknesses(found: Any, metric: Mapping[str, Any]) -> Iterator[str]:
    worse = [one for one in found if isinstance(one.get("low"), int | float) and one["low"] > 0]
    for one in sorted(worse, key=lambda one: -one["gap"])[:WEAK_SHOWN]:
        ends = f"{amount(one['from'])} and {amount(one['to'])}"
        yield (
            f"- Worse where the {sentence(one['fact'])} of {name_of(one['column'])} lies between {ends}: by "
            f"{amount(round(one['gap'], 1))} {metric['gap_unit']} ({amount(one['rows'])} rows)."
        )


def _latency(found: Mapping[str, Any] | None, machine: Mapping[str, Any]) -> Iterator[str]:
    """By the clock, for the whole packed model. Nothing where one row took as long as hundreds: a cold start."""
    if not found:
        return
    one, many = (found.get(name) for name in ("one_row_ms", "thousand_rows_ms"))
    if one and many and one[0] > many[0] / THOUSAND_COLD and (found.get("answers") or 0) < WARM_LEAST:
        return
    told = [f"{amount(round(one[0], 2))} ms for one row asked alone"] if one else []
    told += [f"{amount(round(many[0], 1))} ms for a thousand rows asked at once"] if many else []
    if told:
        yield (
            f"- By the clock, once it is loaded, an answer takes {' and '.join(told)} (medians; on one thread of "
            f"{name_of(machine.get('processor') or 'a processor that is not known')})."
        )


def _mistakes(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Of each class how many were found, and how many of the answers were right; of numbers the share explained."""
    if not found:
        return
    if found.get("counts"):
        yield from ("Rows that were held out, by label:", "")
        counts, labels = found["counts"], found["labels"]
        rows = []
        for place, label in enumerate(labels[:CLASSES_SHOWN]):
            truly, said = sum(counts[place]), sum(row[place] for row in counts)
            hit = counts[place][place]
            rows.append((name_of(label), amount(truly), _share(hit, truly), _share(hit, said)))
        yield from (*table(("label", "rows", "of these found", "of such answers right"), rows), "")
    elif isinstance(found.get("r2"), int | float):
        yield from (f"It explains {100 * found['r2']:.0f} % of the variance of rows that were held out.", "")


def _importances(found: Any, metric: Mapping[str, Any]) -> Iterator[str]:
    told = [one for one in found if isinstance(one.get("low"), int | float) and one["low"] > 0]
    if told:
        yield from ("What it loses when a column is shuffled, largest first:", "")
        rows = [
            (name_of(one["column"]), f"{amount(round(one['gap'], 1))} {metric['gap_unit']}",
             f"[{amount(round(one['low'], 1))}, {amount(round(one['high'], 1))}]")
            for one in told[:COLUMNS_SHOWN]
        ]  # fmt: skip
        yield from (*table(("column", "loss", "95 % interval"), rows), "")


def _groups(found: Mapping[str, Any] | None, default: str, metric: Mapping[str, Any]) -> Iterator[str]:
    compared = ((found or {}).get("competitors") or {}).get(default)
    if not found or not compared:
        return
    favourable = f"; the favourable answer is {name_of(found['positive'])}" if found.get("positive") else ""
    yield from (f"Groups by {name_of(found['column'])}{favourable}:", "")
    kinds = [
        (name, title)
        for name, title in (
            ("selection_rate", "given it"),
            ("tpr", "of those truly so"),
            ("fpr", "of those not so"),
            ("mean_error", "mean error"),
            ("score", metric["title"]),
        )
        if any(group.get(name) for group in compared["groups"])
    ]
    rows = [
        (
            name_of(group["group"]),
            f"{group['rows']:,}",
            *(_estimate(group.get(name), name, metric) for name, _ in kinds),
        )
        for group in compared["groups"][:GROUPS_SHOWN]
    ]
    yield from (*table(("group", "rows", *(title for _, title in kinds)), rows), "")
    if found.get("too_small"):
        yield from (f"Too few rows to say anything of {len(found['too_small'])} more.", "")


def _estimate(found: Sequence[float] | None, name: str, metric: Mapping[str, Any]) -> str:
    """A value with the ends of its interval."""
    if not found:
        return "too few rows"
    share = 100.0 if name in ("selection_rate", "tpr", "fpr") else 1.0
    unit = "%" if share > 1 else metric["unit"] if name == "score" else ""
    value, low, high = (share * part for part in found)
    return score_told({"score": value, "low": low, "high": high}, unit)


def _warnings(result: Mapping[str, Any]) -> Iterator[str]:
    """What warns against the answer, and what the audit of the data found that matters."""
    told = [
        f"{one['title']}. {one['sentence']}"
        for one in result.get("reasons") or ()
        if one["strength"] == "warns"
    ]
    told += [
        one["sentence"]
        for one in result.get("findings") or ()
        if one["severity"] != "info" or one["code"] == "sensitive"
    ]
    if told:
        yield from ("To be kept in mind:", "", *(f"- {sentence(one)}" for one in told), "")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"
