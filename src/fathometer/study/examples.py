"""Rows shown as examples of right and wrong answers, each with what the answer rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.pictures import Picture, PictureArray
from fathometer.data.rows import Rows
from fathometer.data.storage import read_names
from fathometer.learner import Model
from fathometer.study.bench import Bench, Floats, NotMeasuredError, guarded
from fathometer.study.disturb import by_relevance
from fathometer.study.occlusion import (
    EXCERPT,
    Weights,
    excerpt,
    grid_of,
    pieces_of,
    shown_picture,
    weigh_chances,
    weigh_numbers,
    without_patches,
    without_pieces,
)
from fathometer.study.thumbnails import as_png, filter_pictures, gradient_drawing, thumbnails

SHOWN = 2  # columns of words or pictures, at most
CELLS = 6  # other cells told of a row
CELL_LENGTH = 40  # characters
TIME_SHARE = 0.35  # of the seconds left when examples are begun may go into what answers rest on
LEAST_CHANGE = 1e-3  # of the spread of the answers, where they are numbers: below it nothing rests on a part
DRAWN_SIDE = 96  # of the picture whose gradients are drawn


@dataclass
class _Example:
    """A row while its parts are weighed. whole: probability of the answer, or the answer; code: its place."""

    row: Rows
    code: int
    whole: float
    told: dict[str, Any]
    is_drawn: bool = True


def make_examples(bench: Bench, picks: Sequence[Mapping[str, Any]], competitor: str) -> dict[str, Any]:
    """The chosen rows with truth, answer, probability, what is seen of them and what the answer rests on.

    The answers are those of the record, so that only what they rest on depends on the time there is.

    Args:
        picks: `Pick.to_json`.

    Returns:
        "columns" shown, "rows", "filters" and "gradients"; empty where no column holds words or pictures.
    """
    ranked = by_relevance_of_some(bench.rows, bench.test)
    columns = [name for name in ranked if _can_be_shown(bench.rows, name)][:SHOWN]
    if not columns or not picks:
        return {}
    found = _told(bench, picks)
    others = [name for name in ranked if name not in columns][:CELLS]
    names = read_names(bench.folder)
    for one in found:
        place = int(one.told["row"])
        one.told["name"] = f"row {place + 1:,}" if names is None else names[place]
        one.told["cells"] = {name: _cell(one.row, name) for name in others}
    weighed = _weigh_all(bench, found, columns, _least_change(found))
    if weighed < len(found) * len(columns):
        bench.skipped["what examples rest on"] = (
            f"out of time: measured on {weighed:,} of {len(found) * len(columns):,}"
        )
    _add_thumbnails(found, bench.room)
    made: dict[str, Any] = {"columns": columns, "rows": [one.told for one in found]}
    if any(isinstance(bench.rows.column(name).array, PictureArray) for name in columns):
        made |= _beside_pictures(bench, found, competitor)
    return made


def by_relevance_of_some(rows: Rows, places: npt.NDArray[np.intp]) -> list[str]:
    """All columns, words and pictures first and then those that go along with the target most."""
    some = rows.take(places)
    return by_relevance(some, some.answers.astype(np.float64))


def _can_be_shown(rows: Rows, name: str) -> bool:
    return rows.kinds[name] == "text" or isinstance(rows.column(name).array, PictureArray)


def _told(bench: Bench, picks: Sequence[Mapping[str, Any]]) -> list[_Example]:
    """What the record says of every row, each once whatever it was chosen for."""
    labels = getattr(bench.task, "labels", ())
    found: dict[int, _Example] = {}
    for pick in picks:
        place = int(pick["row"])
        if place not in found:
            row = bench.rows.take(np.array([place], dtype=np.intp))
            told: dict[str, Any] = {"row": place, "chosen": []}
            if labels:
                code, truth = int(pick["answer"]), int(row.answers[0])
                told |= {"truth": labels[truth], "answer": labels[code], "right": truth == code}
                told["probability"] = round(float(pick["sure"]), 4)
                found[place] = _Example(row, code, float(pick["sure"]), told | {"shown": []})
            else:
                told |= {"truth": float(row.answers[0]), "answer": float(pick["answer"]), "right": None}
                told["probability"] = None
                found[place] = _Example(row, 0, float(pick["answer"]), told | {"shown": []})
            found[place].is_drawn = bool(pick["is_drawn"])
        found[place].told["chosen"].append({"why": str(pick["why"]), "against": str(pick["against"])})
    return list(found.values())


def _least_change(found: list[_Example]) -> float:
    """Change of a number below which nothing rests on a part."""
    return LEAST_CHANGE * float(np.std([one.whole for one in found]))


def _weigh_all(bench: Bench, found: list[_Example], columns: list[str], least: float) -> int:
    """Add to every example what is seen of it; returns of how many it is told what the answer rests on."""
    stop = bench.clock.left() * (1 - TIME_SHARE)
    weighed, is_over = 0, False
    for column in columns:
        for one in found:
            is_over = is_over or bench.clock.left() <= stop
            is_picture = isinstance(one.row.column(column).array, PictureArray)
            see = partial(_picture if is_picture else _text, bench, one, column, least)
            shown, reason = guarded(partial(see, not is_over))
            if reason:
                is_over = is_over or reason.startswith("out of time")
                shown, _ = guarded(partial(see, False))
            weighed += bool(shown and shown["largest"] is not None)
            one.told["shown"].append(shown or {"column": column, "is": "missing", "largest": None})
    return weighed


def _text(bench: Bench, one: _Example, column: str, least: float, is_weighed: bool) -> dict[str, Any]:
    text = one.row.column(column).iloc[0]
    pieces = pieces_of(text) if isinstance(text, str) else []
    if not pieces:
        return {"column": column, "is": "missing", "largest": 0.0}
    weights = None
    if is_weighed:
        weights = _weights(bench, one, without_pieces(one.row, column, pieces), least)
    scaled = np.zeros(len(pieces)) if weights is None else weights.scaled
    start, end = excerpt(pieces, scaled)
    parts = [[piece[:EXCERPT], float(weight)] for piece, weight in zip(pieces, scaled, strict=True)]
    is_cut = [start > 0, end < len(pieces) or any(len(piece) > EXCERPT for piece in pieces[start:end])]
    return {
        "column": column,
        "is": "text",
        "parts": parts[start:end],
        "cut": is_cut,
        "largest": None if weights is None else _short(weights.largest),
    }


def _picture(bench: Bench, one: _Example, column: str, least: float, is_weighed: bool) -> dict[str, Any]:
    picture = shown_picture(one.row, column)
    if picture is None:
        return {"column": column, "is": "missing", "largest": 0.0}
    weights, grid = None, grid_of(one.row.column(column).array)
    if is_weighed:
        weights = _weights(bench, one, without_patches(one.row, column), least)
    height, width, _ = picture.pixels.shape
    return {
        "column": column,
        "is": "picture",
        "png": picture,  # made small below, when it is known how many there are
        "size": [height, width],
        "weights": None if weights is None else weights.scaled.reshape(grid).tolist(),
        "largest": None if weights is None else _short(weights.largest),
    }


def _weights(bench: Bench, one: _Example, changed: Rows, least: float) -> Weights:
    """From answers to the row as it is (the first) and changed, asked together: what the record holds is rounded."""
    answers: Floats = bench.ask(changed)
    if answers.ndim > 1:
        return weigh_chances(float(answers[0, one.code]), answers[1:, one.code])
    return weigh_numbers(float(answers[0]), answers[1:], least)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _add_thumbnails(found: list[_Example], room: int) -> None:
    """Put a PNG in base64 in the place of every picture; "" where a competitor before has it."""
    shown = [(one, part) for one in found for part in one.told["shown"] if part["is"] == "picture"]
    kept = [part for one, part in shown if one.is_drawn]
    small = thumbnails([part["png"].pixels for part in kept], room)
    for part, png in zip(kept, small, strict=True):
        part["png"] = png
    for one, part in shown:
        part["png"] = part["png"] if one.is_drawn else ""


def _beside_pictures(bench: Bench, found: list[_Example], competitor: str) -> dict[str, Any]:
    """What the two families begin with: filters that a network has learned, directions of edges for the others."""
    if competitor == "deep":
        filters, reason = guarded(partial(_filters, bench.members))
        if reason:
            bench.skipped["filters"] = reason
        return {"filters": filters or []}
    if competitor == "classical":
        pixels = next(_pictures(found), None)
        if pixels is not None:
            drawn = {"png": as_png(pixels, DRAWN_SIDE, 64), "size": list(pixels.shape[:2])}
            return {"gradients": drawn | {"cells": gradient_drawing(pixels)}}
    return {}


def _pictures(found: list[_Example]) -> Iterator[Any]:
    for one in found:
        for name in one.row.kinds:
            if isinstance(one.row.column(name).array, PictureArray):
                picture = shown_picture(one.row, name)
                if isinstance(picture, Picture):
                    yield picture.pixels


def _filters(members: Sequence[tuple[Model, float]]) -> list[str]:
    """The first layer of the network that counts most among those that look at pictures."""
    # loaded here because it brings torch, and the main program, which imports the probe to order it, stays light
    from fathometer.learners._raw import RawModel
    from fathometer.learners._raw_transfer import first_filters

    for model, _ in sorted(members, key=lambda member: -member[1]):
        if isinstance(model, RawModel):
            try:
                return filter_pictures(np.asarray(first_filters(model), dtype=np.float64))
            except ValueError:
                continue  # it reads words alone
    raise NotMeasuredError("none of its networks looks at pictures through filters")


def _cell(row: Rows, name: str) -> str:
    """One cell for people, in short."""
    value = row.column(name).iloc[0]
    if row.column(name).isna().iloc[0]:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= CELL_LENGTH else f"{text[: CELL_LENGTH - 1]}…"
