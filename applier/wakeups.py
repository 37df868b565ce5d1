"""Hears that work has come (shell): LISTEN on the store, in a thread of its own.

A wake-up is a hint: it may be lost while the connection is away, so every new connection counts as one, and the
loop asks the store now and then in any case.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import threading
from collections.abc import Callable
from typing import Any

import psycopg2
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from applier.backoff import delay

logger = logging.getLogger(__name__)

CHANNEL = "desired"
_STEP = 0.25
"""Seconds between looks at the stop flag."""
ANY_SHARD: frozenset[int] = frozenset()


class Wakeups:
    """Calls `woken` with the shards that have work (none: any) whenever the translator commits."""

    def __init__(self, engine: Engine, *, woken: Callable[[frozenset[int]], None]) -> None:
        self._engine = engine
        self._woken = woken
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    failures = 0
                    self._woken(ANY_SHARD)
                    self._listen(connection)
            except (psycopg2.Error, SQLAlchemyError, OSError, ValueError) as error:
                failures += 1
                if failures == 1:
                    logger.warning("not woken by the store until it is back: %s", str(error).strip())
                self._stop.wait(delay(failures, first=0.1, limit=15.0, jitter=random.random()))

    def _connect(self) -> Any:
        # A connection of the driver's own, outside of the pool: it is only ever listened on.
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        return connection

    def _listen(self, connection: Any) -> None:
        while not self._stop.is_set():
            if shards := _heard(connection):
                self._woken(ANY_SHARD if None in shards else frozenset(s for s in shards if s is not None))
            if select.select([connection], [], [], _STEP)[0]:
                connection.poll()


def _heard(connection: Any) -> set[int | None]:
    """Shards in the notifications that have arrived; None stands for a payload that names none."""
    shards: set[int | None] = set()
    while connection.notifies:
        payload = connection.notifies.pop(0).payload
        numbers = [int(part) for part in payload.split(",") if part.strip().isdigit()]
        shards.update(numbers or [None])
    return shards
