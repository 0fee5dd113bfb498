"""Imported by the engine's server before the first trial: every learner and kind, so that trials start at once.

Learners import heavy packages inside functions, because a model answers without what its fit needed. A trial is a fork
of the server, so each would import them again: most of a second, of more than many fits take. They are found in the
source, so that no learner can forget to say what it needs, and imported here.

Never imported by the main program, which stays light.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

from fathometer.kind import KINDS
from fathometer.learner import LEARNERS

NOT_SEEN = ("pyarrow.pandas_compat", "pyarrow.vendored.version", "tokenizers", "torch.utils._device")
"""Asked for by a name in quotes, or by a package itself when it is first used."""


def imported_later(module: ModuleType) -> Iterator[str]:
    """The modules of other packages that a module imports inside its functions."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError):  # compiled, or made at run time
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _what_a_trial_runs() -> list[ModuleType]:
    """The modules of learners and kinds, and what of this package they stand on."""
    plugins = {type_.__module__ for found in (LEARNERS, KINDS) for type_ in map(found.get, found.usable())}
    ours = __name__.partition(".")[0]
    return [
        module for name, module in sys.modules.items() if name in plugins or name.partition(".")[0] == ours
    ]


for _module in _what_a_trial_runs():
    for _name in imported_later(_module):
        # an extra that is not installed, or a function of a module
        with contextlib.suppress(ImportError):
            importlib.import_module(_name)

for _name in NOT_SEEN:
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
