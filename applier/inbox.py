"""Events that many threads put and one takes (shell: it waits): calls that this one shall make. Thread-safe."""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import suppress
from functools import partial

Event = Callable[[], None]


class Inbox:
    """Events in the order in which they came."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        """Have this called."""
        self._events.put(event)

    def wake(self) -> None:
        """Say nothing but that there is something to decide."""
        self._events.put(_nothing)

    def fail(self, error: Exception) -> None:
        """Have this raised where events are called."""
        self._events.put(partial(_raise, error))

    def take(self, patience: float) -> list[Event]:
        """All events so far; waits for one, for so many seconds at most."""
        events: list[Event] = []
        with suppress(queue.Empty):
            events.append(self._events.get(timeout=patience))
            while True:
                events.append(self._events.get_nowait())
        return events


def _nothing() -> None:
    pass


def _raise(error: Exception) -> None:
    raise error
