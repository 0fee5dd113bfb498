"""Models as an attacker would make them: changed at will, with a manifest that fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fathometer.bundle import Limits, open_bundle
from fathometer.bundle.format import role_of
from fathometer.core.files import digest
from fathometer.errors import BadBundle


def manifest_of(folder: Path) -> dict[str, Any]:
    """A manifest that fits what is there now, whatever it is."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "manifest.json"]
    listed = []
    for path in files:
        name = path.relative_to(folder).as_posix()
        sha256, role = digest(path), role_of(name) or "member"
        listed.append({"path": name, "size": path.stat().st_size, "sha256": sha256, "role": role})
    total = sum(one["size"] for one in listed)
    return {"format": 2, "made_by": "someone", "created": "now", "total_size": total, "files": listed}


def relist(folder: Path) -> None:
    """Write the manifest that fits."""
    (folder / "manifest.json").write_text(json.dumps(manifest_of(folder)))


def describe(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change model.json, and the manifest with it."""
    path = folder / "model.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    relist(folder)


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put further files in, and list them."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
    relist(folder)


def refused(path: Path, words: str = ".", limits: Limits | None = None) -> None:
    """Opening it must be refused in one line."""
    with pytest.raises(BadBundle, match=words) as caught:
        open_bundle(path, limits or Limits())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000
