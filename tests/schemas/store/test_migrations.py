"""The migrations make exactly the tables that schemas.store.tables describes, and may run any number of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
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


def test_the_feedback_role_reads_what_it_needs_and_writes_its_own_two_tables(store_engine: Engine) -> None:
    with store_engine.connect() as connection:
        connection.execute(text("SET ROLE contrail_kube_feedback"))
        for readable in ("public_address", "pod_address", "resource_notice", "dead_letter", "alembic_version"):
            connection.execute(text(f"SELECT * FROM {readable}"))
        connection.execute(text("INSERT INTO told_event VALUES ('a', 'Pod/b/c', 'Why', 'uid', 'text', false, 'e')"))
        connection.execute(text("DELETE FROM written_back"))
        for statement in ("DELETE FROM resource_notice", "UPDATE apply_state SET reason = ''", "SELECT * FROM drift"):
            with pytest.raises(Exception, match="permission denied"), connection.begin_nested():
                connection.execute(text(statement))


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
        with pytest.raises(StoreMismatch, match=rf"revision 0001, this version needs {head()}"):
            require_current(engine)
        migrate(engine)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT fq_name FROM desired_object")) == "a:b"
            assert connection.execute(text("SELECT * FROM drift")).all() == []
    finally:
        engine.dispose()
        postgres_server.drop_database("old")


@pytest.fixture
def first_release(postgres_server: EmbeddedPostgres) -> Iterator[Engine]:
    """A store of revision 0001."""
    engine = connect(DatabaseSettings(url=postgres_server.ensure_database("first")), application="tests")
    try:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "0001")
        yield engine
    finally:
        engine.dispose()
        postgres_server.drop_database("first")


def test_case_57_a_migration_that_fails_midway_leaves_the_store_as_it_was(first_release: Engine) -> None:
    before = set(inspect(first_release).get_table_names())
    with first_release.begin() as connection:
        connection.execute(text("CREATE TABLE adopted_object (in_the_way integer)"))
    with pytest.raises(StoreUnavailable, match="adopted_object"):
        migrate(first_release)
    assert current(first_release) == "0001"
    assert set(inspect(first_release).get_table_names()) == before | {"adopted_object"}
    with first_release.begin() as connection:
        connection.execute(text("DROP TABLE adopted_object"))
    assert migrate(first_release) == head()


def test_case_57_migrations_only_add_so_code_of_the_release_before_can_go_on(first_release: Engine) -> None:
    before = _columns(first_release)
    migrate(first_release)
    after = _columns(first_release)
    assert before.items() <= after.items()
    added = {name: column for name, column in after.items() if name[0] in {table for table, _ in before}}
    for name in added.keys() - before.keys():
        assert added[name].may_be_left_out, f"an INSERT of the release before does not know {name}"


@dataclass(frozen=True)
class _Kind:
    type: str
    may_be_left_out: bool


def _columns(engine: Engine) -> dict[tuple[str, str], _Kind]:
    found = inspect(engine)
    return {
        (table, column["name"]): _Kind(
            # In which order texts sort is nothing that an INSERT could miss.
            str(column["type"]).partition(" COLLATE ")[0],
            column["nullable"] or column["default"] is not None or "identity" in column,
        )
        for table in found.get_table_names()
        for column in found.get_columns(table)
    }


def test_case_57_code_of_the_release_before_starts_on_the_store_of_this_one(store_engine: Engine) -> None:
    require_current(store_engine, needed="0001")


def test_case_57_code_that_a_store_of_a_later_version_does_not_serve_says_so(store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("COMMENT ON TABLE alembic_version IS 'works with the code of revisions 9998 9999'"))
    with pytest.raises(StoreMismatch, match=r"at revision 9999.*a later version has migrated it"):
        require_current(store_engine)
    with pytest.raises(StoreMismatch, match="a later version"):
        migrate(store_engine)
    with store_engine.begin() as connection:
        connection.exec_driver_sql(
            f"COMMENT ON TABLE alembic_version IS 'works with the code of revisions {head()} 9998 9999'"
        )
    require_current(store_engine)
    assert migrate(store_engine) == "9999"  # and nothing of it is made as this version would have it
    assert current(store_engine) == "9999"
