"""Who may ask: nobody by another name, no web page of another origin, nobody without a key."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from in_process import HOST, ROW, Asked

from fathometer.bundle import Bundle
from fathometer.errors import UserError
from fathometer.serve.desk import Desk
from fathometer.serve.routes import find_protocols
from fathometer.serve.settings import Settings, check_settings, read_keys

KEY = "0123456789abcdef-key"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
OPEN = {"/livez", "/readyz"}


def guarded(bundle: Bundle, **settings: Any) -> Asked:
    return Asked(Desk(bundle, Settings(**settings)))


def test_every_route_and_method_needs_the_key_but_health(bundle: Bundle) -> None:
    served = guarded(bundle, keys=(KEY,))
    routes = [route for protocol in find_protocols() for route in protocol.routes()]
    filled = {re.sub(r"[{}]", "", route.path): route for route in routes}
    closed = [path for path, route in filled.items() if not route.is_open]
    assert set(filled) - set(closed) >= OPEN and {"/predict", "/metrics", "/", "/feedback"} <= set(closed)
    for path in [*closed, "/nowhere", "//", "/predict/", "/predict/../livez", "/livez/"]:
        for method in METHODS:
            answer = served.ask(method, path, {"rows": [ROW]})
            assert answer.status == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["connection"] == "close"


def test_open_routes_are_health_and_names_alone() -> None:
    opened = {route.path for protocol in find_protocols() for route in protocol.routes() if route.is_open}
    words = ("live", "ready", "health", "ping", "version", "v2", "v1")
    assert all(any(word in path for word in words) for path in opened), opened
    assert not any(word in path for path in opened for word in ("predict", "infer", "invocations", "explain"))
    posted = {r.path for p in find_protocols() for r in p.routes() if r.is_open and set(r.methods) - {"GET"}}
    assert not posted


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"x-api-key": KEY},
        {"authorization": "Basic abc", "x-api-key": KEY},
    ],
)
def test_who_has_a_key_is_answered(bundle: Bundle, headers: dict[str, str]) -> None:
    served = guarded(bundle, keys=("another-key-of-somebody", KEY))
    assert served.ask("POST", "/predict", {"rows": [ROW]}, headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"x-api-key": ""},
        {"x-api-key": KEY.upper()},
        {"cookie": f"key={KEY}"},
    ],
)
def test_who_has_none_is_not(bundle: Bundle, headers: dict[str, str]) -> None:
    served = guarded(bundle, keys=(KEY,))
    assert served.ask("POST", f"/predict?key={KEY}", {"rows": [ROW]}, headers).status == 401


def test_metrics_are_open_only_where_said(bundle: Bundle) -> None:
    assert guarded(bundle, keys=(KEY,)).ask("GET", "/metrics").status == 401
    assert guarded(bundle, keys=(KEY,), open_metrics=True).ask("GET", "/metrics").status == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_this_machine_is_called_by_its_names(served: Asked, host: str) -> None:
    assert served.ask("GET", "/readyz", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "127.0.0.1:9999",
        "localhost",
        "127.0.0.1.evil.example:8080",
        "10.0.0.1:8080",
        "",
        "a b",
        "localhost:8080@evil.example",
        "localhost:8080.evil.example",
        "[::1]",
        "::1:8080x",
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/readyz", "/", "/nowhere"])
def test_a_page_that_rebinds_its_name_is_refused_everywhere(served: Asked, host: str, path: str) -> None:
    assert served.ask("GET", path, host=host).status == 421


def test_names_that_were_told_are_answered(bundle: Bundle) -> None:
    named = guarded(bundle, names=("model.example", "localhost:9000"))
    hosts = ["model.example", "model.example:443", "localhost:9000", "evil.example", "localhost:9001"]
    assert [named.ask("GET", "/readyz", host=host).status for host in hosts] == [200, 200, 200, 421, 421]
    assert guarded(bundle, names=("*",)).ask("GET", "/readyz", host="any.example").status == 200


def test_bound_wider_without_a_key_only_numbers_are_answered(bundle: Bundle) -> None:
    wide = guarded(bundle, host="0.0.0.0", no_key=True)
    hosts = ["10.1.2.3:8080", "[fd00::1]:8080", "localhost:8080", "rebound.example:8080"]
    assert [wide.ask("GET", "/readyz", host=host).status for host in hosts] == [200, 200, 200, 421]
    keyed = guarded(bundle, host="0.0.0.0", keys=(KEY,))
    assert keyed.ask("GET", "/readyz", host="model.example").status == 200


def test_there_is_exactly_one_host_header(served: Asked) -> None:
    for headers in ({}, {"host": HOST, "Host": HOST}):
        answer = asyncio.run(served.asking_in_parts("GET", "/readyz", [b""], headers))
        assert answer.status == 400


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sec-fetch-site", ("cross-site", "none")),
        ("sec-fetch-site", ("none", "cross-site")),
        ("origin", ("http://evil.example", f"http://{HOST}")),
        ("authorization", ("Bearer x", f"Bearer {KEY}")),
        ("x-api-key", (KEY, "x")),
    ],
)
def test_what_is_asked_of_a_header_is_said_once(bundle: Bundle, name: str, values: tuple[str, str]) -> None:
    served = guarded(bundle, keys=(KEY,)) if name in ("authorization", "x-api-key") else guarded(bundle)
    headers = {"host": HOST, name: values[0], name.title(): values[1]}
    for path in ("/predict", "/readyz"):
        answer = asyncio.run(served.asking_in_parts("GET", path, [b""], headers))
        assert answer.status == 400, answer.body


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": f"http://{HOST}"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": f"https://{HOST}"},
    ],
)
def test_pages_of_other_origins_are_refused_by_any_method(
    served: Asked, method: str, headers: dict[str, str]
) -> None:
    assert served.ask(method, "/predict", {"rows": [ROW]}, headers).status == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec-fetch-site": "none"}, {"sec-fetch-site": "same-origin"}, {"origin": f"http://{HOST}"}],
)
def test_our_own_page_and_programs_are_answered(served: Asked, headers: dict[str, str]) -> None:
    assert served.ask("POST", "/predict", {"rows": [ROW]}, headers).status == 200


def test_web_sockets_are_refused_before_they_open(served: Asked) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/predict", "headers": [(b"host", HOST.encode())]}
    asyncio.run(served.app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("path", ["/", "/predict", "/nowhere", "/metrics", "/openapi.json"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_answer_lets_a_browser_do_anything(served: Asked, path: str, method: str) -> None:
    headers = served.ask(method, path, {"rows": [ROW]}).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers and not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "model.example"])
def test_it_does_not_start_wider_than_this_machine_without_a_key(host: str) -> None:
    with pytest.raises(UserError, match="no key is set"):
        check_settings(Settings(host=host))
    check_settings(Settings(host=host, keys=(KEY,)))
    check_settings(Settings(host=host, no_key=True))


@pytest.mark.parametrize("settings", [{"host": "127.0.0.1"}, {"host": "::1"}, {"unix_socket": Path("/x")}])
def test_on_this_machine_it_starts_without(settings: dict[str, Any]) -> None:
    check_settings(Settings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"keys": ("short",)},
        {"keys": (KEY + " with blank",)},
        {"keys": (KEY + "ä",)},
        {"workers": 0},
        {"port": 70000},
    ],
)
def test_settings_that_cannot_be_are_told(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        check_settings(Settings(**settings))


def test_keys_come_from_the_environment_and_a_file_that_nobody_else_reads(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n{KEY}-a\n\n{KEY}-b\n")
    file.chmod(0o600)
    assert read_keys({"FATHOMETER_API_KEYS": f"{KEY}-c, {KEY}-a,"}, file) == tuple(
        f"{KEY}-{x}" for x in "cab"
    )
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        read_keys({}, file)
    file.chmod(0o600)
    file.write_text("# none\n")
    with pytest.raises(UserError, match="holds no key"):
        read_keys({}, file)
    with pytest.raises(UserError, match="cannot be read"):
        read_keys({}, tmp_path / "nothing")


def test_settings_do_not_show_their_keys() -> None:
    assert KEY not in repr(Settings(keys=(KEY,)))
