"""No learner runs anything of a model when it loads a member and asks it: Python itself watches."""

from __future__ import annotations

from pathlib import Path

from crafting import members_of_all, pack_members, watched


def test_every_learner_is_opened_and_asked_without_running_anything(tmp_path: Path) -> None:
    members = members_of_all(tmp_path / "trials")
    said = watched(pack_members(tmp_path / "made", members), tmp_path / "made" / "rows.json", tmp_path)
    assert {*said} == {"predict", *(f"member:{member.key}" for member in members)}
