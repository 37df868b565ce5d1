"""Connecting to the store: one place for the driver's options and for what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from schemas.errors import ContrailKubeError, SettingsError, StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings

SERIALIZATION_FAILURES = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: run the transaction again."""
_MISSING_SCHEMA = frozenset({"42P01", "42703", "3F000"})
"""undefined_table, undefined_column, invalid_schema_name."""
# A server that vanished with its host never says so: found within half a minute, not the kernel's two hours.
_KEEP_ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_ADVICE = (
    ("password", "are user and password of CONTRAIL_KUBE_DATABASE_URL right?"),
    ('FATAL:  role "', "make that user, or name another in CONTRAIL_KUBE_DATABASE_URL"),
    ('FATAL:  database "', "create that database, or name another in CONTRAIL_KUBE_DATABASE_URL"),
    ("pg_hba.conf", "a line of pg_hba.conf must let this user in from here"),
    ("permission denied", "`python -m schemas.store migrate` makes the roles with the rights: grant this user its own"),
    ("Connection refused", "is PostgreSQL running there, and is CONTRAIL_KUBE_DATABASE_URL right?"),
    ("could not translate host name", "is the host's name in CONTRAIL_KUBE_DATABASE_URL right?"),
    ("connection to server", "is PostgreSQL well and reachable from here, and CONTRAIL_KUBE_DATABASE_URL right?"),
)
"""What a person can do, by what the driver said, the first that fits: a refused connection has no SQLSTATE."""


def connect(
    settings: DatabaseSettings,
    *,
    application: str,
    pool_size: int = 5,
    isolation: str | None = None,
    pooler: bool = False,
) -> Engine:
    """Engine of the store; connects lazily. Raises SettingsError for a malformed URL.

    `pooler` leaves out what pgbouncer refuses at connect; the caller then limits its statements per transaction.
    """
    try:
        url = make_url(settings.url)
    except ArgumentError as error:
        raise SettingsError(f"CONTRAIL_KUBE_DATABASE_URL is no database URL: {error}") from None
    if url.get_backend_name() != "postgresql":
        raise SettingsError(f"CONTRAIL_KUBE_DATABASE_URL: only postgresql:// is supported, not {url.drivername}://")
    options = {} if pooler else {"options": f"-c statement_timeout={int(settings.statement_timeout * 1000)}"}
    extra = {"isolation_level": isolation} if isolation else {}
    return create_engine(
        url.set(drivername="postgresql+psycopg2"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=settings.connect_timeout,
        connect_args={
            "application_name": application,
            "connect_timeout": max(1, int(settings.connect_timeout)),
            **_KEEP_ALIVE,
            **options,
        },
        **extra,
    )


@contextmanager
def store_errors(doing: str, engine: Engine) -> Iterator[None]:
    """Turn the driver's errors into ours; `doing` says what was tried ('read pod addresses')."""
    try:
        yield
    except ContrailKubeError:
        raise
    except DBAPIError as error:
        raise _translated(error, doing, engine) from error
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"could not {doing}: database {_place(engine)}: {error}") from error


def is_serialization_failure(error: BaseException) -> bool:
    """Whether the transaction lost a race and shall be run again."""
    return isinstance(error, DBAPIError) and _sqlstate(error) in SERIALIZATION_FAILURES


def _translated(error: DBAPIError, doing: str, engine: Engine) -> ContrailKubeError:
    state = _sqlstate(error)
    said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else repr(error.orig)
    if state in _MISSING_SCHEMA:
        return StoreMismatch(
            f"could not {doing}: {said}: the database {_place(engine)} is not migrated for this version; "
            "run `python -m schemas.store migrate`"
        )
    advice = next((f"; {hint}" for words, hint in _ADVICE if words in said), "")
    return StoreUnavailable(f"could not {doing}: database {_place(engine)}: {said}{advice}")


def _sqlstate(error: DBAPIError) -> str | None:
    code: str | None = getattr(error.orig, "pgcode", None)
    return code


def _place(engine: Engine) -> str:
    url = engine.url
    return f"{url.database} on {url.host or url.query.get('host', 'the local socket')}:{url.port or 5432}"
