"""One budget, shared fairly between the families.

All families get the same processor seconds, whatever they do with them; failures count. What a family leaves
unspent is reported, and never given to another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from fathometer.data.sentences import short
from fathometer.errors import UserError

FAMILIES = ("classical", "deep")  # the two that are compared
PRETRAINED = "pretrained"  # the third, where a run has it: timed and shown apart
FAMILY_SHARE = 0.4  # of the budget's processor seconds, for each of two families; three share the same
TRAINING_ENDS = (
    0.86  # of the budget's wall seconds; the rest is for ensembles, verdict, model, and what it is like
)
KILL_AT = 0.91  # of the budget's wall seconds: whatever still runs is ended
PROBE_SHARE = 0.05  # of the wall seconds, for each competitor's fitted models to be measured
REFIT_SHARE = 0.12  # of the wall seconds, where one model is to be trained again on all rows
RACE_SHARE = 0.85  # of a fold's part of a family's share may go into the race; the rest is for search
OPENING = 0.4  # of that, at most, for the strongest preset on all rows before all others,
OPENING_RAW = 0.7  # and for a network that reads words or pictures itself
SEARCH_SHARE = 0.3  # of it at most may go into searched settings before repeats
CURVE_SHARE = 0.2  # of a fold's part is kept for fewer rows, where the race had no time for them
ABLATION_SHARE = 0.04  # of a family's share is kept for the same recipe without engineered features

UNITS = {"": 1, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60}
UNITS |= {"h": 3600, "hour": 3600, "hours": 3600}
PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)")


@dataclass(frozen=True)
class Budget:
    """Wall seconds for the whole run, on so many workers."""

    seconds: float
    workers: int
    refits: bool = False  # whether one model is trained again at the end
    families: int = len(FAMILIES)  # that share it

    @property
    def family_seconds(self) -> float:
        """Processor seconds of each family."""
        return share_of_each(FAMILY_SHARE, self.families) * self.seconds * self.workers

    @property
    def training_ends(self) -> float:
        """Wall second after which no trial should still be fitting."""
        return (TRAINING_ENDS - self._refit_share) * self.seconds

    @property
    def kill_at(self) -> float:
        """Wall second at which trials still running are ended."""
        return (KILL_AT - self._refit_share) * self.seconds

    @property
    def _refit_share(self) -> float:
        return REFIT_SHARE if self.refits else 0.0


def share_of_each(share: float, families: int) -> float:
    """What each of so many families has of the budget, where each of two would have `share`."""
    return share * len(FAMILIES) / families


def parse_seconds(text: str | float) -> float:
    """Seconds of "90", "90s", "5m", "1.5h", "1h30m".

    Raises:
        UserError: not a length of time, or under ten seconds.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        seconds = float(text)
    else:
        words = str(text).strip().lower()
        parts = PARTS.findall(words)
        units = [UNITS.get(unit) for _, unit in parts]
        # "1h30" may be meant as minutes, and "30m1h" is no way to say a time
        is_falling = all(unit is not None and unit < before for before, unit in pairwise(units) if before)
        has_units = len(parts) == 1 or all(unit for _, unit in parts)
        if not parts or PARTS.sub("", words).strip() or None in units or not (is_falling and has_units):
            raise UserError(f"A budget is a length of time such as 90s, 5m or 1h30m; got {short(str(text))}.")
        seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if not 10 <= seconds <= 7 * 24 * 3600:
        raise UserError(f"A budget is between 10 seconds and 7 days; got {short(str(text))}.")
    return seconds
