"""What a platform does to a container of a model: no client of ours, only sockets and signals."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from live_models import ROWS, Server, serving, small_models


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as SageMaker unpacks it from model.tar.gz: its contents right below /opt/ml/model."""
    made = small_models.three_classes(tmp_path_factory.mktemp("made") / "parcels")
    packed = made.parent / "model.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(made, ".")
    place = tmp_path_factory.mktemp("opt") / "ml" / "model"
    place.mkdir(parents=True)
    with tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
    return place


@pytest.fixture(scope="module")
def endpoint(model: Path) -> Iterator[Server]:
    """As the docs tell to start it within SageMaker's network."""
    yield from serving(model, "--host", "0.0.0.0", "--no-key", "--name", "*")


def connection(endpoint: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=60)


def ask(
    link: http.client.HTTPConnection, body: bytes, content_type: str, accept: str = "", attributes: str = ""
) -> tuple[int, str, bytes]:
    """(status, content type, body), as SageMaker's router asks: by a name of its own, on one connection."""
    headers = {"Host": "model.aws.local:8080", "Content-Type": content_type, "User-Agent": "AHC/2.0"}
    headers |= {"Accept": accept} if accept else {}
    headers |= {"X-Amzn-SageMaker-Custom-Attributes": attributes} if attributes else {}
    link.request("POST", "/invocations", body, headers)
    answer = link.getresponse()
    return answer.status, answer.headers.get_content_type(), answer.read()


def test_an_endpoint_is_healthy_and_answers_what_it_is_sent(endpoint: Server) -> None:
    wanted = endpoint.answers()
    numbers = wanted.drop(columns="prediction").to_numpy().tolist()
    csv = pd.DataFrame(ROWS).to_csv(index=False, header=False).encode()
    lines = "\n".join(json.dumps(list(row.values())) for row in ROWS).encode()
    instances = json.dumps({"instances": ROWS}).encode()
    link = connection(endpoint)
    link.request("GET", "/ping", headers={"Host": "model.aws.local:8080"})
    ping = link.getresponse()
    assert (ping.status, ping.read().strip()) == (200, b"")
    wish = "output=probabilities"
    for body, kind in ((csv, "text/csv"), (lines, "application/jsonlines"), (instances, "application/json")):
        assert json.loads(ask(link, body, kind)[2])["predictions"] == wanted["prediction"].tolist()
        status, given, told = ask(link, body, kind, "text/csv", wish)
        assert (status, given) == (200, "text/csv")
        assert [[float(cell) for cell in line.split(",")] for line in told.decode().split()] == numbers
        status, given, told = ask(link, body, kind, "application/jsonlines", wish)
        assert (status, given) == (200, "application/jsonlines")
        assert [json.loads(line) for line in told.splitlines()] == numbers
    status, given, told = ask(link, b"1,2,3", "text/csv")
    assert (status, given) == (400, "application/json")
    assert "4 cells" in json.loads(told)["message"]
    assert ask(link, csv, "application/x-npy")[0] == 415


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_container_that_is_told_to_stop_ends_well(model: Path, sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "fathometer", "serve", str(model), "--port", "0", "--no-log"]
    with subprocess.Popen([*command, "--drain", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "answers at" in process.stdout.readline()
        process.send_signal(sent)
        assert process.wait(timeout=60) == 0


def test_a_platform_that_only_says_serve_is_told_the_rest_by_the_environment(model: Path) -> None:
    told = {
        "FATHOMETER_MODEL": str(model),
        "FATHOMETER_HOST": "0.0.0.0",
        "FATHOMETER_NO_KEY": "1",
        "FATHOMETER_NAMES": "*",
        "AIP_HTTP_PORT": "0",
    }
    command = [sys.executable, "-m", "fathometer", "serve", "--no-log"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | told) as process:
        try:
            assert process.stdout is not None
            port = int(re.findall(r":([0-9]+)", process.stdout.readline())[-1])
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            link.request("GET", "/ping", headers={"Host": "model.aws.local"})
            assert link.getresponse().status == 200
        finally:
            process.terminate()
