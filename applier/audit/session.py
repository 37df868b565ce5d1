"""The database session of one audit (shell; SQL): its lock, its scratch tables, and short transactions.

One audit of a cluster runs at a time: the session holds an advisory lock, which the database frees when the session
ends, however it ends. What was listed so far stands in temporary tables, so memory is bounded by one page.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, text

from applier.races import again_if_lost
from schemas.store.engine import store_errors

P = ParamSpec("P")
T = TypeVar("T")

_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")
_PATIENCE = text("SET statement_timeout = '10min'")
_SCRATCH = text("""
    CREATE TEMPORARY TABLE audit_seen (uuid uuid PRIMARY KEY);
    CREATE TEMPORARY TABLE audit_candidate (uuid uuid PRIMARY KEY);
    CREATE TEMPORARY TABLE audit_reference (
        owner_type text, owner_uuid uuid, owner_fq_name text, owner_address text, target_uuid uuid, attr jsonb);
    CREATE INDEX ON audit_reference (target_uuid);
    CREATE TEMPORARY TABLE audit_found (
        uuid uuid PRIMARY KEY, type text, fq_name text, namespace text, problem text, reason text, detail jsonb);
    CREATE TEMPORARY TABLE audit_repair (n bigint PRIMARY KEY, uuid uuid, problem text, slot bigint)
""")


class Session:
    """One session of the database, held while the `with` block of `open_session` lasts."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self._engine = engine
        self._connection = connection

    def run(self, doing: str, work: Callable[Concatenate[Connection, P], T], *args: P.args, **named: P.kwargs) -> T:
        """`work(connection, …)` in one transaction, again if it lost a race; raises StoreUnavailable."""

        def transaction() -> T:
            with self._connection.begin():
                return work(self._connection, *args, **named)

        with store_errors(doing, self._engine):
            return again_if_lost(transaction)


@contextmanager
def open_session(engine: Engine, *, cluster: str) -> Iterator[Session | None]:
    """The session of an audit; None while another audit of the cluster runs. Raises StoreUnavailable."""
    key = zlib.crc32(f"audit/{cluster}".encode())
    with store_errors("begin an audit", engine):
        connection = engine.connect()
    try:
        session = Session(engine, connection)
        if session.run("take the audit's lock", _lock, key):
            session.run("prepare an audit", _prepare)
            yield session
            session.run("give the audit's lock back", _unlock, key)  # at once; the server may notice the end later
        else:
            yield None
    finally:
        connection.invalidate()  # ends the session: lock and scratch tables must not go back to the pool with it
        connection.close()


def _lock(connection: Connection, key: int) -> bool:
    return bool(connection.scalar(_LOCK, {"key": key}))


def _unlock(connection: Connection, key: int) -> None:
    connection.execute(_UNLOCK, {"key": key})


def _prepare(connection: Connection) -> None:
    connection.execute(_PATIENCE)
    connection.execute(_SCRATCH)
