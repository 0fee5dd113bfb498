"""Coded reasons: why the verdict is what it is, what supports it and what warns against it.

Every class in this folder's modules that keeps the promise of `Reason` is one; each has a page in docs/reasons and a
test, both named by its code.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons.reason import STRENGTHS, Found, Reason


def _all() -> tuple[Reason, ...]:
    """One of every kind, by code."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    classes = {
        member
        for module in modules
        for member in vars(module).values()
        if inspect.isclass(member) and issubclass(member, Reason) and not inspect.isabstract(member)
    }
    return tuple(sorted((kind() for kind in classes), key=lambda reason: reason.code))


REASONS = _all()


def find_reasons(evidence: Evidence) -> tuple[Found, ...]:
    """The reasons that apply to this run: what decides first, then what supports and what warns, each by code."""
    said = ((reason, reason.find(evidence)) for reason in REASONS)
    found = [Found.of(reason, sentence) for reason, sentence in said if sentence is not None]
    return tuple(sorted(found, key=lambda one: (STRENGTHS.index(one.strength), one.code)))


__all__ = ["REASONS", "Found", "Reason", "find_reasons"]
