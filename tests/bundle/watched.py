"""Run as a program: open a model and ask every member, and stop at anything that data alone could not ask for.

    python watched.py MODEL ROWS [crimes]

Python tells its audit hooks (PEP 578) of everything a program asks of the system. What is told here and not allowed
ends the program at once, with what it was. With "crimes", crimes are committed where a member is loaded, and those
that were not seen are told.
"""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
import traceback
import urllib.request
from pathlib import Path
from types import FunctionType
from typing import Any

USED_IN_CRIMES = (ctypes, pickle, socket, subprocess, urllib.request)

ALWAYS_FORBIDDEN = (
    *(
        "pickle.find_class",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
    ),
    *(
        "os.fork",
        "os.forkpty",
        "pty.spawn",
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
    ),
    *("socket.gethostbyname", "urllib.Request", "ftplib.connect", "http.client.connect", "smtplib.connect"),
    *(
        "shutil.unpack_archive",
        "shutil.make_archive",
        "cpython.run_command",
    ),
    *("cpython.run_file", "cpython.run_interactivehook", "cpython.run_stdin", "sqlite3.connect"),
    *("os.link", "os.symlink", "os.chown", "os.setxattr", "ctypes.dlsym/handle", "webbrowser.open"),
)
FORBIDDEN_BUT_IN_IMPORTS = ("code.__new__", "function.__new__", "os.putenv")
WRITES = (
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "os.utime",
    "os.chmod",
    "shutil.rmtree",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
IMPORTING = "<frozen importlib._bootstrap>"


def _real(*paths: str | None) -> tuple[str, ...]:
    return tuple(os.path.realpath(path) + os.sep for path in paths if path)


INSTALLED = _real(
    *(
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
    ),
    *(sysconfig.get_path("purelib"), *site.getsitepackages()),
    *(str(Path(__file__).parents[2] / "src"), *(path for path in sys.path[1:] if path)),
)
SYSTEM = (
    *(
        "/usr/lib/",
        "/usr/share/",
        "/lib/",
        "/lib64/",
        "/usr/local/lib/",
        "/proc/",
        "/sys/",
        "/dev/urandom",
        "/dev/null",
    ),
    *("/etc/ld.so.", "/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/os-release"),
)


class ForbiddenError(BaseException):
    """Something that data alone could not ask for; no library catches it by mistake."""


class Watch:
    """What may be read and written, and whether anyone looks yet."""

    def __init__(self, readable: tuple[str, ...]) -> None:
        self.readable = (*INSTALLED, *SYSTEM, *readable)
        self.writable = _real(tempfile.gettempdir())
        self.is_on = True
        self.ends = True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        self.is_on = False
        fault = self._fault(event, arguments)
        self.is_on = True
        if fault and not self.ends:
            raise ForbiddenError(f"{event} {fault}")
        if fault:
            self.is_on = False
            sys.stderr.write(f"FORBIDDEN {event} {fault}\n")
            traceback.print_stack(limit=25)
            sys.stderr.flush()
            os._exit(97)

    def _fault(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event in ("os.remove", "os.rmdir", "open") and _is_removing():
            return ""  # below a folder that was looked at when its removal began
        if event in ALWAYS_FORBIDDEN:
            return repr(arguments)[:300]
        if event in FORBIDDEN_BUT_IN_IMPORTS:
            return "" if _is_importing() else repr(arguments)[:300]
        if event == "open":
            return self._opening(*arguments)
        if event in WRITES and isinstance(arguments[0], str | bytes | os.PathLike):
            return "" if self._is_in(arguments[0], self.writable) else repr(arguments)[:300]
        if event == "exec":
            place = arguments[0].co_filename
            return "" if _is_importing() and self._is_code(place) else f"code of {place}"
        if event == "compile":
            return "" if _is_importing() else repr(arguments)[:300]
        if event == "ctypes.dlopen" and arguments[0] is not None:
            name = os.fspath(arguments[0])
            return "" if os.sep not in name or self._is_in(name, (*INSTALLED, *SYSTEM)) else name
        if event == "import" and arguments[1]:
            return "" if self._is_in(arguments[1], INSTALLED) else repr(arguments)[:300]
        return ""

    def _opening(self, path: Any, mode: Any, flags: Any) -> str:
        if isinstance(path, int):
            return ""
        if (flags or 0) & WRITING and not self._is_in(path, (*self.writable, "/dev/null")):
            return f"for writing: {path!r}"
        return "" if self._is_in(path, (*self.readable, *self.writable)) else f"for reading: {path!r}"

    def _is_in(self, path: Any, places: tuple[str, ...]) -> bool:
        real = os.path.realpath(os.fsdecode(path))
        return f"{real}/".startswith(places)

    def _is_code(self, place: str) -> bool:
        return place.startswith("<") or self._is_in(place, INSTALLED)


def _frames() -> list[tuple[str, str]]:
    frame, found = sys._getframe(1), []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _is_importing() -> bool:
    return any(place == IMPORTING for place, _ in _frames())


def _is_removing() -> bool:
    return any(name == "_rmtree_safe_fd" and place == shutil.__file__ for place, name in _frames())


CRIMES = {
    "unpickle": "pickle.loads(b'cos\\nsystem\\n(S\"true\"\\ntR.')",
    "unpickle something harmless": "pickle.loads(b'ccollections\\nOrderedDict\\n)R.')",
    "eval": "eval('1 + 1')",
    "exec": "exec('x = 1')",
    "compile": "compile('1', 'model.json', 'eval')",
    "system": "os.system('true')",
    "a program": "subprocess.run(['true'])",
    "exec a program": "os.execv('/bin/true', ['true'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork()",
    "connect": "socket.create_connection(('127.0.0.1', 9), 1)",
    "listen": "socket.socket().bind(('127.0.0.1', 0))",
    "resolve": "socket.getaddrinfo('localhost', 80)",
    "fetch": "urllib.request.urlopen('http://127.0.0.1:9/')",
    "a library": "ctypes.CDLL(os.path.join(os.environ['OUTSIDE'], 'libevil.so'))",
    "write outside": "open(os.path.join(os.environ['OUTSIDE'], 'x'), 'w')",
    "read outside": "open(os.path.join(os.environ['OUTSIDE'], 'libevil.so'), 'rb')",
    "remove outside": "os.remove(os.path.join(os.environ['OUTSIDE'], 'libevil.so'))",
    "link": "os.symlink('/etc', os.path.join(os.environ['OUTSIDE'], 'link'))",
    "import from outside": "sys.path.insert(0, os.environ['OUTSIDE']); __import__('evil')",
}


COMMITS = {name: FunctionType(compile(crime, __file__, "exec"), globals()) for name, crime in CRIMES.items()}


def crimes_not_seen(watch: Watch) -> list[str]:
    """The crimes that nobody stopped."""
    unseen = []
    watch.ends = False
    for name, commit in COMMITS.items():
        try:
            commit()
        except ForbiddenError:
            continue
        except Exception as error:
            unseen.append(f"{name} ({error!r})")
        else:
            unseen.append(name)
    return unseen


def main() -> None:
    model, rows, commits_crimes = sys.argv[1], sys.argv[2], len(sys.argv) > 3
    asked = json.loads(Path(rows).read_text(encoding="utf-8"))
    watch = Watch(_real(model, __file__))
    sys.addaudithook(watch)
    import pandas as pd

    from fathometer.bundle import open_bundle
    from fathometer.data.wire import from_wire
    from fathometer.learners.ml.linear import LinearModel

    cells = [[from_wire(cell) for cell in row] for row in asked["rows"]]
    frame = pd.DataFrame(cells, columns=asked["columns"], dtype=object)
    answers: dict[str, Any] = {}
    with open_bundle(model, trust_native=True) as bundle:
        if commits_crimes:
            LinearModel.read = lambda folder: answers.update(unseen=crimes_not_seen(watch))  # type: ignore[assignment,method-assign,return-value]
            bundle.member("t-linear")
        else:
            answers["predict"] = len(bundle.predict(frame))
            read = bundle.schema.read(frame)
            for key in bundle.learners:
                answers[f"member:{key}"] = bundle.member(key).predict(read).tolist()
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
