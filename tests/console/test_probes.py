"""What is not there is named before anything starts: what, where, and what to do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from console import probes
from schemas.errors import SettingsError
from schemas.settings import ContrailSettings, DatabaseSettings
from schemas.store.engine import connect
from simulators.contrail.access import with_password
from simulators.contrail.server import ContrailSimulator

NOWHERE = "127.0.0.1:1"
"""Port 1 of the loopback: nobody listens there."""


@contextmanager
def _server(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kubeconfig(path: Path, server: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "sesame"}}],
    }
    path.write_text(json.dumps(config))
    return path


def test_an_api_that_answers_like_contrail_is_taken() -> None:
    with _server(200, b'{"uuid": "x"}') as url:
        probes.contrail_api(ContrailSettings(urls=(url,)))


def test_credentials_are_used_and_a_second_endpoint_is_enough() -> None:
    with ContrailSimulator(guard=with_password("kube", "secret")) as contrail:
        settings = ContrailSettings(
            urls=(f"http://{NOWHERE}", contrail.url), auth="basic", user="kube", password="secret"
        )
        probes.contrail_api(settings)
        with pytest.raises(SettingsError, match="asked as user 'kube' with basic authentication"):
            probes.contrail_api(replace(settings, password="wrong"))


def test_an_unreachable_contrail_api_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"Contrail API at http://127\.0\.0\.1:1 does not answer .*refused.*--contrail"
    ):
        probes.contrail_api(ContrailSettings(urls=(f"http://{NOWHERE}",)))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"who are you", "refuses us: Contrail answered 401: who are you"),
        (200, b"<html>", "is no Contrail API"),
        (503, b"", "503"),
    ],
)
def test_what_is_no_contrail_api_of_ours_is_named(status: int, body: bytes, message: str) -> None:
    with _server(status, body) as url, pytest.raises(SettingsError, match=message):
        probes.contrail_api(ContrailSettings(urls=(url,)))


def test_an_unreachable_database_is_named_without_its_password() -> None:
    settings = DatabaseSettings(url=f"postgresql://me:sesame@{NOWHERE}/store")
    engine = connect(settings, application="tests")
    with pytest.raises(SettingsError, match=r"database is not usable: .*store on 127\.0\.0\.1:1.*--database") as caught:
        probes.database(engine)
    engine.dispose()
    assert "sesame" not in str(caught.value)


def test_unreachable_brokers_are_all_named() -> None:
    with pytest.raises(
        SettingsError, match=r"no Kafka broker answers \(127\.0\.0\.1:1: .*refused.*; nonsense: not host:port\)"
    ):
        probes.brokers([NOWHERE, "nonsense"])


@pytest.mark.parametrize("server", ["broker:", ":9092", "broker:http", "broker:²"])
def test_a_broker_without_host_or_port_is_named(server: str) -> None:
    with pytest.raises(SettingsError, match=f"{server}: not host:port"):
        probes.brokers([server])


def test_a_port_that_cannot_be_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1:99999: "):
        probes.brokers(["127.0.0.1:99999"])


def test_one_broker_that_answers_is_enough() -> None:
    with _server(200, b"") as url:
        probes.brokers([NOWHERE, url.removeprefix("http://")])


def test_an_unreachable_kubernetes_api_is_named(tmp_path: Path) -> None:
    config = _kubeconfig(tmp_path / "config", f"http://{NOWHERE}")
    with pytest.raises(SettingsError, match=r"config is not usable: GET http://127\.0\.0\.1:1/api/v1/namespaces: .+"):
        probes.kubernetes_api(config, "")


def test_a_kubernetes_api_that_refuses_us_is_named_without_the_token(tmp_path: Path) -> None:
    with _server(401, b"{}") as url:
        config = _kubeconfig(tmp_path / "config", url)
        with pytest.raises(SettingsError, match="/api/v1/namespaces: 401 ") as caught:
            probes.kubernetes_api(config, "")
    assert "sesame" not in str(caught.value)


def test_a_kubernetes_api_that_lets_us_list_is_taken(tmp_path: Path) -> None:
    with _server(200, b'{"items": []}') as url:
        probes.kubernetes_api(_kubeconfig(tmp_path / "config", url), "c")


def test_a_context_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        probes.kubernetes_api(_kubeconfig(tmp_path / "config", "http://x"), "nowhere")


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "{", "apiVersion: v1\n"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(SettingsError, match="config is no kubeconfig that can be used"):
        probes.kubernetes_api(tmp_path / "config", "")
