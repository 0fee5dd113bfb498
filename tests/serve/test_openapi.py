"""The API describes itself: every example works, every column is there, and hostile names stay text."""

from __future__ import annotations

import html.parser
import re
import shlex
from typing import Any

import orjson
import pytest
from in_process import NAMES, ROW, Asked

from fathometer.bundle import Bundle
from fathometer.serve.desk import Desk
from fathometer.serve.examples import curl_line, example_row
from fathometer.serve.routes import find_protocols
from fathometer.serve.settings import Settings


@pytest.fixture
def document(served: Asked) -> Any:
    return served.ask("GET", "/openapi.json").json


def test_every_column_is_described_with_what_training_saw(document: Any) -> None:
    properties = document["components"]["schemas"]["Row"]["properties"]
    assert tuple(properties) == NAMES
    assert properties["age"]["type"][0] == "number" and "In training from" in properties["age"]["description"]
    assert "gold" in properties["<i>plan"]["examples"]
    assert "ISO 8601" in properties["since"]["description"]


def test_every_reference_leads_somewhere(document: Any) -> None:
    text = orjson.dumps(document).decode()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names and names <= set(document["components"]["schemas"])


def test_every_native_route_is_described(document: Any) -> None:
    native = next(protocol for protocol in find_protocols() if protocol.name == "native")
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    assert {(route.path, method) for route in native.routes() for method in route.methods} <= described


def test_every_example_works(document: Any, served: Asked) -> None:
    for name, path in {"Question": "/predict", "Wish": "/explain"}.items():
        for example in document["components"]["schemas"][name]["examples"]:
            assert served.ask("POST", path, example).status == 200
    assert served.ask("POST", "/predict", served.ask("GET", "/example").body).status == 200


def test_keys_are_asked_for_in_the_description_where_they_are(bundle: Bundle, document: Any) -> None:
    key = "0123456789abcdef"
    keyed = Asked(Desk(bundle, Settings(keys=(key,)))).ask("GET", "/openapi.json", headers={"x-api-key": key})
    assert "security" not in document
    assert keyed.json["security"] == [{"bearer": []}, {"key": []}]
    assert keyed.json["paths"]["/livez"]["get"]["security"] == []
    assert "401" in keyed.json["paths"]["/predict"]["post"]["responses"]


def test_the_command_shown_asks_for_the_example(bundle: Bundle, served: Asked) -> None:
    line = shlex.split(curl_line("http://127.0.0.1:8080", example_row(bundle), False))
    assert line[:3] == ["curl", "-s", "http://127.0.0.1:8080/predict"]
    assert served.ask("POST", "/predict", line[-1].encode()).status == 200


def test_quotes_in_a_row_do_not_end_the_command() -> None:
    row = {"a'; rm -rf / #": "$(reboot) `id` \"'"}
    line = shlex.split(curl_line("http://x", row, True))
    assert orjson.loads(line[-1]) == {"rows": [row]}


def test_rows_too_long_to_type_are_fetched_and_sent_on() -> None:
    line = curl_line("http://x", {"a": "b" * 5000}, True)
    assert "http://x/example | curl" in line and len(line) < 300


class Tags(html.parser.HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_runs_and_fetches_nothing_whatever_names_it_shows(served: Asked) -> None:
    answer = served.ask("GET", "/", host="127.0.0.1:8080")
    tags = Tags(answer.body.decode()).found
    assert {tag for tag, _ in tags}.isdisjoint(
        {"script", "i", "b" + "utton", "img", "iframe", "form", "link"}
    )
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "alert(1)" in answer.body.decode() and "<script" not in answer.body.decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy


def test_the_model_is_told_as_plain_data(served: Asked, bundle: Bundle) -> None:
    told = served.ask("GET", "/model").json
    assert (told["version"], told["task"], told["target"]) == (bundle.version, "classification", "left")
    assert told["labels"] == ["no", "<b>yes"] and told["families"]["baseline"] == ["linear"]
    assert [column["name"] for column in told["columns"]] == list(ROW)
    assert str(bundle.folder) not in orjson.dumps(told).decode()
