"""The adapter over the real view of a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from cni.address_store import PostgresAddresses
from cni.addresses import usable
from cni.interface import interface_of
from cni.requests import Pod
from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings
from tests.cni.nodes import wait_for
from tests.cni.rows import UID, row
from tests.cni.stored import apply_pod, insert_pod

pytestmark = pytest.mark.postgres

WEB = Pod("shop", "web-0", UID)


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresAddresses]:
    made = PostgresAddresses(DatabaseSettings(url=database_url), cluster="k8s", node="node-a")
    yield made
    made.close()


def test_a_pod_is_read_from_unknown_over_pending_to_ready(store: PostgresAddresses, store_engine: Engine) -> None:
    assert store.addresses(WEB) == ()
    insert_pod(store_engine)
    (waiting,) = store.addresses(WEB)
    assert (waiting.state, waiting.address, waiting.linked) == ("pending", None, False)
    apply_pod(store_engine)
    assert store.addresses(WEB) == (row(),)
    assert store.addresses(Pod("shop", "web-0")) == (row(),)
    interface_of(usable(store.addresses(WEB), WEB, "eth0", "node-a")["eth0"], "eth0", 1500)


def test_another_uid_name_or_cluster_reads_nothing(
    store: PostgresAddresses, store_engine: Engine, database_url: str
) -> None:
    insert_pod(store_engine)
    assert store.addresses(Pod("shop", "web-0", "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0002")) == ()
    assert store.addresses(Pod("shop", "web-1")) == ()
    other = PostgresAddresses(DatabaseSettings(url=database_url), cluster="k8s2", node="node-a")
    assert other.addresses(WEB) == ()
    other.close()


def test_case_93_the_cni_role_is_enough_and_can_read_and_write_nothing_else(
    store_engine: Engine, database_url: str
) -> None:
    login = f"node_{make_url(database_url).database}"
    with store_engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {login} LOGIN IN ROLE contrail_kube_cni"))
    insert_pod(store_engine)
    url = make_url(database_url).set(username=login)
    try:
        store = PostgresAddresses(
            DatabaseSettings(url=url.render_as_string(hide_password=False)), cluster="k8s", node="node-a"
        )
        store.check()
        assert len(store.addresses(WEB)) == 1
        store.close()
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        for statement in (
            "SELECT * FROM desired_object",
            "SELECT * FROM k8s_resource",
            "DELETE FROM k8s_resource",
            "INSERT INTO apply_state DEFAULT VALUES",
            "UPDATE desired_object SET absent = true",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)
            connection.rollback()
        connection.close()
    finally:
        with store_engine.begin() as owner:
            owner.execute(text(f"DROP ROLE {login}"))


def test_case_85_a_slow_database_is_cut_off_within_its_limit(store: PostgresAddresses, store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        connection.execute(text("LOCK TABLE k8s_resource IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            store.addresses(WEB)
    store.check()


def test_case_52_a_killed_connection_is_replaced(store: PostgresAddresses, store_engine: Engine) -> None:
    store.check()
    with store_engine.begin() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cni/node-a'")
        )
    store.check()


def test_an_absent_database_is_unavailable_and_an_unmigrated_one_a_mismatch(database_url: str) -> None:
    absent = PostgresAddresses(
        DatabaseSettings(url="postgresql://postgres@127.0.0.1:1/none"), cluster="k8s", node="node-a"
    )
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1"):
        absent.check()
    absent.close()
    empty = make_url(database_url).set(database="postgres")
    unmigrated = PostgresAddresses(
        DatabaseSettings(url=empty.render_as_string(hide_password=False)), cluster="k8s", node="node-a"
    )
    with pytest.raises(StoreMismatch, match="not migrated"):
        unmigrated.check()
    unmigrated.close()


def test_idle_connections_are_given_back(database_url: str, store_engine: Engine) -> None:
    now = [0.0]
    store = PostgresAddresses(
        DatabaseSettings(url=database_url), cluster="k8s", node="idle", idle=30, clock=lambda: now[0]
    )
    count = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cni/idle'")

    def connections() -> int:
        with store_engine.connect() as connection:
            return int(connection.scalar(count) or 0)

    store.check()
    now[0] = 29
    store.rest()
    assert connections() == 1
    now[0] = 31
    store.rest()
    wait_for(lambda: connections() == 0, "the connection to close")
    store.check()
    store.close()
