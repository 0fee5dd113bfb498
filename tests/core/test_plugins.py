"""Plug-ins are found by their file's name and imported when asked for."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from fathometer.core.plugins import Plugins
from fathometer.engine import ENGINES
from fathometer.errors import MissingExtra, UnknownName
from fathometer.kind import KINDS
from fathometer.learner import LEARNERS
from fathometer.task import TASKS


class Animal(ABC):
    """A promise for these tests."""

    @abstractmethod
    def sound(self) -> str:
        """What it says."""


CAT = "from {module} import Animal\nclass Cat(Animal):\n    def sound(self):\n        return 'meow'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable, empty package `zoo`."""
    package = tmp_path / "zoo"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] in ("zoo", "outside_zoo")]:
        del sys.modules[name]


def animals() -> Plugins[Animal]:
    return Plugins("animal", Animal, ("zoo",), "fathometer.test_animals", {"whiskers": "cats"})  # type: ignore[type-abstract]


def put(folder: Path, name: str, text: str = CAT) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.format(module=__name__))


def test_names_are_those_of_the_files_and_nothing_is_imported(folder: Path) -> None:
    put(folder, "dog.py", "raise RuntimeError('imported')")
    put(folder, "cat.py")
    put(folder, "_shared.py")
    assert animals().names() == ["cat", "dog"]
    assert "zoo.cat" not in sys.modules


def test_the_class_in_the_file_is_found(folder: Path) -> None:
    put(folder, "cat.py")
    assert animals().get("cat")().sound() == "meow"


def test_a_folder_is_a_plugin_too(folder: Path) -> None:
    put(folder, "cat/__init__.py", "from zoo.cat.whole import Cat")
    put(folder, "cat/whole.py")
    assert animals().names() == ["cat"]
    assert animals().get("cat")().sound() == "meow"


def test_classes_that_are_only_imported_do_not_count(folder: Path) -> None:
    put(folder, "_shared.py")
    put(folder, "cat.py", "from zoo._shared import Cat as Ancestor\nclass Tom(Ancestor): pass\n")
    assert animals().get("cat").__name__ == "Tom"


@pytest.mark.parametrize("text", ["", CAT + "class Second(Cat): pass\n"])
def test_a_file_holds_exactly_one(folder: Path, text: str) -> None:
    put(folder, "cat.py", text)
    with pytest.raises(TypeError, match="exactly one Animal"):
        animals().get("cat")


def test_an_unknown_name_is_answered_with_the_known_ones(folder: Path) -> None:
    put(folder, "cat.py")
    with pytest.raises(UnknownName, match=r"no animal 'cta'\. Known: cat\. Did you mean 'cat'\?"):
        animals().get("cta")


def test_a_missing_package_is_told_with_the_command(folder: Path) -> None:
    put(folder, "cat.py", "import whiskers\n" + CAT)
    put(folder, "dog.py", CAT)
    with pytest.raises(MissingExtra, match=r'needs the package .whiskers.*pip install "fathometer\[cats\]"'):
        animals().get("cat")
    assert animals().usable() == ["dog"]
    assert [name for name, _ in animals().missing()] == ["cat"]


def test_our_own_mistakes_are_loud(folder: Path) -> None:
    put(folder, "cat.py", "import zoo.no_such_file\n" + CAT)
    with pytest.raises(ModuleNotFoundError, match="no_such_file"):
        animals().usable()


def test_an_entry_point_adds_one_from_outside(folder: Path) -> None:
    put(folder.parent, "outside_zoo.py")
    put(
        folder.parent,
        "outside_zoo-1.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: outside-zoo\nVersion: 1\n",
    )
    put(
        folder.parent,
        "outside_zoo-1.dist-info/entry_points.txt",
        "[fathometer.test_animals]\ntiger = outside_zoo:Cat\n",
    )
    assert animals().names() == ["tiger"]
    assert animals().get("tiger")().sound() == "meow"


@pytest.mark.parametrize("plugins", [KINDS, TASKS, LEARNERS, ENGINES], ids=lambda plugins: plugins.what)
def test_every_plugin_of_ours_can_be_used_here(plugins: Plugins[object]) -> None:
    assert plugins.usable() == plugins.names() != []
