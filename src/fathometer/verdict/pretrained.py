"""The pre-trained model beside the two families: compared with the better of them, and never part of their comparison.

Where both together are the answer between the two, the pre-trained is compared with these: what is to be used must
beat what would be used without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fathometer.study.budget import PRETRAINED
from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Standing, encoders_of, known_encoders
from fathometer.verdict.catching_up import CatchUp
from fathometer.verdict.compare import Contrast, contrast
from fathometer.verdict.wording import pretrained_aside, pretrained_pays


@dataclass(frozen=True)
class PretrainedView:
    """What the pre-trained model is worth.

    against: "classical", "deep" or "together". contrast: `gap` above 0 where the pre-trained is better; p_better,
    p_same, p_worse: that it is better by more than the margin, within it, worse by more. between: the answer between
    the two families alone. encoders: those that its models need, as the run's record describes them, and whether
    each was trained in the run (`trained_here`). outlook: of its
    lead with more rows, where that was measured; more_rows: the same in words.
    """

    against: str
    contrast: Contrast
    p_better: float
    p_same: float
    p_worse: float
    between: str
    encoders: tuple[Mapping[str, Any], ...]
    sentence: str
    outlook: CatchUp | None = None
    more_rows: str = ""


def pretrained_view(
    outcome: Outcome,
    table: Mapping[str, Standing],
    better: str,
    between: str,
    *,
    sure: float,
    likely: float,
    may_pay: bool,
) -> PretrainedView:
    """The pre-trained against the better of the two, in an outcome that has one.

    Args:
        better: of the two, by score. between: the answer between the two alone. sure, likely: probabilities from which
            something is said plainly, and from which it is said to be probable. may_pay: whether it may be the answer.
    """
    against = "together" if between == "together" else better
    found = contrast(outcome, against, PRETRAINED)
    trials = {trial.key: trial for trial in outcome.trials}
    members = [
        trials[key] for fold in outcome.results[PRETRAINED] for key, _ in fold.members if key in trials
    ]
    encoders = encoders_of(outcome, members) or known_encoders(outcome.run)
    names, own = [str(one["name"]) for one in encoders], table[PRETRAINED]
    if may_pay and found.belief.above >= sure:
        sentence = pretrained_pays(outcome, found, own, names)
    else:
        sentence = pretrained_aside(outcome, found, own, names, sure, likely)
    return PretrainedView(
        against=against,
        contrast=found,
        p_better=found.belief.above,
        p_same=found.belief.within,
        p_worse=found.belief.below,
        between=between,
        encoders=tuple(encoders),
        sentence=sentence,
    )
