"""Reaching an API server, and what is said when that fails."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from kubernetes.client import Configuration
from urllib3.exceptions import NameResolutionError, NewConnectionError, ProtocolError, ReadTimeoutError, SSLError

from schemas.errors import KubernetesForbidden, KubernetesUnavailable, NotServed, SettingsError, VersionExpired
from tests.watchers.fake_api import FakeApi, Reply, Request, Stream, Wait
from tests.watchers.objects import status
from watchers.connection import Connection, discovered, from_kubeconfig, in_cluster
from watchers.refusals import refused, unreachable

DOING = "GET https://api:6443/api/v1/pods"


def _get(connection: Connection) -> bytes:
    response = connection.request("GET", "/api/v1/pods", read_timeout=5)
    return connection.read(response, doing="GET")


def _kubeconfig(path: Path, server: str, user: dict[str, object]) -> Path:
    path.write_text(
        json.dumps(
            {
                "current-context": "a",
                "contexts": [
                    {"name": "a", "context": {"cluster": "c", "user": "u"}},
                    {"name": "b", "context": {"cluster": "d", "user": "u"}},
                ],
                "clusters": [
                    {"name": "c", "cluster": {"server": server}},
                    {"name": "d", "cluster": {"server": "http://other.invalid"}},
                ],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def test_a_kubeconfig_gives_address_and_token(tmp_path: Path) -> None:
    with FakeApi(lambda request: Reply(b"ok")) as api:
        path = _kubeconfig(tmp_path / "config", api.url, {"token": "secret"})
        assert _get(Connection(from_kubeconfig(str(path)))) == b"ok"
        assert api.requests[0].headers["authorization"] == "Bearer secret"
    assert from_kubeconfig(str(path), "b")().host == "http://other.invalid"


@pytest.mark.parametrize("content", [None, "not: [yaml", "{}"])
def test_a_kubeconfig_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match="CONTRAIL_KUBE_WATCHERS_KUBECONFIG") as caught:
        Connection(from_kubeconfig(str(path)))
    assert str(path) in str(caught.value)


def test_in_a_pod_the_service_account_is_used_unless_a_kubeconfig_is_named() -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    assert discovered("", "", environ) is in_cluster
    assert discovered("/some/config", "", environ) is not in_cluster
    with pytest.raises(SettingsError, match="token mounted"):
        in_cluster()


def test_case_18_a_token_that_was_rotated_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    def script(request: Request) -> Reply:
        good = request.headers["authorization"] == "Bearer new"
        return Reply(b"ok") if good else Reply(json.dumps(status(401, "Unauthorized")).encode(), 401)

    with FakeApi(script) as api:
        path = _kubeconfig(tmp_path / "config", api.url, {"tokenFile": str(token)})
        connection = Connection(from_kubeconfig(str(path)))
        token.write_text("new")
        with pytest.raises(KubernetesUnavailable, match="401 Unauthorized; is the token"):
            _get(connection)
        assert _get(connection) == b"ok"


def test_case_18_credentials_that_cannot_be_read_again_are_kept_for_now(tmp_path: Path) -> None:
    with FakeApi(lambda request: Reply(status=401)) as api:
        path = _kubeconfig(tmp_path / "config", api.url, {"token": "t"})
        connection = Connection(from_kubeconfig(str(path)))
        path.unlink()
        for _ in range(2):
            with pytest.raises(KubernetesUnavailable, match="401"):
                _get(connection)


def test_case_9_a_refused_connection_says_where_and_what_to_do() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(KubernetesUnavailable) as caught:
            _get(Connection(lambda: Configuration(host=url)))
    assert str(caught.value).startswith(f"GET {url}/api/v1/pods: cannot connect (")
    assert "is the API server running" in str(caught.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NameResolutionError("api", None, socket.gaierror(-2, "unknown")), "not known to DNS"),  # type: ignore[arg-type]
        (NewConnectionError(None, "refused"), "is the API server running"),  # type: ignore[arg-type]
        (SSLError("certificate verify failed"), "certificate authority"),
        (ReadTimeoutError(None, "", "timed out"), "went silent"),  # type: ignore[arg-type]
        (TimeoutError("timed out"), "went silent"),
        (ProtocolError("Connection broken", ConnectionResetError(104, "reset")), "broke"),
        (ConnectionResetError(104, "Connection reset by peer"), "reset by peer"),
    ],
)
def test_case_9_every_way_to_get_no_answer_has_its_own_words(error: Exception, said: str) -> None:
    message = str(unreachable(error, doing=DOING))
    assert message.startswith(DOING)
    assert said in message


@pytest.mark.parametrize(
    ("code", "type_", "said"),
    [
        (400, KubernetesUnavailable, "400"),
        (401, KubernetesUnavailable, "expired"),
        (403, KubernetesForbidden, "ClusterRole"),
        (404, NotServed, "is this the address of"),
        (410, VersionExpired, "410"),
        (429, KubernetesUnavailable, "asks to wait"),
        (500, KubernetesUnavailable, "asks to wait, or is ill"),
    ],
)
def test_every_refusal_is_told_apart(code: int, type_: type[Exception], said: str) -> None:
    error = refused(code, {}, json.dumps(status(code, "because\n of that")).encode(), doing=DOING)
    assert type(error) is type_
    assert str(error).startswith(f"{DOING}: {code} because of that")
    assert said in str(error)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-1", 0.0)])
def test_case_8_retry_after_is_passed_on(header: str, seconds: float) -> None:
    assert refused(429, {"Retry-After": header}, b"", doing=DOING).retry_after == seconds


def test_a_refusal_that_is_a_page_of_html_is_quoted_in_short() -> None:
    message = str(refused(502, {}, b"<html>" + b"x" * 10_000, doing=DOING))
    assert "<html>" in message
    assert len(message) < 500


def test_a_read_under_way_ends_when_it_is_interrupted() -> None:
    with FakeApi(lambda request: Stream([b"x", Wait()])) as api:
        connection = Connection(api.load)
        response = connection.request("GET", "/", read_timeout=60, interruptible=True)
        stream = response.stream(10)
        assert next(stream) == b"x"
        ended = threading.Event()

        def read() -> None:
            try:
                next(stream, None)
            except ProtocolError:
                pass
            finally:
                ended.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert not ended.wait(0.05)
        connection.interrupt()
        assert ended.wait(5)
        thread.join()
        connection.release(response)
        connection.close()


def test_a_connection_that_ends_within_the_handshake_broke_and_no_certificate_is_blamed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            client, _ = listener.accept()
            client.recv(65536)
            client.close()

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(KubernetesUnavailable, match="the connection broke"):
            _get(Connection(lambda: Configuration(host=url)))


@pytest.mark.parametrize("reason", [BrokenPipeError(32, "Broken pipe"), ConnectionResetError(104, "reset by peer")])
def test_a_connection_that_was_made_and_broke_is_not_called_one_that_could_not_be_made(reason: OSError) -> None:
    error = NewConnectionError(None, "failed")  # type: ignore[arg-type]
    error.__cause__ = reason
    assert str(unreachable(error, doing=DOING)) == f"{DOING}: the connection broke ({reason})"
