"""Where the model is that a user names: a run's own, or a model folder or file."""

from __future__ import annotations

from pathlib import Path

from fathometer.errors import BadRun


def model_in(path: Path) -> Path:
    """The model of a run folder, or what was named.

    Raises:
        BadRun: the run has no model yet.
    """
    if not (path / "run.json").is_file():
        return path
    if not (path / "model").exists():
        raise BadRun(
            f"The run {path} has no model yet: no fold was finished by both families. "
            f"Go on with it: fathom compare --resume {path} --budget LONGER"
        )
    return path / "model"
