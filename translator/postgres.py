"""The store in PostgreSQL: transactions that behave as if each ran alone, retried when they lose a race.

SERIALIZABLE makes it so: under READ COMMITTED a pod translated while its node arrives in another partition is
lost. Its price is that a transaction may have to run again; one that lost twice, and for a while the ones after
it, runs alone instead, so there is always progress.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from schemas.errors import StoreUnavailable
from schemas.store.engine import is_serialization_failure, store_errors
from translator import metrics
from translator import statements as sql
from translator.copying import json_parameter
from translator.postgres_session import PostgresSession
from translator.store import Progress, Session

logger = logging.getLogger(__name__)

T = TypeVar("T")

OPTIMISTIC_RUNS = 2
"""Runs beside other translators before a transaction asks to run alone."""
MAX_RUNS = 12
"""Then something else is wrong, and the caller backs off."""
ALONE_FOR = 32
"""Transactions that run alone from the start after one had to: where races are frequent, losing them costs more."""
_UNIQUE_VIOLATION = "23505"
_OWN_FAULTS = (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.NotSupportedError)
"""Not the database's state but what we sent: trying again sends the same."""


class PostgresStore:
    """Store port over one connection of the engine; `rollback_on_close` is not needed: every run ends itself."""

    def __init__(self, engine: Engine, cluster: str) -> None:
        self._engine = engine
        self._cluster = cluster
        self._connection: Connection | None = None
        self._alone = 0

    def progress(self, consumer: str, topic: str, partitions: Collection[int], version: str) -> dict[int, Progress]:
        """How far the consumer is in each partition; one seen for the first time begins at 0 with `version`."""
        values = {"consumer": consumer, "topic": topic, "version": version}

        def ask(cursor: Any) -> dict[int, Progress]:
            cursor.execute(sql.BEGIN_OFFSETS, {**values, "partitions": json_parameter(sorted(partitions))})
            cursor.execute(sql.READ_OFFSETS, {**values, "partitions": sorted(partitions)})
            return {number: Progress(offset, version) for number, offset, version in cursor}

        return self._retry("read the consumer's offsets", ask) if partitions else {}

    def run(self, work: Callable[[Session], T]) -> T:
        """Run the work in one transaction and commit."""
        return self._retry("store a batch", lambda cursor: work(PostgresSession(cursor, self._cluster)))

    def is_empty(self) -> bool:
        """Whether nothing was ever stored."""
        return bool(self._retry("look into the store", lambda cursor: _row(cursor, sql.IS_EMPTY))[0])

    def desired_rows(self) -> Iterator[tuple[str, str, str, bytes]]:
        """(uuid, type, fq_name, digest) of every desired object that is not absent, ordered by uuid."""

        def ask(cursor: Any) -> list[tuple[str, str, str, bytes]]:
            cursor.execute(sql.DESIRED_ROWS, {"cluster": self._cluster})
            return [(uuid, kind, fq_name, bytes(digest)) for uuid, kind, fq_name, digest in cursor]

        yield from self._retry("read the desired objects", ask)

    def counts(self) -> Mapping[str, int]:
        """Rows by what a summary shows."""
        names = ("resources", "objects", "absent", "diffs", "dead_letters")
        row = self._retry("count rows", lambda cursor: _row(cursor, sql.COUNTS, cluster=self._cluster))
        return dict(zip(names, row, strict=True))

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _retry(self, doing: str, work: Callable[[Any], T]) -> T:
        with store_errors(doing, self._engine):
            for run in range(MAX_RUNS):
                alone = run >= OPTIMISTIC_RUNS or self._alone > 0
                try:
                    result = self._once(work, alone=alone)
                except (psycopg2.Error, DBAPIError) as error:
                    self._drop_if_broken()
                    wrapped = _wrapped(error)
                    if not _lost_race(wrapped) or run == MAX_RUNS - 1:
                        raise wrapped from error
                    metrics.RACES.inc()
                    logger.debug("lost a race run=%d alone=%s: %s", run + 1, alone, str(error).strip())
                else:
                    self._alone = ALONE_FOR if run >= OPTIMISTIC_RUNS else max(0, self._alone - 1)
                    return result
            raise StoreUnavailable(f"could not {doing}: no run was made")

    def _once(self, work: Callable[[Any], T], *, alone: bool) -> T:
        connection = self._connected()
        with connection.begin():
            cursor = connection.connection.cursor()
            try:
                cursor.execute(sql.PREPARE + (sql.LOCK_ALONE if alone else sql.LOCK_SHARED))
                return work(cursor)
            finally:
                cursor.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect().execution_options(isolation_level="SERIALIZABLE")
            with connection.begin():
                connection.exec_driver_sql(sql.TEMPORARY)
            self._connection = connection
        return self._connection

    def _drop_if_broken(self) -> None:
        """Forget a connection that the server or the network ended; the next run opens another."""
        connection = self._connection
        if connection is None:
            return
        if not connection.invalidated:  # else to ask for the driver's would open another, without our tables
            driver: Any = connection.connection.dbapi_connection
            if driver is not None and not driver.closed:
                return
            connection.invalidate()
        self.close()


def _wrapped(error: psycopg2.Error | DBAPIError) -> Exception:
    """The error as `store_errors` knows it; our own faults stay the driver's, and stop the process."""
    driver = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver, _OWN_FAULTS):
        return driver
    return DBAPIError("", None, driver)  # type: ignore[arg-type]


def _lost_race(error: Exception) -> bool:
    """A unique violation can be one too: two transactions that looked before they made the same row."""
    return is_serialization_failure(error) or getattr(error, "pgcode", None) == _UNIQUE_VIOLATION


def _row(cursor: Any, statement: str, **parameters: Any) -> tuple[Any, ...]:
    cursor.execute(statement, parameters)
    row: tuple[Any, ...] = cursor.fetchone()
    return row
