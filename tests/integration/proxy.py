"""A TCP proxy before PostgreSQL that can lose what the server says, and change servers."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType

_COMMIT = b"COMMIT\x00"


class Proxy:
    """Forwards connections to a port of the loopback; `target` counts for new connections."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.to_swallow = 0
        """So many answers to COMMIT are lost from now on, each with its connection."""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.target)) as server:
            self._open |= {client, server}
            try:
                self._forward(client, server)
            finally:
                self._open -= {client, server}

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        loses_answer = False
        while True:
            for readable in select.select([client, server], [], [])[0]:
                data = readable.recv(65536)
                if not data or (readable is server and loses_answer):
                    return  # the work is done by now, and nobody hears of it
                if readable is client and _COMMIT in data:
                    loses_answer = self._takes_one()
                (server if readable is client else client).sendall(data)

    def _takes_one(self) -> bool:
        with self._lock:
            if not self.to_swallow:
                return False
            self.to_swallow -= 1
            return True
