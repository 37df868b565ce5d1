"""What the console reads from a store: pages of pods, totals, networks, troubles, and how far the log was read."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from console.observe import all_pods, holds, nodes, snapshot, troubles
from console.snapshot import DeadLetter, NetworkLine, PodLine, Trouble
from schemas.errors import StoreUnavailable
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from tests.console import rows

pytestmark = pytest.mark.postgres

NETWORK = "default-domain:k8s-default:k8s-default-pod-network"


@pytest.fixture
def filled(store_engine: Engine) -> Engine:
    with store_engine.begin() as connection:
        rows.put_object(connection, rows.NETWORK)
        rows.put_pod(connection, "shop", "web-1", address="10.47.255.252")
        rows.put_pod(connection, "shop", "web-0", address="10.47.255.251", node="node-2")
        rows.put_pod(connection, "kube-system", "dns", status="blocked", reason="virtual-router node-1 is not known")
        rows.put_pod(connection, "shop", "web-2", status="pending")
        rows.put_resource(
            connection, "Node", "", "node-1", {"addresses": [{"type": "InternalIP", "address": "1.2.3.4"}]}
        )
        rows.put_position(connection, {0: 30, 1: 12}, {"Pod": "streaming", "Node": "listing"})
        rows.put_dead_letter(connection, "record has no value")
    return store_engine


def test_pods_come_in_pages_in_order_of_their_names(filled: Engine) -> None:
    first = snapshot(filled, cluster=rows.CLUSTER, topic=rows.TOPIC, first=0, rows=2)
    then = snapshot(filled, cluster=rows.CLUSTER, topic=rows.TOPIC, first=2, rows=2)
    assert [(pod.namespace, pod.name) for pod in (*first.pods, *then.pods)] == [
        ("kube-system", "dns"),
        ("shop", "web-0"),
        ("shop", "web-1"),
        ("shop", "web-2"),
    ]
    assert first.pods[1] == PodLine("shop", "web-0", "node-2", NETWORK, "10.47.255.251", "ready")
    assert first.pods[0] == PodLine(
        "kube-system", "dns", "node-1", NETWORK, "", "blocked", "virtual-router node-1 is not known"
    )
    assert all_pods(filled, cluster=rows.CLUSTER) == (*first.pods, *then.pods)


def test_totals_count_objects_links_and_resources_by_status_and_kind(filled: Engine) -> None:
    counts = snapshot(filled, cluster=rows.CLUSTER, topic=rows.TOPIC).counts
    assert counts.resources == {"Pod": 4, "Node": 1}
    assert counts.objects == {"applied": 7, "blocked": 3, "pending": 3}
    assert counts.links == {"applied": 2, "blocked": 1, "pending": 1}
    assert counts.unapplied("blocked", "pending") == 8
    assert counts.dead_letters == 1
    assert counts.applied_lately > 0


def test_networks_have_counts(filled: Engine) -> None:
    found = snapshot(filled, cluster=rows.CLUSTER, topic=rows.TOPIC)
    assert found.networks == (NetworkLine(NETWORK, 4, 2),)
    assert (found.interfaces, found.addressed) == (4, 2)


def test_the_position_on_the_bus_and_the_snapshots_are_read(filled: Engine) -> None:
    reading = snapshot(filled, cluster=rows.CLUSTER, topic=rows.TOPIC).reading
    assert reading.events == 42
    assert reading.at_end({0: 30, 1: 12}) and not reading.at_end({0: 30, 1: 13})
    assert reading.snapshots == {"Pod": {0: "streaming", 1: "streaming"}, "Node": {0: "listing", 1: "listing"}}
    assert not reading.listed(2)


def test_what_is_in_trouble_is_named_with_its_reason(filled: Engine) -> None:
    blocked, letters = troubles(filled, cluster=rows.CLUSTER, rows=2)
    assert [t.status for t in blocked] == ["blocked", "blocked"], "no more rows than asked for"
    assert (
        Trouble("blocked", "virtual-machine", "k8s__kube-system__dns", "virtual-router node-1 is not known")
        in (troubles(filled, cluster=rows.CLUSTER, rows=50)[0])
    )
    assert letters == (DeadLetter("decode", "k8s.changes.k8s/1@17", "", "record has no value"),)


def test_another_cluster_of_the_same_store_is_not_mixed_in(filled: Engine) -> None:
    other = snapshot(filled, cluster="other", topic="k8s.changes.other")
    assert (other.pods, other.networks, other.counts.objects, other.reading.events) == ((), (), {}, 0)
    assert holds(filled, cluster=rows.CLUSTER, topic=rows.TOPIC)
    assert not holds(filled, cluster="other", topic="k8s.changes.other")


def test_nodes_are_read_by_name(filled: Engine) -> None:
    assert list(nodes(filled, cluster=rows.CLUSTER)) == ["node-1"]


def test_a_look_at_hundreds_of_pods_is_quick(store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        rows.put_object(connection, rows.NETWORK)
        for i in range(500):
            rows.put_pod(connection, f"ns-{i % 20}", f"pod-{i}", address=f"10.40.{i // 250}.{i % 250}")
    with store_engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    took = []
    for _ in range(3):
        began = time.monotonic()
        found = snapshot(store_engine, cluster=rows.CLUSTER, topic=rows.TOPIC, first=400, rows=20)
        took.append(time.monotonic() - began)
    assert len(found.pods) == 20 and found.addressed == 500
    assert min(took) < 0.3, f"seconds per look: {took}"


def test_a_database_that_is_away_is_named() -> None:
    engine = connect(DatabaseSettings(url="postgresql://postgres@127.0.0.1:1/nowhere"), application="tests")
    with pytest.raises(StoreUnavailable, match=r"nowhere on 127\.0\.0\.1:1"):
        snapshot(engine, cluster="k8s", topic="t")
    engine.dispose()
