"""What trials need is imported before the first one."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from fathometer.study.preload import imported_later

WHAT_FITS_IMPORT = ("sklearn.svm", "sklearn.ensemble", "sklearn.linear_model", "lightgbm", "scipy.optimize")


def test_imports_inside_functions_are_found_and_those_on_top_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("made_up")
    assert list(imported_later(module)) == []  # it has no source
    source = (
        "import json\ndef fit():\n    import heavy.part\n    from other import thing\n    from . import own\n"
    )
    monkeypatch.setattr("inspect.getsource", lambda module: source)
    assert list(imported_later(module)) == ["heavy.part", "other", "other.thing"]


def test_what_learners_import_inside_fits_is_there_after_the_preload() -> None:
    code = f"import sys, fathometer.study.preload; print([n for n in {WHAT_FITS_IMPORT!r} if n not in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
