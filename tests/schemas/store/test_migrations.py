"""The migrations make exactly the tables that schemas.store.tables describes, and may run any number of times."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from console.postgres import EmbeddedPostgres
from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import _config, current, head, migrate, require_current
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


def test_the_applier_role_writes_what_audits_find(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        connection.execute(text("SET ROLE contrail_kube_applier"))
        run = connection.scalar(text("INSERT INTO audit_run (cluster) VALUES ('a') RETURNING id"))
        connection.execute(
            text("""
                INSERT INTO audit_finding
                    (cluster, uuid, type, fq_name, namespace, problem, reason, first_run, last_run)
                VALUES ('a', gen_random_uuid(), 'tag', 'a:b', '', 'orphan', 'nothing wants it', :run, :run)
            """),
            {"run": run},
        )
        assert connection.execute(text("SELECT problem, seen, resources FROM drift")).one() == ("orphan", 1, [])
        assert connection.execute(text("DELETE FROM adopted_object")).rowcount == 0


def test_an_object_has_one_open_finding_and_any_number_of_resolved_ones(store_engine: Engine) -> None:
    insert = text("""
        INSERT INTO audit_finding (cluster, uuid, type, fq_name, namespace, problem, reason, first_run, last_run)
        VALUES ('a', '00000000-0000-0000-0000-000000000001', 'tag', 'a:b', '', 'changed', 'differs', 1, 1)
    """)
    with store_engine.connect() as connection:
        connection.execute(insert)
        with pytest.raises(IntegrityError, match="audit_finding_open_idx"), connection.begin_nested():
            connection.execute(insert)
        connection.execute(text("UPDATE audit_finding SET resolved_at = now(), resolution = 'repaired'"))
        connection.execute(insert)


def test_a_store_of_the_first_release_is_brought_up_to_date_with_its_rows(postgres_server: EmbeddedPostgres) -> None:
    engine = connect(DatabaseSettings(url=postgres_server.ensure_database("old")), application="tests")
    try:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "0001")
            connection.execute(
                text("INSERT INTO desired_object VALUES (gen_random_uuid(), 'a', 0, '', 'tag', 'a:b', '{}', '', 1)")
            )
        with pytest.raises(StoreMismatch, match=r"revision 0001, this version needs 0002"):
            require_current(engine)
        migrate(engine)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT fq_name FROM desired_object")) == "a:b"
            assert connection.execute(text("SELECT * FROM drift")).all() == []
    finally:
        engine.dispose()
        postgres_server.drop_database("old")
