"""Connections to one server: what was sent and what was not, deadlines, and which are used again."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

import applier.connection
from applier.connection import AnswerLost, NotConnected, Server
from schemas.errors import Fenced
from tests.applier.scripted import Request, ScriptedServer, reply

pytestmark = pytest.mark.process


@contextlib.contextmanager
def server_at(url: str, *, read_timeout: float = 5.0) -> Iterator[Server]:
    server = Server(url, tls=None, connect_timeout=2.0, read_timeout=read_timeout, pool_size=2)
    try:
        yield server
    finally:
        server.close()


def ok(request: Request, connection: socket.socket) -> None:
    connection.sendall(reply(200, b"{}"))


def test_nothing_was_sent_to_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with server_at(f"http://127.0.0.1:{port}") as server, pytest.raises(NotConnected, match="Connection refused"):
        server.exchange("GET", "/", b"")


def test_nothing_was_sent_to_a_name_that_is_not_known() -> None:
    with server_at("http://contrail.invalid:8082") as server, pytest.raises(NotConnected):
        server.exchange("GET", "/", b"")


def test_a_request_leaves_in_one_piece() -> None:
    pieces: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                pieces.append(connection.recv(65536))
                connection.sendall(reply(200, b"{}"))

        thread = threading.Thread(target=serve)
        thread.start()
        with server_at(f"http://127.0.0.1:{listener.getsockname()[1]}/base/") as server:
            server.exchange("POST", "/x", b"Content-Length: 4\r\n", b"body")
        thread.join()
    head, _, body = pieces[0].partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /base/x HTTP/1.1"
    assert body == b"body"


def test_permission_is_asked_once_connected_and_nothing_is_sent_without_it() -> None:
    with ScriptedServer(ok) as scripted, server_at(scripted.url) as server:
        for _ in range(3):
            with pytest.raises(Fenced, match="GET /x was not sent"):
                server.exchange("GET", "/x", b"", may_send=lambda: False)
        assert server.exchange("GET", "/x", b"", may_send=lambda: True).status == 200
        assert len(scripted.requests) == 1
        with pytest.raises(Fenced):
            server.exchange("GET", "/x", b"", may_send=lambda: False)
        assert server.exchange("GET", "/x", b"").status == 200
        assert len(scripted.requests) == 2


def test_headers_that_drip_end_at_the_deadline() -> None:
    def drip(request: Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            connection.sendall(b"x")
            threading.Event().wait(0.05)

    with ScriptedServer(drip) as scripted, server_at(scripted.url, read_timeout=0.3) as server:
        began = time.monotonic()
        with pytest.raises(AnswerLost, match=r"no answer within 0.3 s"):
            server.exchange("GET", "/", b"")
        assert time.monotonic() - began < 2.0


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    def once(request: Request, connection: socket.socket) -> None:
        ok(request, connection)
        connection.shutdown(socket.SHUT_RDWR)

    with ScriptedServer(once) as scripted, server_at(scripted.url) as server:
        for n in range(1, 4):
            assert server.exchange("GET", "/", b"").status == 200
            assert scripted.connections == n
            time.sleep(0.05)  # the end of a connection takes its way, too


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applier.connection, "MAX_IDLE", 0.0)
    with ScriptedServer(ok) as scripted, server_at(scripted.url) as server:
        for _ in range(3):
            server.exchange("GET", "/", b"")
        assert scripted.connections == 3


def test_a_server_may_end_the_connection_with_its_answer() -> None:
    def last(request: Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
        connection.shutdown(socket.SHUT_RDWR)

    with ScriptedServer(last) as scripted, server_at(scripted.url) as server:
        assert server.exchange("GET", "/", b"").content == b"{}"
        assert server.exchange("GET", "/", b"").content == b"{}"


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def flood(request: Request, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    monkeypatch.setattr(applier.connection, "MAX_ANSWER", 1_000_000)
    with (
        ScriptedServer(flood) as scripted,
        server_at(scripted.url) as server,
        pytest.raises(AnswerLost, match="longer"),
    ):
        server.exchange("GET", "/", b"")


@pytest.mark.parametrize("path", ["/x y", "/x\r\nEvil: 1", "/é", ""])
def test_a_path_cannot_break_out_of_its_line(path: str) -> None:
    with server_at("http://127.0.0.1:9") as server, pytest.raises(ValueError, match="cannot stand in a request"):
        server.exchange("GET", path, b"")
