"""Which shards of the store this process works off (shell): advisory locks of one database session.

A shard is held by one applier at a time. When the process or its session ends, the database frees the locks, and
another applier takes them at its next try. Work is loaded over the same session, so that lost locks cannot go
unnoticed; the server ends a session that is not used for as long as its lease lasts, so that a process that was
stopped keeps no shards for ever.
"""

from __future__ import annotations

import logging
import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text

from applier import metrics
from applier.lease import Lease
from schemas.store.engine import store_errors
from schemas.store.tables import SHARDS

logger = logging.getLogger(__name__)

_LOCK = text("SELECT pg_try_advisory_lock(:namespace, :shard)")
# Servers before 14 have no limit for idle sessions: there, a stopped process keeps its shards until it is killed.
_LIMIT_IDLENESS = text("""
    SELECT set_config(name, :milliseconds, false) FROM pg_settings
    WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout')
""")
_TOUCH = text("SELECT 1")


class Shards:
    """The shards held by this process, and the session that holds them. Used by one thread."""

    def __init__(
        self,
        engine: Engine,
        *,
        cluster: str,
        most: int = SHARDS,
        interval: float = 2.0,
        lease: Lease | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._namespace = zlib.crc32(f"applier/{cluster}".encode()) - 2**31  # advisory locks take signed numbers
        self._most = most
        self._interval = interval
        self._clock = clock
        self._lease = lease or Lease(15.0, clock=clock)
        self._connection: Connection | None = None
        self._held: frozenset[int] = frozenset()
        self._next_try = float("-inf")

    @property
    def held(self) -> frozenset[int]:
        """Shards held, as far as was known at the last use of the session."""
        return self._held

    @property
    def wants_more(self) -> bool:
        """Whether another try may bring more shards: somebody else held some at the last one."""
        return len(self._held) < min(self._most, SHARDS)

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A read-only, consistent transaction in the session that holds the shards; takes free ones first.

        On any error the session is closed, and with it the locks go. Raises StoreUnavailable.
        """
        try:
            with store_errors("take shards and load work", self._engine), self._lease.use():
                connection = self._take()
                with connection.begin():
                    yield connection
                    asked = self._clock()
                self._lease.answered(asked)
        except BaseException:
            self.close()
            raise

    def touch(self) -> None:
        """Use the session for nothing but to know that it is alive; raises StoreUnavailable."""
        with self.session() as connection:
            connection.execute(_TOUCH)

    def close(self) -> None:
        """Give all shards back."""
        self._lease.ended()
        connection, self._connection = self._connection, None
        if self._held:
            logger.info("gave shards back shards=%s", _listing(self._held))
        self._held = frozenset()
        self._next_try = float("-inf")
        metrics.SHARDS.set(0)
        if connection is not None:
            connection.invalidate()  # closes the session, so that its locks go; a pooled one would keep them
            connection.close()

    def _take(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._limit_idleness(self._connection)
        if self.wants_more and self._clock() >= self._next_try:
            self._next_try = self._clock() + self._interval
            self._try_more(self._connection)
        return self._connection

    def _limit_idleness(self, connection: Connection) -> None:
        with connection.begin():
            connection.execute(_LIMIT_IDLENESS, {"milliseconds": str(max(1, int(self._lease.seconds * 1000)))})
        driver: Any = connection.connection.driver_connection
        self._lease.began(driver.fileno())

    def _try_more(self, connection: Connection) -> None:
        free = [shard for shard in range(SHARDS) if shard not in self._held]
        random.shuffle(free)  # two appliers that start together do not race for the same ones
        taken: set[int] = set()
        with connection.begin():
            for shard in free:
                if len(self._held) + len(taken) >= self._most:
                    break
                if connection.scalar(_LOCK, {"namespace": self._namespace, "shard": shard}):
                    taken.add(shard)
        if taken:
            self._held |= taken
            logger.info("took shards shards=%s held=%d", _listing(taken), len(self._held))
            metrics.SHARDS.set(len(self._held))


def _listing(shards: frozenset[int] | set[int]) -> str:
    return ",".join(str(shard) for shard in sorted(shards))
