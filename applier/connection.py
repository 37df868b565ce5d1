"""Connections to one HTTP server, without stalls and detours (shell): one request, one answer, one deadline.

The API's web server sends header and body in two segments. Nagle's algorithm on its side holds the second back
until the first is acknowledged, and our kernel delays that acknowledgement by 40 ms. TCP_QUICKACK switches the
delay off, but the kernel forgets it as soon as the connection looks interactive, so it is set before every answer.
Our own header and body leave in one segment. Nothing is retried, no redirect is followed, and no proxy, cookie or
CA bundle of the environment is looked at.
"""

from __future__ import annotations

import http.client
import io
import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from applier.tls import Tls
from schemas.errors import Fenced

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of the longest answer that is read; lists are asked for in chunks that stay far below."""
MAX_IDLE = 15.0
"""Seconds after which a connection is not used again: a firewall may have forgotten it, a server close it just now."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere nothing is to be done
_PLAIN = re.compile(r"[!-~]+").fullmatch


class NotConnected(Exception):
    """No connection came about: nothing was sent."""


class AnswerLost(Exception):
    """The request went out, perhaps in part, and no whole answer came: the work may or may not have been done."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said."""

    status: int
    content: bytes
    headers: Message


class Server:
    """One HTTP server and the connections to it, of which `pool_size` are kept; thread-safe.

    `tls` is needed for an https URL. Timeouts are in seconds: for a connection, and for all of an answer.
    """

    def __init__(
        self, url: str, *, tls: Tls | None, connect_timeout: float, read_timeout: float, pool_size: int = 1
    ) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self._host = parts.hostname or ""
        self._tls = tls if parts.scheme == "https" else None
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = parts.path.rstrip("/")
        self._version = f" HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle: deque[_Connection] = deque()
        self._pool_size = pool_size

    def exchange(
        self, method: str, path: str, headers: bytes, body: bytes = b"", *, may_send: Callable[[], bool] | None = None
    ) -> Reply:
        """Send a request (`headers` are whole lines, each with its end) and wait for the answer.

        `may_send` is asked at the last moment: a connection may take its time. Raises Fenced if it says no,
        NotConnected if nothing could be sent, and AnswerLost if something may have been.
        """
        if not _PLAIN(path):
            raise ValueError(f"{path!r} cannot stand in a request")
        request = b"".join((f"{method} {self._path}{path}{self._version}".encode(), headers, b"\r\n", body))
        connection = self._take() or self._connect()
        if may_send is not None and not may_send():
            self._give_back(connection)
            raise Fenced(f"{method} {path} was not sent")
        try:
            reply, reusable = connection.ask(method, request, time.monotonic() + self._read_timeout)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            said = self._why(error, f"no answer within {self._read_timeout:g} s")
            if self._tls is not None and connection.is_new and isinstance(error, ConnectionError):
                said += self._tls.hint  # in TLS 1.3 a certificate is refused after the first request was sent
            raise AnswerLost(said) from error
        except BaseException:
            connection.close()
            raise
        if reusable:
            self._give_back(connection)
        else:
            connection.close()
        return reply

    def drop_idle(self) -> None:
        """Close the connections that nobody uses now; the next request makes a new one."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def close(self) -> None:
        """Close the connections, and keep none from now on."""
        self._pool_size = 0
        self.drop_idle()

    def _give_back(self, connection: _Connection) -> None:
        if len(self._idle) < self._pool_size:
            self._idle.append(connection)
        else:
            connection.close()

    def _take(self) -> _Connection | None:
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()  # the one used last, so that those no longer needed grow old
                if connection.is_usable:
                    return connection
                connection.close()
        return None

    def _connect(self) -> _Connection:
        deadline = time.monotonic() + self._connect_timeout
        try:
            opened = _open(self._host, self._port, deadline)
            if self._tls is not None:
                opened = _secured(opened, self._tls.context(), self._host, deadline)
        except (OSError, UnicodeError) as error:
            raise NotConnected(self._why(error, f"no connection within {self._connect_timeout:g} s")) from error
        return _Connection(opened)

    def _why(self, error: Exception, when_late: str) -> str:
        if isinstance(error, TimeoutError):
            return when_late
        if isinstance(error, ssl.SSLError) and self._tls is not None:
            return self._tls.trouble(error, self._host)
        return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Connection:
    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._incoming = _Incoming(opened)
        self._poll = select.poll()
        self._poll.register(opened, select.POLLIN)
        self._used_at = 0.0

    @property
    def is_new(self) -> bool:
        """Whether it has never had an answer."""
        return self._used_at == 0.0

    @property
    def is_usable(self) -> bool:
        """Neither idle for too long nor closed by the server, which shows as something to read."""
        return time.monotonic() - self._used_at < MAX_IDLE and not self._poll.poll(0)

    def ask(self, method: str, request: bytes, deadline: float) -> tuple[Reply, bool]:
        """The answer, and whether the connection can be used again."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        self._socket.sendall(request)
        if _QUICKACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        self._incoming.deadline = deadline
        response = http.client.HTTPResponse(self._incoming, method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            content = _content(response)
        finally:
            response.close()
        self._used_at = time.monotonic()
        return Reply(response.status, content, response.headers), not response.will_close

    def close(self) -> None:
        self._socket.close()


class _Incoming(io.RawIOBase):
    """What comes over a socket until a deadline: a server that sends byte by byte cannot stretch it."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self.deadline = 0.0

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        """The connection outlives an answer."""


def _content(response: http.client.HTTPResponse) -> bytes:
    if response.length is not None and response.length <= MAX_ANSWER:
        return response.read()
    content = response.read(MAX_ANSWER + 1)
    if len(content) > MAX_ANSWER:
        raise http.client.HTTPException(f"the answer is longer than {MAX_ANSWER} bytes")
    return content


def _open(host: str, port: int, deadline: float) -> socket.socket:
    """A TCP connection to the first address of the host that takes one."""
    failure: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(max(0.001, deadline - time.monotonic()))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
        except OSError as error:
            opened.close()
            failure = error
    raise failure or OSError(f"host {host} has no address")


def _secured(opened: socket.socket, context: ssl.SSLContext, host: str, deadline: float) -> socket.socket:
    opened.settimeout(max(0.001, deadline - time.monotonic()))
    try:
        return context.wrap_socket(opened, server_hostname=host)
    except BaseException:
        opened.close()
        raise
