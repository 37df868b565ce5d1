"""The adapter over the real view of a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.engine import make_url

from cni.address_store import PostgresAddresses
from cni.addresses import usable
from cni.interface import interface_of
from cni.requests import Pod
from schemas.contrail.objects import ContrailObject, Link, Reference
from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings
from schemas.store import tables
from tests.cni.nodes import wait_for
from tests.cni.rows import NETWORK_UUID, UID, row

pytestmark = pytest.mark.postgres

WEB = Pod("shop", "web-0", UID)
IIP_UUID = "5c3f2b6e-0000-4000-8000-0000000000f1"
ROUTER = ("default-global-system-config", "node-a")


@pytest.fixture
def store(database_url: str) -> Iterator[PostgresAddresses]:
    made = PostgresAddresses(DatabaseSettings(url=database_url), cluster="k8s", node="node-a")
    yield made
    made.close()


def _objects() -> list[tuple[str, str, str, Any]]:
    """(uuid, type, fq_name, body) of what a translated pod leaves in the store."""
    expected = row()
    machine = ContrailObject("virtual-machine", (expected.machine_name,), UID)
    interface = ContrailObject(
        "virtual-machine-interface",
        ("default-domain", "k8s-shop", "web-0__x"),
        expected.interface_uuid,
        parent_type="project",
        properties={
            "virtual_machine_interface_mac_addresses": {"mac_address": [expected.mac]},
            "annotations": {"key_value_pair": [{"key": "index", "value": "0/1"}]},
        },
        references=(
            Reference("virtual-machine", (expected.machine_name,), UID),
            Reference("virtual-network", tuple(expected.network.split(":")), NETWORK_UUID),
        ),
    )
    address = ContrailObject(
        "instance-ip",
        ("web-0__y",),
        IIP_UUID,
        references=(Reference("virtual-machine-interface", interface.fq_name, interface.uuid),),
    )
    made = [(o.uuid, o.type, ":".join(o.fq_name), o.body()) for o in (machine, interface, address)]
    link = Link("virtual-router", ROUTER, "virtual-machine", (expected.machine_name,), UID)
    return [*made, (link.uuid, "link", ":".join(link.fq_name), link.body())]


def _insert_pod(engine: Engine) -> None:
    pod = {
        "cluster": "k8s",
        "kind": "Pod",
        "namespace": "shop",
        "name": "web-0",
        "api_version": "v1",
        "uid": UID,
        "resource_version": "1",
        "epoch": 1,
        "body": {"node_name": "node-a"},
        "digest": b"",
        "topic": "",
        "partition": -1,
        "at_offset": -1,
    }
    objects = [
        {
            "uuid": uuid,
            "cluster": "k8s",
            "shard": 0,
            "namespace": "shop",
            "type": kind,
            "fq_name": fq_name,
            "body": body,
            "digest": b"",
            "generation": 1,
        }
        for uuid, kind, fq_name, body in _objects()
    ]
    sources = [
        {"object_uuid": o["uuid"], "cluster": "k8s", "resource": "Pod/shop/web-0", "digest": b""} for o in objects
    ]
    edges = [(row().interface_uuid, UID), (IIP_UUID, row().interface_uuid), (objects[3]["uuid"], UID)]
    with engine.begin() as connection:
        connection.execute(insert(tables.k8s_resource), pod)
        connection.execute(insert(tables.desired_object), objects)
        connection.execute(insert(tables.desired_source), sources)
        connection.execute(
            insert(tables.desired_edge),
            [{"from_uuid": one, "to_uuid": other, "relation": "ref"} for one, other in edges],
        )


def _apply(engine: Engine) -> None:
    observed = {"address": "10.47.255.250", "prefix_len": 12, "gateway": "10.47.255.254", "dns": "10.47.255.253"}
    states = [
        {"object_uuid": uuid, "shard": 0, "status": "applied", "desired_generation": 1, "applied_generation": 1}
        for uuid, *_ in _objects()
    ]
    with engine.begin() as connection:
        connection.execute(insert(tables.apply_state), states)
        connection.execute(
            insert(tables.observed_object),
            {"uuid": IIP_UUID, "type": "instance-ip", "body": observed, "digest": b""},
        )


def test_a_pod_is_read_from_unknown_over_pending_to_ready(store: PostgresAddresses, store_engine: Engine) -> None:
    assert store.addresses(WEB) == ()
    _insert_pod(store_engine)
    (waiting,) = store.addresses(WEB)
    assert (waiting.state, waiting.address, waiting.linked) == ("pending", None, False)
    _apply(store_engine)
    assert store.addresses(WEB) == (row(),)
    assert store.addresses(Pod("shop", "web-0")) == (row(),)
    interface_of(usable(store.addresses(WEB), WEB, "eth0", "node-a"), "eth0", 1500)


def test_another_uid_name_or_cluster_reads_nothing(
    store: PostgresAddresses, store_engine: Engine, database_url: str
) -> None:
    _insert_pod(store_engine)
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
    _insert_pod(store_engine)
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
