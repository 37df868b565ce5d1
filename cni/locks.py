"""Locks by name, so that two requests never work on one container or one machine at once (shell)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import AgentUnavailable


class NamedLocks:
    """Locks that exist while somebody holds or wants them. Order: the container's first, then the machine's."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, *names: str, timeout: float) -> Iterator[None]:
        """Hold the locks in the order given; raises AgentUnavailable when `timeout` seconds were not enough."""
        deadline = time.monotonic() + timeout
        held: list[str] = []
        try:
            for name in names:
                self._acquire(name, max(deadline - time.monotonic(), 0))
                held.append(name)
            yield
        finally:
            for name in reversed(held):
                self._release(name)

    def _acquire(self, name: str, timeout: float) -> None:
        with self._mutex:
            lock, wanted = self._locks.get(name, (threading.Lock(), 0))
            self._locks[name] = (lock, wanted + 1)
        if not lock.acquire(timeout=timeout):
            self._forget(name)
            raise AgentUnavailable(f"another request for {name} has not ended within {timeout:.0f} s")

    def _release(self, name: str) -> None:
        with self._mutex:
            lock, _ = self._locks[name]
        lock.release()
        self._forget(name)

    def _forget(self, name: str) -> None:
        with self._mutex:
            lock, wanted = self._locks[name]
            if wanted == 1:
                del self._locks[name]
            else:
                self._locks[name] = (lock, wanted - 1)


def container(identifier: str) -> str:
    """Name of a container's lock."""
    return f"container {identifier}"


def machine(uuid: str) -> str:
    """Name of a machine's (a pod's) lock."""
    return f"machine {uuid}"
