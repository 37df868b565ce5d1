"""A TCP proxy on loopback that a test can cut or silence, in front of a server that it cannot."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from typing import Self


class Proxy:
    """Passes bytes both ways to a port of 127.0.0.1; a context manager. `listen` 0 picks a free port."""

    def __init__(self, port: int, *, listen: int = 0) -> None:
        self.target = port
        self.open = True
        """New connections are passed on; else they are reset."""
        self.silent = threading.Event()
        """Set: bytes are held back and nothing is closed, as behind a router that has died."""
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", listen), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.02))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.silent.clear()
        self.reset()

    def reset(self) -> None:
        """Reset every connection that is open."""
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.shutdown(socket.SHUT_RDWR)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with self._lock:
            self._sockets.add(source)
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while self.silent.is_set():
                    self._thread.join(0.02)
                target.sendall(data)
        with self._lock:
            self._sockets.discard(source)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections break here on purpose."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        proxy = self.server.proxy
        if not proxy.open:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with socket.create_connection(("127.0.0.1", proxy.target)) as upstream:
            back = threading.Thread(target=proxy.pump, args=(upstream, self.request), daemon=True)
            back.start()
            proxy.pump(self.request, upstream)
            back.join()
