"""A scripted Kubernetes API server on loopback: what a real one cannot be made to do on demand.

The script is a function from a request to an answer; answers say what goes over the wire, byte by byte.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from kubernetes.client import Configuration


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true" and not self.is_stream

    @property
    def is_stream(self) -> bool:
        """A list that is asked for as a stream."""
        return "sendInitialEvents" in self.query


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Wait = threading.Event
"""A part of a stream that is not bytes: what follows is sent when the event is set (or the server stops)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A chunked answer, each part a chunk of its own. `end`: 'finish' properly, 'cut' the connection, 'reset' it."""

    parts: Iterable[bytes | Wait]
    end: str = "finish"


Script = Callable[[Request], "Reply | Stream"]


class FakeApi:
    """The server; a context manager. `requests` are all that came, in order. It speaks TLS if given a context."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.02))

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def load(self) -> Configuration:
        """Configuration of the official client for this server."""
        return Configuration(host=self.url)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def watches(self) -> list[Request]:
        return [request for request in list(self.requests) if request.is_watch]

    def lists(self, path: str = "/api/v1/pods") -> list[Request]:
        """First pages only."""
        return [r for r in list(self.requests) if r.path == path and "limit" in r.query and "continue" not in r.query]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    api: FakeApi

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is everyday life here."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while request := self._read():
            self.server.api.requests.append(request)
            answer = self.server.api.script(request)
            if isinstance(answer, Reply):
                self._reply(answer)
            elif not self._stream(answer):
                return

    def _read(self) -> Request | None:
        first = self.rfile.readline().decode().split()
        if len(first) != 3:
            return None
        headers = {}
        while (text := self.rfile.readline().decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        url = urlsplit(first[1])
        return Request(first[0], url.path, dict(parse_qsl(url.query)), headers, body)

    def _reply(self, reply: Reply) -> None:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + reply.body)

    def _stream(self, stream: Stream) -> bool:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in stream.parts:
            if isinstance(part, bytes):
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            else:
                while not part.wait(0.02):
                    if self.server.api.stopping.is_set():
                        return False
        if stream.end == "finish":
            self.wfile.write(b"0\r\n\r\n")
            return True
        if stream.end == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        return False
