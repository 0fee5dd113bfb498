"""What may be loaded when: light verbs stay light, and the main program never loads a learner."""

import json
import subprocess
import sys

HEAVY = ("torch", "sklearn", "lightgbm", "catboost", "pandas", "numpy")


def loaded_after(code: str) -> set[str]:
    """Top-level modules a fresh interpreter has loaded after this code."""
    script = f"{code}\nimport json, sys; print('\\n' + json.dumps(sorted(set(m.split('.')[0] for m in sys.modules))))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['fathom', '--help']\n"
        "from fathometer.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded_after("import fathometer") & set(HEAVY)


def test_planning_and_judging_load_no_learner() -> None:
    assert not loaded_after("import fathometer.api") & {"torch", "sklearn", "lightgbm", "catboost"}


def test_opening_models_loads_no_making_side() -> None:
    code = "import fathometer.bundle, sys; print([m for m in sys.modules if m.startswith('fathometer.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fathometer.bundle" in done.stdout
    assert "fathometer.study" not in done.stdout
    assert "fathometer.verdict" not in done.stdout
