"""The register of a run that leaves nothing behind: a recording, which is a log of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from watchers.register import Wish, raised


class RegisterMemory:
    """A Register for one run of one watcher."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._epochs: dict[str, int] = {}

    def next(self, kind: str) -> int:
        """An epoch above every earlier one of this run."""
        with self._lock:
            self._epochs[kind] = raised(self._epochs.get(kind, 0), now=self._clock())
            return self._epochs[kind]

    def known(self, kind: str) -> int:
        """Nothing is known from earlier runs."""
        return 0

    def remember(self, kind: str, count: int, *, granted: Wish | None = None) -> None:
        """There is no later run."""

    def hold(self, kind: str, reason: str) -> None:
        """Nobody asks."""

    def wishes(self) -> dict[str, Wish]:
        """Nobody asks."""
        return {}
