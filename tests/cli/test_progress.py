"""A pre-trained model has a line of progress and a column on the terminal, where there is one."""

from __future__ import annotations

import pytest
from rich.console import Console

from fathometer.api import Progress
from fathometer.cli.progress import _progress_view, _say_pretrained
from fathometer.study.run import FamilyProgress
from fathometer.verdict.compare import Contrast
from fathometer.verdict.posterior import Belief, Spread
from fathometer.verdict.pretrained import PretrainedView


def progress(*families: str) -> str:
    one = FamilyProgress(3, 1, 2.0, 24.0, "a learner", 0.25)
    console = Console(width=120)
    with console.capture() as captured:
        console.print(_progress_view(Progress(5.0, 60.0, dict.fromkeys(families, one), (), None), 5.0))
    return captured.get()


def test_every_family_has_a_line_of_progress() -> None:
    assert "pre-trained" in progress("classical", "deep", "pretrained")
    assert "pre-trained" not in progress("classical", "deep")


@pytest.mark.parametrize("licence", ["Apache-2.0", ""])
def test_its_chances_licence_and_size_are_told(licence: str, capsys: pytest.CaptureFixture[str]) -> None:
    belief = Belief(0.9, 0.08, 0.02, 0.95)
    gap = Contrast("deep", "pretrained", 2.0, 1.0, 3.0, "points", 0.5, belief, Spread(2.0, 0.5, 4.0), 5)
    encoder = {"name": "small\x1b[31m", "licence": licence, "size_bytes": 90_000_000}
    view = PretrainedView("deep", gap, 0.9, 0.08, 0.02, "tie", (encoder,), "A sentence.")
    console = Console(width=200)
    _say_pretrained(console, view, "0.5 points")
    told = capsys.readouterr().out
    assert "P(pre-trained better than deep learning by more than 0.5 points) 90%" in told
    assert "90 MB" in told and (licence or "no licence found") in told
    assert "\x1b[31m" not in told and "not counted" in told
