"""The service as a whole: neighbours that are away, rights that are missing, stopping."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from schemas.events import Op
from schemas.health import Health
from tests.watchers.fake_api import Reply, Request, Stream
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.objects import namespace, node, pod
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers.kinds import KINDS

pytestmark = pytest.mark.process


def test_case_9_an_api_that_is_not_there_yet_is_waited_for_without_spinning(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        down = [True]

        def ill(request: Request) -> Reply:
            return refusal(503, "starting") if down[0] else FakeCluster.answer(cluster, request)  # type: ignore[return-value]

        cluster.api.script = ill
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: "starting" in run.health.why_not_ready().get("cluster", ""))
            time.sleep(0.5)
            assert len(cluster.api.requests) < 8
            assert run.health.why_not_alive() == {}
            down[0] = False
            run.ready()


def test_case_19_a_right_that_is_missing_for_one_kind_stops_that_kind_only(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.put(namespace("shop"), "namespaces")
        cluster.put(pod("web-0"))
        cluster.put(node("node-1"), "nodes")
        with watching(cluster.api.load, tmp_path, kinds=KINDS) as run:
            run.ready()
            run.settled(cluster.uids)
        bus = run.bus

        def forbid(request: Request) -> Reply | Stream:
            if request.path == "/api/v1/pods":
                return refusal(403, 'pods is forbidden: User "x" cannot list resource "pods"')
            return FakeCluster.answer(cluster, request)

        cluster.api.script = forbid
        with watching(cluster.api.load, tmp_path, bus=bus, kinds=KINDS) as run:
            eventually(lambda: set(run.health.why_not_ready()) == {"Pod"})
            cluster.put(node("node-2"), "nodes")
            run.settled(lambda: cluster.uids("nodes"), "Node")
            reason = run.health.why_not_ready()["Pod"]
            assert 'cannot list resource "pods"' in reason
            assert "ClusterRole" in reason
            assert run.folded().uids("Pod") == {"uid-web-0"}
            cluster.api.script = cluster.answer
            eventually(lambda: not run.health.why_not_ready(), within=20)


def test_case_19_a_right_that_is_taken_away_while_watching_deletes_nothing(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.api.script = lambda request: refusal(403, "forbidden")
        cluster.break_watches()
        eventually(lambda: "forbidden" in run.health.why_not_ready().get("Pod", ""))
        cluster.api.script = cluster.answer
        run.ready()
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
    assert len(run.snapshots()) == 1


def test_stopping_ends_idle_watches_at_once(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        with watching(cluster.api.load, tmp_path, kinds=KINDS) as run:
            cluster.put(namespace(), "namespaces")
            eventually(lambda: len(cluster.api.watches()) >= 3)
            began = time.monotonic()
        assert time.monotonic() - began < 2
    assert run.bus.producer.closed


def test_case_99_stopping_does_not_wait_for_an_api_server_that_is_frozen(tmp_path: Path) -> None:
    thaw = threading.Event()

    def frozen(request: Request) -> Reply:
        thaw.wait(30)
        return Reply(status=500)

    with FakeCluster() as cluster:
        cluster.put(namespace("shop"), "namespaces")
        with watching(cluster.api.load, None, kinds=KINDS, lease_seconds=1.5, resync_seconds=1.0) as run:
            run.ready()
            cluster.api.script = frozen
            time.sleep(1.2)  # until every kind waits for its turn to take an epoch
            began = time.monotonic()
        assert time.monotonic() - began < 8
        thaw.set()


def test_case_43_a_bus_that_is_away_for_long_loses_nothing(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, room=100) as run:
        run.ready()
        run.bus.away.set()
        things = [cluster.put(pod(f"p-{number}")) for number in range(400)]
        for thing in things[:100]:
            cluster.delete(thing)
        eventually(lambda: "bus" in run.health.why_not_ready())
        cluster.break_watches()
        run.bus.away.clear()
        run.settled(cluster.uids)
        run.ready()


def test_case_43_who_is_held_up_by_the_bus_is_alive_however_long_that_takes(tmp_path: Path) -> None:
    """Else the kubelet would restart the watchers in the middle of the outage, again and again."""
    later = [0.0]
    health = Health(clock=lambda: time.monotonic() + later[0])
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, room=100, health=health) as run:
        run.ready()
        run.bus.away.set()
        for number in range(300):
            cluster.put(pod(f"p-{number}"))
        eventually(lambda: "bus" in run.health.why_not_ready())
        time.sleep(0.2)  # until the room is taken, and both loops wait for more
        for _ in range(3):
            later[0] += 1000.0
            eventually(lambda: not run.health.why_not_alive())
        run.bus.away.clear()
        run.settled(cluster.uids)


def test_a_listing_that_takes_long_is_alive(tmp_path: Path) -> None:
    later = [0.0]
    health = Health(clock=lambda: time.monotonic() + later[0])
    with FakeCluster() as cluster:
        for number in range(20):
            cluster.put(pod(f"p-{number}"))
        go_on = threading.Semaphore(0)
        cluster.intercept(lambda request: (go_on.acquire(timeout=10), None)[1] if "continue" in request.query else None)
        with watching(cluster.api.load, tmp_path, page_size=2, health=health) as run:
            eventually(lambda: run.told(Op.READ))
            for page in range(2, 10):
                later[0] += 60.0
                go_on.release()
                eventually(lambda page=page: len(run.told(Op.READ)) >= 2 * page)  # type: ignore[misc]
            listing = {loop: why for loop, why in health.why_not_alive().items() if "listing" in loop}
            assert listing == {}, "each page is a sign of life"
            go_on.release()
            run.settled(cluster.uids)


def test_records_that_the_bus_lost_are_listed_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        eventually(run.snapshots)
        run.bus.producer.lose()
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
        run.ready()
    assert len(run.snapshots()) == 2


def test_a_bus_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    bus = MemoryBus()
    bus.away.set()
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, bus=bus) as run:
        eventually(lambda: "away" in run.health.why_not_ready().get("bus", ""))
        bus.away.clear()
        run.ready()
