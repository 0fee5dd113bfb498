"""Find plug-ins by file name, and import one only when it is asked for."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from typing import Generic, TypeVar

from fathometer.errors import MissingExtra, UnknownName

T = TypeVar("T")


class Plugins(Generic[T]):
    """The classes that keep a promise, one per file, in one or more packages.

    A file whose name begins with an underscore is not a plug-in. A plug-in's name is its file's name.
    Packages from outside add theirs through an entry point of the given group that names a class.
    """

    def __init__(
        self, what: str, base: type[T], packages: tuple[str, ...], group: str, extras: dict[str, str]
    ) -> None:
        """`extras`: third-party package -> name of our extra that installs it."""
        self.what = what
        self.base = base
        self.packages = packages
        self.group = group
        self.extras = extras

    def names(self) -> list[str]:
        """Every plug-in's name, sorted; nothing is imported."""
        return sorted({name for name, _ in self._places()})

    def get(self, name: str) -> type[T]:
        """The class of that name; its file is imported now.

        Raises:
            UnknownName: there is none.
            MissingExtra: it wraps a package that is not installed.
        """
        for entry in _entries(self.group, tuple(sys.path)):
            if entry.name == name:
                loaded: type[T] = entry.load()
                return loaded
        module_name = dict(self._places()).get(name)
        if module_name is None:
            raise UnknownName(self.what, name, self.names())
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            package = (error.name or "").split(".")[0]
            if package in self.extras:
                raise self._missing_extra(name, package) from error
            raise
        return self._only_class(module_name, vars(module))

    def place(self, name: str) -> str:
        """The module (or entry point) of that name, without importing it; empty when there is none."""
        return dict(self._places()).get(name, "")

    def usable(self) -> list[str]:
        """The names whose packages are installed; every file is imported."""
        return [name for name in self.names() if self._is_usable(name)]

    def missing(self) -> list[tuple[str, str]]:
        """Pairs (name, command to type) of those whose packages are not installed."""
        found = []
        for name in self.names():
            try:
                self._demand_packages(name)
            except MissingExtra as error:
                found.append((name, str(error)))
        return found

    def _is_usable(self, name: str) -> bool:
        try:
            self._demand_packages(name)
        except MissingExtra:
            return False
        return True

    def _demand_packages(self, name: str) -> None:
        """What a class names as `trains_with` need not be there to load it, but to use all of it.

        Raises:
            MissingExtra: a package is not installed.
        """
        for package in getattr(self.get(name), "trains_with", ()):
            if importlib.util.find_spec(package) is None:
                raise self._missing_extra(name, package)

    def _missing_extra(self, name: str, package: str) -> MissingExtra:
        command = f'pip install "fathometer[{self.extras[package]}]"'
        return MissingExtra(f"The {self.what} {name!r}", package, command)

    def _places(self) -> Iterator[tuple[str, str]]:
        for package in self.packages:
            spec = importlib.util.find_spec(package)
            if spec is None or spec.submodule_search_locations is None:
                continue
            for module in pkgutil.iter_modules(spec.submodule_search_locations):
                if not module.name.startswith("_"):
                    yield module.name, f"{package}.{module.name}"
        for entry in _entries(self.group, tuple(sys.path)):
            yield entry.name, entry.value

    def _only_class(self, module_name: str, members: dict[str, object]) -> type[T]:
        found = {
            member
            for member in members.values()
            if inspect.isclass(member)
            and issubclass(member, self.base)
            and not inspect.isabstract(member)
            # A plug-in that is a folder may define its class in one of its files.
            and f"{member.__module__}.".startswith(f"{module_name}.")
        }
        if len(found) != 1:
            raise TypeError(f"{module_name} must define exactly one {self.base.__name__}, found {len(found)}")
        return found.pop()


@functools.lru_cache(maxsize=64)
def _entries(group: str, search_path: tuple[str, ...]) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of a group; asked for at every look-up, and milliseconds to read, so read once per search path."""
    return tuple(importlib.metadata.entry_points(group=group))
