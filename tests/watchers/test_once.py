"""`once`: one snapshot of every kind, and no success before all of it is durable and ended."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas.errors import NotLeading, SnapshotHeld
from schemas.health import Health
from tests.watchers.fake_cluster import FakeCluster
from tests.watchers.folded import Folded
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.objects import pod
from tests.watchers.patience import eventually
from watchers.kinds import Kind
from watchers.kinds import namespace as namespaces
from watchers.kinds import pod as pods
from watchers.service import run
from watchers.settings import WatchersSettings

pytestmark = pytest.mark.process


class _Once:
    """A run in a thread; `errors` is what it raised."""

    def __init__(self, cluster: FakeCluster, bus: MemoryBus, kinds: Sequence[Kind], settings: WatchersSettings) -> None:
        self.stop, self.errors, self.health = threading.Event(), list[BaseException](), Health()

        def body() -> None:
            try:
                run(
                    settings,
                    cluster="k8s",
                    load=cluster.api.load,
                    open_producer=bus.open,
                    stop=self.stop,
                    health=self.health,
                    kinds=kinds,
                    once=True,
                )
            except BaseException as error:
                self.errors.append(error)

        self.thread = threading.Thread(target=body)
        self.thread.start()

    def ended(self) -> None:
        self.thread.join(15)
        assert not self.thread.is_alive()


@contextmanager
def _once(
    cluster: FakeCluster, bus: MemoryBus, *, epoch_file: Path | None, kinds: Sequence[Kind] = (pods.KIND,)
) -> Iterator[_Once]:
    settings = WatchersSettings(epoch_file=str(epoch_file or ""), lease_seconds=1.5)
    running = _Once(cluster, bus, kinds, settings)
    try:
        yield running
    finally:
        running.stop.set()
        running.ended()


def _uids(bus: MemoryBus) -> set[str]:
    return Folded(bus.partitions).fold(bus.placed).uids("Pod")


def test_it_ends_when_everything_is_durable_and_not_before(tmp_path: Path) -> None:
    bus = MemoryBus()
    with FakeCluster() as cluster:
        cluster.put(pod("web-0"))
        cluster.intercept(lambda request: bus.away.set() if "limit" in request.query else None)
        with _once(cluster, bus, epoch_file=tmp_path / "epochs.json") as running:
            eventually(lambda: "away" in running.health.why_not_ready().get("bus", ""))
            running.thread.join(1.0)
            assert running.thread.is_alive(), "what was listed is not durable yet"
            bus.away.clear()
            running.ended()
            assert running.errors == []
    assert _uids(bus) == {"uid-web-0"}
    assert {event.op for event in bus.events} >= {"snapshot_begin", "snapshot_end"}


def test_what_the_bus_lost_is_listed_again_before_it_ends(tmp_path: Path) -> None:
    bus = MemoryBus()
    with FakeCluster() as cluster:
        cluster.put(pod("web-0"))
        cluster.intercept(lambda request: bus.producer.lose() if bus.opened == 1 and "limit" in request.query else None)
        with _once(cluster, bus, epoch_file=tmp_path / "epochs.json") as running:
            running.ended()
            assert running.errors == []
    assert bus.opened == 2
    assert _uids(bus) == {"uid-web-0"}


def test_a_snapshot_that_is_not_believed_is_no_success(tmp_path: Path) -> None:
    with (
        FakeCluster() as cluster,
        _once(cluster, MemoryBus(), epoch_file=tmp_path / "epochs.json", kinds=(namespaces.KIND,)) as running,
    ):
        running.ended()
    [error] = running.errors
    assert isinstance(error, SnapshotHeld)
    assert "Namespace: the listing of namespaces is empty" in str(error)


def test_who_comes_to_lead_meanwhile_is_named() -> None:
    bus = MemoryBus()
    with FakeCluster() as cluster:
        cluster.put(pod("web-0"))
        cluster.intercept(lambda request: bus.away.set() if "limit" in request.query else None)
        with _once(cluster, bus, epoch_file=None) as running:
            eventually(lambda: "away" in running.health.why_not_ready().get("bus", ""))
            cluster.give_lease_to("another")
            running.ended()
            [error] = running.errors
    assert isinstance(error, NotLeading)
    assert "lost to another" in str(error)
