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

SERVED = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Earlier revisions whose code works with the store of this one as well: services are replaced one after another."""
_SERVES = "works with the code of revisions"
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
    """Upgrade to `head()` in one transaction, make the roles; returns the revision. Harmless to repeat.

    What a later version has migrated is left as it is; StoreMismatch if this one does not work with that.
    """
    if _is_later(found := current(engine)):
        require_current(engine)
        return str(found)
    with store_errors("migrate the store", engine), engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        command.upgrade(_config(connection), "head")
        _make_views(connection)
        connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{_SERVES} {' '.join((*SERVED, head()))}'")
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


def _is_later(revision: str | None) -> bool:
    """Whether a later version than this one made the revision."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    return revision is not None and revision not in known


def current(engine: Engine) -> str | None:
    """Revision of the database; None when it was never migrated."""
    with store_errors("read the store's revision", engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def served(engine: Engine) -> frozenset[str]:
    """Revisions whose code works with the store as it is, by the word of the version that migrated it."""
    with store_errors("read what the store serves", engine), engine.connect() as connection:
        said = connection.scalar(text("SELECT obj_description(to_regclass('alembic_version'))")) or ""
    return frozenset(said.removeprefix(_SERVES).split()) if said.startswith(_SERVES) else frozenset()


def require_current(engine: Engine, *, wait: float = 0.0, needed: str | None = None) -> None:
    """Raise StoreMismatch unless this version's code works with the database's schema: its own, or a later one.

    `wait` seconds are given to another process (a migration job) to bring it there; `needed` is the revision
    that is asked for, `head()` if not given.
    """
    needed = needed or head()
    deadline = time.monotonic() + wait
    while (found := current(engine)) != needed and needed not in served(engine):
        if time.monotonic() >= deadline:
            raise StoreMismatch(_mismatch(found, needed))
        time.sleep(0.2)


def _mismatch(found: str | None, needed: str) -> str:
    if _is_later(found):
        return (
            f"the store is at revision {found}, this version needs {needed}: a later version has migrated it, "
            "and this one does not work with it any more; install that version here too"
        )
    return (
        f"the store is at revision {found or 'none'}, this version needs {needed}: "
        "run `python -m schemas.store migrate`"
    )
