"""A real PostgreSQL for a test session, and a fresh migrated store for each test that asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from console.postgres import EmbeddedPostgres
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate

TEMPLATE = "migrated"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running server; its database `migrated` is the template of every test's own."""
    with EmbeddedPostgres(durable=False) as server:
        engine = connect(DatabaseSettings(url=server.ensure_database(TEMPLATE)), application="tests")
        migrate(engine)
        engine.dispose()
        yield server


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """URL of a fresh, migrated database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield postgres_server.ensure_database(name, template=TEMPLATE)
    postgres_server.drop_database(name)


@pytest.fixture
def store_engine(database_url: str) -> Iterator[Engine]:
    """Engine over a fresh, migrated database."""
    engine = connect(DatabaseSettings(url=database_url), application="tests")
    yield engine
    engine.dispose()
