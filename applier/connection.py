"""Connections to the API without stalls and detours (shell).

The API's web server sends header and body in two segments. Nagle's algorithm on its side holds the second back
until the first is acknowledged, and our kernel delays that acknowledgement by 40 ms. TCP_QUICKACK switches the
delay off, but the kernel forgets it as soon as the connection looks interactive, so it is set before every answer.
Our own header and body leave in one segment.
"""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere nothing is to be done


class _PromptConnection(HTTPConnection):
    _unsent: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._unsent = []
        try:
            super().request(*args, **kwargs)
            request = b"".join(self._unsent)
        finally:
            self._unsent = None
        self.send(request)

    def send(self, data: Any) -> None:
        if self._unsent is not None and isinstance(data, bytes):
            self._unsent.append(data)
        else:
            super().send(data)

    def getresponse(self) -> Any:
        if self.sock is not None and _QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return super().getresponse()


class _PromptSecureConnection(_PromptConnection, HTTPSConnection):
    """The same over TLS."""


class _PromptPool(HTTPConnectionPool):
    ConnectionCls = _PromptConnection


class _PromptSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PromptSecureConnection


class PromptAdapter(HTTPAdapter):
    """Transport for one server: a pool of `size` connections, no retries, no 40 ms stall.

    urllib3 sets TCP_NODELAY on our side by itself.
    """

    def __init__(self, size: int) -> None:
        self._pool: Any = None
        super().__init__(pool_connections=1, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager hand out our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PromptPool, "https": _PromptSecurePool}

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool of the one server, found once: to look it up costs as much as to encode a request."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool
