"""What a reason must do.

Laws, checked for every reason by tests/verdict/test_reasons.py:
- its code is its own, and has a page in docs/reasons with the same title, and a test of that name;
- it is said in one or a few plain sentences with this run's numbers, or it is None;
- whatever part of the evidence is empty, None, NaN or infinite, it raises nothing and writes no such value;
- names from the data come through as plain, quoted text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from fathometer.verdict.evidence import Evidence

Strength = Literal["decides", "supports", "warns"]
STRENGTHS: tuple[Strength, ...] = ("decides", "supports", "warns")


class Reason(ABC):
    """One thing that may be said of a verdict.

    code: V and three digits; the first stands for the theme. title: one line, the same for every run. strength: whether
    it makes the verdict what it is, speaks for it, or says why to be careful with it.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    strength: ClassVar[Strength]

    @abstractmethod
    def find(self, evidence: Evidence) -> str | None:
        """The reason with this run's own numbers, or None where it does not apply."""


@dataclass(frozen=True)
class Found:
    """A reason that applies. page: where it is explained, from the repository's root."""

    code: str
    title: str
    sentence: str
    strength: Strength
    page: str

    @classmethod
    def of(cls, reason: Reason, sentence: str) -> Found:
        """This reason, said so."""
        return cls(reason.code, reason.title, sentence, reason.strength, f"docs/reasons/{reason.code}.md")
