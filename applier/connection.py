"""Connections to the API without the delayed-ACK stall (shell).

The API's web server sends header and body in two segments. Nagle's algorithm on its side holds the second back
until the first is acknowledged, and our kernel delays that acknowledgement by 40 ms. TCP_QUICKACK switches the
delay off, but the kernel forgets it as soon as the connection looks interactive, so it is set before every answer.
"""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere nothing is to be done


def _acknowledge_at_once(sock: socket.socket | None) -> None:
    if sock is not None and _QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


class _PromptConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _acknowledge_at_once(self.sock)
        return super().getresponse()


class _PromptSecureConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _acknowledge_at_once(self.sock)
        return super().getresponse()


class _PromptPool(HTTPConnectionPool):
    ConnectionCls = _PromptConnection


class _PromptSecurePool(HTTPSConnectionPool):
    ConnectionCls = _PromptSecureConnection


class PromptAdapter(HTTPAdapter):
    """Transport of a requests session: a pool of `size` connections per server, no retries, no 40 ms stall.

    urllib3 sets TCP_NODELAY on our side by itself.
    """

    def __init__(self, size: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager hand out our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PromptPool, "https": _PromptSecurePool}
