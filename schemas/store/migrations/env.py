"""Alembic's entry: runs the migrations on the connection that schemas.store.migrate passes in."""

from __future__ import annotations

from alembic import context

from schemas.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
