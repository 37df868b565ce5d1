"""The migrations make exactly the tables that schemas.store.tables describes, and may run any number of times."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

from console.postgres import EmbeddedPostgres
from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import current, head, migrate, require_current
from schemas.store.tables import metadata
from schemas.store.views import VIEWS

pytestmark = pytest.mark.postgres


def test_a_migrated_database_has_the_tables_of_the_metadata(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_migrating_twice_changes_nothing(store_engine: Engine) -> None:
    assert migrate(store_engine) == head()
    assert current(store_engine) == head()


def test_every_view_can_be_read(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        for view in VIEWS:
            assert connection.execute(text(f"SELECT * FROM {view}")).all() == []


def test_an_empty_database_is_refused_with_what_to_do(postgres_server: EmbeddedPostgres) -> None:
    engine = connect(DatabaseSettings(url=postgres_server.ensure_database("empty")), application="tests")
    try:
        with pytest.raises(StoreMismatch, match=r"schemas\.store migrate"):
            require_current(engine)
    finally:
        engine.dispose()
        postgres_server.drop_database("empty")


def test_a_database_that_is_away_is_named() -> None:
    engine = connect(DatabaseSettings(url="postgresql://u:secret@127.0.0.1:1/contrail"), application="tests")
    with pytest.raises(StoreUnavailable, match=r"contrail on 127\.0\.0\.1:1") as raised:
        current(engine)
    assert "secret" not in str(raised.value)


def test_the_cni_role_reads_pod_address_and_nothing_else(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        connection.execute(text("SET ROLE contrail_kube_cni"))
        assert connection.execute(text("SELECT * FROM pod_address")).all() == []
        for statement in (
            "SELECT * FROM k8s_resource",
            "DELETE FROM desired_object",
            "INSERT INTO dead_letter DEFAULT VALUES",
        ):
            with pytest.raises(Exception, match="permission denied"), connection.begin_nested():
                connection.execute(text(statement))
