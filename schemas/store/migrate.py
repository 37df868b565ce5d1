"""Bringing a database to this version's schema, and checking that it is there (Alembic underneath)."""

from __future__ import annotations

import hashlib
import time
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from schemas.errors import StoreMismatch
from schemas.store.engine import store_errors
from schemas.store.roles import ensure_roles
from schemas.store.views import VIEWS

_LOCK = 0x6F70656E  # advisory lock key: two services starting together migrate once


def _config(connection: Any = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("schemas").joinpath("store", "migrations")))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Revision that this version of the code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def migrate(engine: Engine) -> str:
    """Upgrade to `head()` in one transaction, make the roles; returns the revision. Harmless to repeat."""
    with store_errors("migrate the store", engine), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection), "head")
        _make_views(connection)
        ensure_roles(connection)
    return head()


def _make_views(connection: Connection) -> None:
    """Make every view whose text changed; the comment on a view holds the digest of the text that made it."""
    for name, definition in VIEWS.items():
        digest = hashlib.sha256(definition.encode()).hexdigest()
        found = connection.scalar(text("SELECT obj_description(to_regclass(:name))"), {"name": name})
        if found != digest:
            connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
            connection.exec_driver_sql(definition)
            connection.execute(text(f"COMMENT ON VIEW {name} IS '{digest}'"))


def current(engine: Engine) -> str | None:
    """Revision of the database; None when it was never migrated."""
    with store_errors("read the store's revision", engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine, *, wait: float = 0.0) -> None:
    """Raise StoreMismatch unless the database has this version's schema.

    `wait` seconds are given to another process (a migration job) to bring it there.
    """
    deadline = time.monotonic() + wait
    while (found := current(engine)) != head():
        if time.monotonic() >= deadline:
            raise StoreMismatch(
                f"the store is at revision {found or 'none'}, this version needs {head()}: "
                "run `python -m schemas.store migrate`"
            )
        time.sleep(0.2)
