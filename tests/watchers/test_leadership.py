"""Leadership: one of several, by local monotonic time, with a Lease of a scripted API server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.objects import pod
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers.connection import Connection
from watchers.leadership import Leadership, Tempo
from watchers.lease import Json, Lease

pytestmark = pytest.mark.process


class Clock:
    """Monotonic seconds of one machine."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cluster() -> Iterator[FakeCluster]:
    with FakeCluster() as cluster:
        yield cluster


def _candidate(cluster: FakeCluster, name: str, clock: Clock, seconds: float = 15.0) -> Leadership:
    lease = Lease(Connection(cluster.api.load), namespace="kube-system", name="watchers")
    return Leadership(lease, identity=name, tempo=Tempo(seconds), clock=clock)


def _spec(cluster: FakeCluster) -> dict[str, object]:
    assert cluster.lease is not None
    return dict(cluster.lease["spec"])


def test_the_first_leads_and_the_second_waits_until_the_lease_has_run_out(cluster: FakeCluster) -> None:
    clock = Clock()
    one, two = _candidate(cluster, "one", clock), _candidate(cluster, "two", clock)
    assert one.try_to_lead() and one.holds()
    assert not two.try_to_lead()
    assert (two.leader, two.holds()) == ("one", False)
    clock.now += 14.9
    assert not two.try_to_lead()
    assert not one.holds(), "who cannot renew stops earlier than others begin"
    clock.now += 0.2
    assert two.try_to_lead()
    spec = _spec(cluster)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("two", 15, 2)
    assert datetime.fromisoformat(str(spec["renewTime"]).replace("Z", "+00:00")).tzinfo is not None


def test_a_lease_that_is_released_is_free_at_once(cluster: FakeCluster) -> None:
    clock = Clock()
    one, two = _candidate(cluster, "one", clock), _candidate(cluster, "two", clock)
    assert one.try_to_lead()
    one.release()
    assert not one.holds()
    assert two.try_to_lead()


def test_case_22_a_frozen_leader_that_wakes_up_may_not_publish_and_finds_out_that_it_lost(cluster: FakeCluster) -> None:
    clock = Clock()
    one, two = _candidate(cluster, "one", clock, 0.2), _candidate(cluster, "two", clock, 0.2)
    assert one.try_to_lead()
    assert not two.try_to_lead()
    clock.now += 1.1  # one is frozen; a Lease is good for a second at least
    assert two.try_to_lead()
    assert not one.holds()
    one.keep(threading.Event())  # returns, as another holds the Lease
    assert not one.holds()
    assert _spec(cluster)["holderIdentity"] == "two"
    one.release()
    assert _spec(cluster)["holderIdentity"] == "two", "what is another's is not released"


def test_case_25_a_clock_that_jumps_by_an_hour_does_not_change_the_leader(cluster: FakeCluster) -> None:
    """Times of day are in the Lease for people; nobody compares them."""
    here, there = Clock(), Clock()
    one, two = _candidate(cluster, "one", here), _candidate(cluster, "two", there)
    there.now = 5.0  # another machine's clock began elsewhere
    assert one.try_to_lead()
    assert not two.try_to_lead()
    assert cluster.lease is not None
    for jump in ("2020-01-01T00:00:00.000000Z", "2050-01-01T00:00:00.000000Z"):
        cluster.lease["spec"]["renewTime"] = jump
        there.now += 10.0
        assert not two.try_to_lead(), "a renewal is one, whatever time it claims"
    assert one.holds()


def test_a_renewal_does_not_wait_for_others_that_change_the_lease(cluster: FakeCluster) -> None:
    """Sixteen kinds that want epochs from a slow API server would otherwise hold it up until the Lease is over."""
    lease = Lease(Connection(cluster.api.load), namespace="kube-system", name="watchers")
    leadership = Leadership(lease, identity="one", tempo=Tempo(15.0))
    begun, go_on, tries = threading.Event(), threading.Event(), list[str]()

    def slow(found: Json) -> None:
        tries.append(found["spec"].get("holderIdentity", ""))
        begun.set()
        assert go_on.wait(10)

    other = threading.Thread(target=lambda: lease.swap(slow))
    other.start()
    try:
        assert begun.wait(10)
        assert leadership.try_to_lead() and leadership.holds()
    finally:
        go_on.set()
        other.join(10)
    assert tries == ["", "one"], "whose swap was lost meanwhile looks again, and overwrites nothing"
    assert _spec(cluster)["holderIdentity"] == "one"


def test_an_api_server_that_is_away_ends_no_leadership_if_nobody_else_took_it(cluster: FakeCluster) -> None:
    clock, stop = Clock(), threading.Event()
    one = _candidate(cluster, "one", clock, 0.1)
    assert one.try_to_lead()
    clock.now += 60
    away = [True]
    answer = cluster.answer
    cluster.api.script = lambda request: refusal(503) if away[0] else answer(request)
    thread = threading.Thread(target=one.keep, args=(stop,))
    thread.start()
    try:
        eventually(lambda: len(cluster.api.requests) > 4)
        assert not one.holds()
        away[0] = False
        eventually(one.holds)
    finally:
        stop.set()
        thread.join(5)


def test_a_stand_in_takes_over_with_the_next_epoch_when_the_leader_falls_silent(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    bus = MemoryBus()
    web = cluster.put(pod("web-0"))
    silent = {"name": ""}
    answer = cluster.answer

    def script(request: object) -> object:
        """The leader's renewals get lost from a moment on."""
        body = getattr(request, "body", b"")
        if silent["name"] and silent["name"].encode() in body:
            return refusal(503, "away")
        return answer(request)  # type: ignore[arg-type]

    cluster.api.script = script  # type: ignore[assignment]
    with watching(cluster.api.load, None, bus=bus, identity="first", lease_seconds=1.0) as first:
        first.settled(cluster.uids)
        with watching(cluster.api.load, None, bus=bus, identity="second", lease_seconds=1.0) as second:
            second.ready()
            assert bus.opened == 1
            silent["name"] = "first_"
            eventually(lambda: bus.opened == 2)
            cluster.delete(web)
            cluster.put(pod("web-1"))
            second.settled(cluster.uids)
            silent["name"] = ""
            eventually(lambda: first.bus.opened == 2 and not first.health.why_not_ready())
    epochs = {watcher: [e.epoch for e in bus.events if e.source.watcher == watcher] for watcher in ("first", "second")}
    assert min(epochs["second"]) > epochs["first"][0]
