"""What the user asks, beside the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fathometer.errors import UnknownName, UserError
from fathometer.learner import LEARNERS

SIDES = {".ml.", ".dl."}
APART = ".pretrained."


@dataclass(frozen=True)
class Request:
    """What the user asks, beside the data.

    kinds: column -> kind. drop, keep: columns left out, or kept against the audit. group: rows with the same value in
    this column stay together. time: a column by which rows are ordered, or "none". task, metric, margin: found out
    unless given. learners: only these; empty: all. recipes: at most so many of each family, and no search.
    sensitive: a column by whose groups both families are compared; favourable: the answer people hope for, by which
    they are (the rarer of two classes unless given).
    pretrained: names of encoders for words and pictures; "none": none; empty: what is installed. unlabelled: a folder
    or table of further words or pictures without answers, from which an encoder is trained first.
    """

    target: str
    kinds: Mapping[str, str]
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    task: str | None = None
    metric: str | None = None
    margin: float | None = None
    learners: tuple[str, ...] = ()
    seed: int = 0
    recipes: int | None = None
    sensitive: str | None = None
    favourable: str | None = None
    pretrained: tuple[str, ...] = ()
    unlabelled: str | None = None

    def check(self) -> None:
        """Refuse what cannot be meant, before any data is read.

        Raises:
            UserError: the sentence says what to put right.
        """
        if self.target in self.drop:
            raise UserError(
                f"{self.target!r} is the column to predict, so it cannot be left out. Take it off --drop."
            )
        if self.target == self.sensitive:
            raise UserError(
                f"{self.target!r} is the column to predict, so answers cannot be compared by it. Name another with "
                "--sensitive."
            )
        if self.favourable is not None and self.sensitive is None:
            raise UserError(
                "A favourable answer is compared between groups. Name their column with --sensitive too."
            )
        if "none" in self.pretrained and len(self.pretrained) > 1:
            raise UserError(
                "--pretrained none means that no encoder is used, so no other can be named beside it."
            )
        if self.seed < 0:
            raise UserError(f"A seed is a whole number, 0 or larger; got {self.seed}.")
        known = LEARNERS.names()
        for name in self.learners:
            if name not in known:
                raise UnknownName("learner", name, known)
        places = [LEARNERS.place(name) for name in self.learners]
        sides = {side for side in SIDES for place in places if side in place}
        # a learner from outside says its family only when it is loaded, which the main program does not do
        ours = all(any(side in place for side in (*SIDES, APART)) for place in places)
        if places and sides != SIDES and ours:
            raise UserError(
                f"A comparison needs at least one classical and one deep learner; got only {', '.join(self.learners)}. "
                "Name one of the other family too, such as linear or mlp."
            )
