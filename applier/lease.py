"""Whether the shards of this process are surely still its own (shell: a clock, and a look at a socket). Thread-safe.

The database frees a shard when the session that locks it ends. A process that was stopped for a while, or whose
session was ended, finds out at its next load: what it writes until then may be older than what the next holder
wrote, and Contrail takes it. So each write is preceded by this question, which costs no round trip.

The server ends a session that was not used for `seconds`; here, it is trusted for two thirds of that since it was
last used. So who holds a shard has stopped to write before anybody else can take it, even if it cannot be told.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Lease:
    """Told of the session that holds the shards by the thread that uses it; asked by all that write."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._socket: int | None = None
        self._in_use = False
        self._until = float("-inf")
        self._session = 0
        self._begun_under = threading.local()

    @property
    def session(self) -> int:
        """Number of the session; another one may not hold what this one did, or did not hold it all the time."""
        return self._session

    @property
    def refresh_interval(self) -> float:
        """Seconds after which the session should be used again."""
        return self.seconds / 5

    def began(self, socket: int) -> None:
        """A session was opened; `socket` is its file descriptor."""
        with self._lock:
            self._socket = socket
            self._session += 1

    def ended(self) -> None:
        """The session is about to be closed, and with it the shards go."""
        with self._lock:
            self._socket = None
            self._until = float("-inf")

    @contextmanager
    def use(self) -> Iterator[None]:
        """While the session is used, answers on its socket are no sign of its end."""
        with self._lock:
            self._in_use = True
        try:
            yield
        finally:
            with self._lock:
                self._in_use = False

    def answered(self, asked: float) -> None:
        """The server answered what was asked at this time of the clock."""
        with self._lock:
            self._until = asked + self.seconds * 2 / 3

    @contextmanager
    def since(self, session: int) -> Iterator[None]:
        """What this thread does meanwhile was begun when this was the session."""
        self._begun_under.session = session
        try:
            yield
        finally:
            self._begun_under.session = None

    def is_certain(self) -> bool:
        """Whether the shards are surely ours now, and were `since` this thread's work was begun."""
        begun_under = getattr(self._begun_under, "session", None)
        with self._lock:
            if begun_under is not None and begun_under != self._session:
                return False
            if self._socket is None or self._clock() >= self._until:
                return False
            return self._in_use or not _is_readable(self._socket)


def _is_readable(socket: int) -> bool:
    """Whether the server said something, or hung up: an idle session has no reason to, but its end."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
