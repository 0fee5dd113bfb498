"""The docs say what is there."""

import importlib.util
import re
from pathlib import Path

import pytest

from fathometer.data.metrics import METRICS
from fathometer.learner import LEARNERS

ROOT = Path(__file__).resolve().parent.parent


def test_commands_page_is_the_programs_own_help() -> None:
    spec = importlib.util.spec_from_file_location("write_commands", ROOT / "scripts" / "write_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.text(), "run: python scripts/write_commands.py"


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_metric_is_named_in_the_help() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if name not in re.sub(r"\s+", " ", text)] == []


def test_every_learner_of_this_package_can_be_loaded_here() -> None:
    assert LEARNERS.usable() == LEARNERS.names()
