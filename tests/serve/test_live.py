"""A server as its clients meet it: on a socket, under signals, with several workers, against hostile clients."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from in_process import ROW

SCRIPT = Path(__file__).with_name("live_server.py")
PATIENCE = 60  # seconds until a test gives up, on a machine that is busy


class Live:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], greeting: list[str]) -> None:
        self.process = process
        self.greeting = greeting
        self.port = int(greeting[0].rpartition(":")[2]) if "http" in greeting[0] else 0

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def dialled(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Exit code, and what it said after the greeting."""
        self.process.send_signal(sig)
        said, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@contextmanager
def live(model: Path, *further: str, **settings: Any) -> Iterator[Live]:
    command = [sys.executable, os.fspath(SCRIPT), os.fspath(model), json.dumps(settings), *further]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        greeting = [process.stdout.readline(), process.stdout.readline()]
        if not greeting[0]:
            raise AssertionError(process.communicate(timeout=PATIENCE)[1])
        yield Live(process, greeting)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(churn: Path) -> Iterator[Live]:
    limits = {"header_seconds": 0.5, "read_seconds": 0.5, "body_bytes": 100_000, "header_bytes": 20_000}
    with live(churn, limits=limits) as running:
        yield running
        code, said = running.stop()
        assert code == 0
        loaded = json.loads(said)
        assert loaded == [], "a classical model needs none of these"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_command_in_the_greeting_works_as_it_is(server: Live) -> None:
    command = server.greeting[1].removeprefix("Try: ")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows"][0]["prediction"] in ("no", "<b>yes")


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("where", ["a file", "the environment"])
def test_the_greeting_of_a_server_with_keys_works_as_it_is(
    churn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    key = "0123456789abcdef-key"
    file = tmp_path / "my keys"
    file.write_text(f"# ours\n\n {key} \nanother-key-0123456789\n")
    monkeypatch.setenv("FATHOMETER_API_KEYS", f"{key},another-key-0123456789")
    named = {"key_file": os.fspath(file)} if where == "a file" else {}
    with live(churn, keys=[key, "another-key-0123456789"], **named) as running:
        assert running.process.stdout is not None
        command = running.process.stdout.readline().removeprefix("Try: ")
        first = running.greeting[1].removeprefix("A key: ")
        done = subprocess.run(first + command, shell=True, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["rows"][0]["prediction"] in ("no", "<b>yes")


def test_it_answers_on_its_socket(server: Live) -> None:
    status, body = server.ask("POST", "/predict", {"rows": [ROW]})
    assert status == 200 and json.loads(body)["model"] == "churn"


def everything(line: socket.socket) -> bytes:
    """What comes until the server closes."""
    parts = []
    try:
        while part := line.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"

HOSTILE = {
    "headers that never end": (HEAD, b"", b""),
    "nothing at all": (b"", b"", b""),
    "empty lines": (b"\r\n\r\n", b"", b""),
    "a long header": (HEAD, b"x: " + b"y" * 40_000, b"431"),
    "many headers": (HEAD, b"x: y\r\n" * 6_000, b"431"),
    "a long path": (b"GET /" + b"x" * 40_000, b"", b"431"),
    "a body that does not come": (HEAD + b"Content-Length: 50\r\n\r\n", b"{", b"408"),
    "a body that says it is huge": (HEAD + b"Content-Length: 99999999999\r\n\r\n", b"", b"4"),
    "chunks without end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"3e8\r\n" + b"x" * 1000 + b"\r\n",
        b"413",
    ),
    "chunks that stop": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n{", b"408"),
    "fields behind the chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"0\r\nx: " + b"y" * 60_000,
        b"",
    ),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01", b"\r\n\r\n", b"400"),
    "two lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"", b"400"),
    "a length and chunks": (
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\n\r\n",
        b"4",
    ),
    "a foreign method": (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"", b"400"),
    "another's name": (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"", b"421"),
    "an upgrade": (
        HEAD.replace(b"POST", b"GET") + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n",
        b"",
        b"405",
    ),
}
REPEATED = {"chunks without end": 200}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_clients_are_shown_the_door_and_others_are_served(server: Live, name: str) -> None:
    begin, then, status = HOSTILE[name]
    with server.dialled() as line:
        try:
            line.sendall(begin.replace(b"%d", str(server.port).encode()))
            line.sendall(then * REPEATED.get(name, 1))
        except (BrokenPipeError, ConnectionResetError):
            pass
        if name == "an upgrade":
            line.shutdown(socket.SHUT_WR)
        said = everything(line)
    if said:  # a reset may overtake the answer
        assert said.startswith(b"HTTP/1.1 " + status), said[:200]
    assert b"Traceback" not in said
    assert server.ask("GET", "/readyz")[0] == 200


def test_questions_on_one_line_are_answered_in_their_order(server: Live) -> None:
    paths = [b"/livez", b"/readyz", b"/nowhere", b"/livez"]
    host = b"Host: 127.0.0.1:%d\r\n" % server.port
    with server.dialled() as line:
        for path in paths[:-1]:
            line.sendall(b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\n")
        line.sendall(b"GET " + paths[-1] + b" HTTP/1.1\r\nConnection: close\r\n" + host + b"\r\n")
        said = everything(line)
    places = [said.index(text) for text in (b'{"live":true}', b'{"ready":true}', b"/nowhere")]
    places.append(said.rindex(b'{"live":true}'))
    assert said.count(b"HTTP/1.1 ") == 4 and places == sorted(set(places))


def test_told_to_stop_it_finishes_what_it_is_at_and_says_it_is_not_ready(churn: Path, tmp_path: Path) -> None:
    pipe, file = tmp_path / "pipe", tmp_path / "log"
    os.mkfifo(pipe)
    with live(churn, os.fspath(pipe), drain_seconds=0.3, log=os.fspath(file)) as running:
        answers: list[tuple[int, bytes]] = []
        asking = threading.Thread(
            target=lambda: answers.append(running.ask("POST", "/predict", {"rows": [ROW]}))
        )
        asking.start()
        with pipe.open("w"):  # opens once the model reads: the question is under way
            running.process.send_signal(signal.SIGTERM)
            while running.ask("GET", "/readyz")[0] != 503:
                pass
        asking.join(PATIENCE)
        said, _ = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0
    assert [status for status, _ in answers] == [200]
    assert file.exists() and said


def workers_of(parent: psutil.Process) -> set[int]:
    """The process ids of a server's workers."""
    found = set()
    for child in parent.children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


def test_workers_share_a_socket_and_their_counts_and_are_replaced(churn: Path, tmp_path: Path) -> None:
    with live(churn, workers=2, log=os.fspath(tmp_path / "log")) as running:
        parent = psutil.Process(running.process.pid)
        for _ in range(20):
            assert running.ask("POST", "/predict", {"rows": [ROW]})[0] == 200
        counted = running.ask("GET", "/metrics")[1].decode()
        assert 'code="200"' in counted and "fathometer_inference_rows_total" in counted
        rows = [line for line in counted.splitlines() if line.startswith("fathometer_inference_rows_total")]
        assert [float(line.rpartition(" ")[2]) for line in rows] == [20.0]
        before = workers_of(parent)
        assert len(before) == 2
        psutil.Process(min(before)).kill()
        while len(workers_of(parent) - {min(before)}) < 2:
            assert running.process.poll() is None
        after = workers_of(parent)
        assert running.ask("POST", "/predict", {"rows": [ROW]})[0] == 200
        code, _ = running.stop()
    assert code == 0
    assert not any(psutil.pid_exists(pid) for pid in before | after)


class Client(threading.Thread):
    """Asks again and again; `answers` are when a question began and its status, `lost` when one began that had none."""

    def __init__(self, port: int, keep_alive: bool, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.keep_alive, self.ended = port, keep_alive, ended
        self.answers: list[tuple[float, int]] = []
        self.lost: list[float] = []

    def run(self) -> None:
        body, line = json.dumps({"rows": [ROW]}), None
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                line = line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
                line.request("POST", "/predict", body)
                answer = line.getresponse()
                answer.read()
                self.answers.append((began, answer.status))
            except (OSError, http.client.HTTPException):
                self.lost.append(began)
                line = None
            else:
                if not self.keep_alive or answer.will_close:
                    line.close()
                    line = None


@pytest.mark.parametrize("workers", [1, 2])
def test_told_to_stop_under_load_no_answer_is_lost_and_every_one_is_in_the_log(
    churn: Path, tmp_path: Path, workers: int
) -> None:
    file, drain, ended = tmp_path / "log", 1.5, threading.Event()
    with live(churn, workers=workers, log=os.fspath(file), drain_seconds=drain) as running:
        clients = [Client(running.port, keep_alive, ended) for keep_alive in (False, True) * 3]
        for client in clients:
            client.start()
        while any(len(client.answers) < 10 for client in clients):
            assert running.process.poll() is None
        told = time.monotonic()
        processes = [running.process.pid, *workers_of(psutil.Process(running.process.pid))]
        for process in processes:  # as those do who stop all processes of a service
            os.kill(process, signal.SIGTERM)
        running.process.wait(PATIENCE)
        ended.set()
        for client in clients:
            client.join(PATIENCE)
    answers = [answer for client in clients for answer in client.answers]
    assert running.process.returncode == 0
    assert {status for _, status in answers} == {200}
    assert [began - told for client in clients for began in client.lost if began < told + drain - 0.2] == []
    assert max(began for began, _ in answers) > told + drain / 2
    with contextlib.closing(sqlite3.connect(file)) as log:
        assert log.execute("SELECT count(*) FROM prediction").fetchone()[0] == len(answers)
        said = log.execute("SELECT action, count(*) FROM deployment_event GROUP BY 1").fetchall()
    assert dict(said) == {"start": workers, "stop": workers}


def test_a_model_that_is_damaged_is_told_in_a_sentence(churn: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(churn, damaged)
    (damaged / "model.json").write_text("{}")
    for workers in (1, 2):
        command = [sys.executable, os.fspath(SCRIPT), os.fspath(damaged), json.dumps({"workers": workers})]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode != 0 and "BadBundle" in done.stderr) or "UserError" in done.stderr
        assert "altered" in done.stderr or "model.json" in done.stderr


def test_a_unix_socket_is_its_owners_and_goes_with_the_server(churn: Path, tmp_path: Path) -> None:
    place = tmp_path / "s"
    with live(churn, unix_socket=os.fspath(place)) as running:
        assert (place.stat().st_mode & 0o777) == 0o600
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(os.fspath(place))
            line.sendall(b"GET /readyz HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n")
            assert everything(line).startswith(b"HTTP/1.1 200")
        assert running.stop()[0] == 0
    assert not place.exists()
