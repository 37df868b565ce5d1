"""A TCP door to a server, which can be shut, broken or walled up: endpoints that fail as machines do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from urllib.parse import urlsplit

_RESET = struct.pack("ii", 1, 0)


class Door:
    """Forwards connections to the server at `target` while it is open; its port stays the same.

    `connections` counts those that were accepted.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None and parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._scheme = parts.scheme
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.swallowing = False
        """Accept, and never answer."""
        self.connections = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self._scheme}://127.0.0.1:{self._port}"

    def open(self) -> Door:
        """Let connections in."""
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=128)
        self._port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def kill(self) -> None:
        """Refuse connections and reset those that are there, as when a process is killed; what was sent is lost."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            left, self._open = self._open, set()
        for each in left:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self) -> Door:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                came, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._keep(came)
            with contextlib.suppress(OSError):  # killed meanwhile
                if not self.swallowing:
                    self._join(came)

    def _join(self, came: socket.socket) -> None:
        there = socket.create_connection(self._target)
        self._keep(there)
        for one, other in ((came, there), (there, came)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _keep(self, one: socket.socket) -> None:
        with self._lock:
            self._open.add(one)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if not self.swallowing:
                    other.sendall(data)
        except OSError:
            pass
        for each in (one, other):
            with self._lock:
                mine = each in self._open
                self._open.discard(each)
            if mine:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)  # wakes who reads from it
                each.close()
