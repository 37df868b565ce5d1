"""Listing and watching, against a server that misbehaves in every way of the fault list."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from schemas.events import Op
from tests.watchers.fake_api import FakeApi, Reply, Request, Stream, Wait
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.objects import bookmark, line, listing, namespace, node, pod, status
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers.kinds import KINDS
from watchers.kinds import namespace as namespaces
from watchers.kinds import node as nodes
from watchers.kinds import pod as pods


def _first_watch(answer: Reply | Stream):  # type: ignore[no-untyped-def]
    return lambda request: answer if request.is_watch else None


def test_a_snapshot_comes_first_and_then_every_change(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        web = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        run.ready()
        changed = cluster.put(web | {"status": {"phase": "Failed"}})
        cluster.delete(changed)
        eventually(lambda: run.told(Op.DELETE))
        run.settled(cluster.uids)
    assert run.snapshots() == run.begun()
    assert len(run.snapshots()) == 1
    first = run.events()[0]
    assert (first.op, first.source.cluster, first.source.cluster_uid) == (Op.SNAPSHOT_BEGIN, "k8s", "cluster-uid")
    delete = run.events(Op.DELETE)[0]
    assert (delete.uid, delete.body, delete.resource_version) == ("uid-web-0", None, "103")


def test_long_lists_are_read_in_pages_of_one_state(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for number in range(25):
            cluster.put(pod(f"p-{number:02}"))
        with watching(cluster.api.load, tmp_path, page_size=10) as run:
            run.settled(cluster.uids)
            eventually(cluster.api.watches)
        pages = [request for request in cluster.api.requests if request.path.endswith("/pods") and not request.is_watch]
    assert [request.query.get("continue") for request in pages] == [None, "125/10", "125/20"]
    assert {request.query["limit"] for request in pages} == {"10"}
    assert cluster.api.watches()[0].query["resourceVersion"] == "125"


def test_a_watch_asks_for_bookmarks_and_a_bounded_life(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, read_timeout=60.0):
        eventually(cluster.api.watches)
    query = cluster.api.watches()[0].query
    assert query["allowWatchBookmarks"] == "true"
    assert 35 <= int(query["timeoutSeconds"]) <= 55


@pytest.mark.parametrize("end", ["reset", "cut", "finish"])
def test_case_1_a_watch_that_breaks_goes_on_where_it_was(tmp_path: Path, end: str) -> None:
    with FakeCluster() as cluster:
        web = cluster.put(pod("web-0"))

        def half(request: Request) -> Stream | None:
            if not request.is_watch:
                return None
            cluster.put(web | {"status": {"phase": "Failed"}})
            return Stream([line("MODIFIED", pod("web-0", version=102, phase="Failed"))], end=end)

        cluster.intercept(half)
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: len(cluster.api.watches()) == 2)
            cluster.put(web | {"status": {"phase": "Succeeded"}})
            eventually(lambda: len(run.told(Op.UPSERT)) == 2)
            run.ready()
    assert run.told(Op.UPSERT) == ["upsert web-0 102", "upsert web-0 103"]
    # A reset can overtake what was sent before it: then the event is asked for again.
    assert cluster.api.watches()[1].query["resourceVersion"] in ("101", "102")
    assert len(cluster.api.lists()) == 1


def test_case_2_a_watch_answered_with_410_is_followed_by_one_snapshot(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.put(pod("web-0"))
        cluster.intercept(_first_watch(refusal(410, "too old resource version")))
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: len(run.snapshots()) == 2)
            run.ready()
            run.settled(cluster.uids)
    assert run.told(Op.UPSERT) == []
    assert run.told(Op.READ) == ["read web-0 101", "read web-0 101"]
    assert len(set(run.snapshots())) == 2


def test_case_3_410_inside_a_stream_is_followed_by_a_snapshot(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        web = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.break_watches()
        cluster.compact()
        cluster.oldest += 1
        eventually(lambda: len(run.snapshots()) == 2, within=5)
        cluster.oldest = 0
        cluster.delete(web)
        run.settled(cluster.uids)


def test_case_4_an_object_deleted_behind_a_gap_is_deleted_downstream(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        web, _other = cluster.put(pod("web-0")), cluster.put(pod("web-1"))
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
        bus = run.bus
        cluster.delete(web)
        cluster.compact()
        with watching(cluster.api.load, tmp_path, bus=bus) as run:
            run.settled(cluster.uids)
    assert run.folded().uids("Pod") == {"uid-web-1"}


def test_case_5_an_object_recreated_behind_a_gap_is_the_new_one_downstream(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        old = cluster.put(pod("web-0", uid="old"))
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
        bus = run.bus
        cluster.delete(old)
        cluster.put(pod("web-0", uid="new", node="node-2"))
        with watching(cluster.api.load, tmp_path, bus=bus) as run:
            run.settled(cluster.uids)
    assert run.folded().uids("Pod") == {"new"}


def test_case_5_an_object_recreated_while_the_connection_was_broken_is_deleted_first(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        old = cluster.put(pod("web-0", uid="old"))
        run.settled(cluster.uids)
        cluster.intercept(_first_watch(refusal(503)))
        cluster.break_watches()
        cluster.delete(old)
        cluster.put(pod("web-0", uid="new"))
        run.settled(cluster.uids)
    changes = [(e.op.value, e.uid) for e in run.events(Op.UPSERT, Op.DELETE)]
    assert changes[-2:] == [("delete", "old"), ("upsert", "new")]


def test_case_7_a_bookmark_from_an_older_state_has_everything_listed_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.send(bookmark(50))
        eventually(lambda: len(run.snapshots()) == 2)
        run.settled(cluster.uids)


@pytest.mark.parametrize("watch", [False, True])
def test_case_8_retry_after_is_obeyed_on_list_and_watch(tmp_path: Path, watch: bool) -> None:
    times: list[float] = []

    def slow_down(request: Request) -> Reply | None:
        if not request.path.endswith("/pods") or request.is_watch is not watch:
            return None
        times.append(time.monotonic())
        return refusal(429, "slow down", Retry_After=1)

    with FakeCluster() as cluster:
        cluster.intercept(slow_down)
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: "slow down" in run.health.why_not_ready().get("Pod", ""))
            eventually(cluster.api.watches)
            run.ready()
            asked = [r for r in cluster.api.requests if r.path.endswith("/pods") and r.is_watch is watch]
            eventually(lambda: len(asked) + len(cluster.api.watches()) >= 2)
            waited = time.monotonic() - times[0]
    assert waited >= 1.0
    assert len(cluster.api.lists()) == (1 if watch else 2)


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


def test_case_10_after_bookmarks_alone_a_broken_watch_goes_on_at_the_last_one(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        run.ready()
        eventually(cluster.api.watches)
        for _ in range(5):
            cluster.bookmark()
        cluster.compact()
        last = cluster.revision
        time.sleep(0.1)  # nothing is published for a bookmark, so there is nothing to wait for
        cluster.break_watches()
        eventually(lambda: cluster.api.watches()[-1].query["resourceVersion"] == str(last))
    assert len(cluster.api.lists()) == 1
    assert len(run.snapshots()) == 1


def test_case_11_a_bookmark_without_metadata_is_ignored(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        for thing in ({}, {"metadata": {}}, {"metadata": {"resourceVersion": ""}}):
            cluster.send(line("BOOKMARK", thing))
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
    assert len(run.snapshots()) == 1


def test_case_12_lines_are_read_right_however_they_are_cut(tmp_path: Path) -> None:
    wire = (
        b"\n\n"
        + line("ADDED", pod("a", version=101, labels={"k": "süß"}))
        + b"\n"
        + line("ADDED", pod("b", version=102))
    )
    cut = line("ADDED", pod("c", version=103))[:40]
    for size in (1, 7, len(wire)):
        parts = [wire[i : i + size] for i in range(0, len(wire), size)]
        with FakeCluster() as cluster:
            cluster.intercept(_first_watch(Stream([*parts, cut], end="cut")))
            with watching(cluster.api.load, tmp_path) as run:
                eventually(lambda: len(cluster.api.watches()) == 2)
                eventually(lambda: len(run.told(Op.UPSERT)) == 2)
            assert cluster.api.watches()[1].query["resourceVersion"] == "102"
        assert run.told(Op.UPSERT) == ["upsert a 101", "upsert b 102"]
        assert run.events(Op.UPSERT)[0].body.labels == {"k": "süß"}  # type: ignore[union-attr]


def test_case_13_an_undecodable_line_is_counted_and_everything_listed_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.send(b'{"type":"ADDED","object":{"metadata":{"name"\n')
        eventually(lambda: len(run.snapshots()) == 2)
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
        run.ready()


def test_case_14_a_connection_that_is_open_on_our_side_only_is_found(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.intercept(_first_watch(Stream([Wait()])))
        with watching(cluster.api.load, tmp_path, read_timeout=2.0) as run:
            run.ready()
            cluster.put(pod("web-0"))
            run.settled(cluster.uids)
    assert len(run.snapshots()) == 1


def test_case_15_an_object_of_more_than_a_megabyte_passes(tmp_path: Path) -> None:
    big = pod("big", labels={f"label-{i}": "v" * 60 for i in range(10_000)})
    big["metadata"]["annotations"] = {"opencontrail.org/x": "y" * 262_144, "other": "z" * 1_000_000}
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(big)
        run.settled(cluster.uids)


def test_case_16_a_list_without_a_version_is_no_list(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.intercept(lambda r: Reply(b'{"metadata":{},"items":null}') if r.path.endswith("/pods") else None)
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: "no metadata.resourceVersion" in run.health.why_not_ready().get("Pod", ""))
            run.ready()
    assert len(run.snapshots()) == 1


def test_case_17_a_page_token_that_expires_begins_a_snapshot_of_its_own(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        things = [cluster.put(pod(f"p-{number}")) for number in range(4)]

        def expire(request: Request) -> Reply | None:
            if "continue" not in request.query:
                return None
            cluster.delete(things[0])
            return refusal(410, "The provided continue parameter is too old")

        cluster.intercept(expire)
        with watching(cluster.api.load, tmp_path, page_size=2) as run:
            run.settled(cluster.uids)
            run.ready()
    begun, ended = run.begun(), run.snapshots()
    assert len(begun) == 2
    assert ended == begun[1:]
    assert run.folded().uids("Pod") == {"uid-p-1", "uid-p-2", "uid-p-3"}


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


def test_case_20_an_empty_list_after_a_full_one_deletes_nothing_until_confirmed(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for number in range(30):
            cluster.put(pod(f"p-{number}"))
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
        bus, everything = run.bus, cluster.uids()
        for uid in everything:
            cluster.forget_silently(uid)
        with watching(cluster.api.load, tmp_path, bus=bus) as run:
            eventually(lambda: "0 objects, 30 were known" in run.health.why_not_ready().get("Pod", ""))
            cluster.put(pod("new"))  # what is seen to happen goes on
            eventually(lambda: "uid-new" in run.folded().uids("Pod"))
            assert run.folded().uids("Pod") == everything | {"uid-new"}
        with watching(cluster.api.load, tmp_path, bus=bus, confirm=("Pod",)) as run:
            run.settled(cluster.uids)
            run.ready()


def test_case_20_a_listing_that_was_not_believed_is_looked_at_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for number in range(30):
            cluster.put(pod(f"p-{number}"))
        with watching(cluster.api.load, tmp_path, resync_seconds=1.0) as run:
            run.settled(cluster.uids)
            cluster.intercept(
                lambda r: Reply(listing(version=200)) if r.path.endswith("/pods") and not r.is_watch else None
            )
            eventually(cluster.break_watches_and(lambda: "Pod" in run.health.why_not_ready()))
            assert run.folded().uids("Pod") == cluster.uids()
            eventually(cluster.break_watches_and(lambda: not run.health.why_not_ready()))
            assert run.folded().uids("Pod") == cluster.uids()


def test_case_21_after_a_restore_from_an_old_backup_everything_is_as_it_was_then(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        kept = cluster.put(pod("kept"))
        lost = cluster.put(pod("lost"))
        run.settled(cluster.uids)
        cluster.forget_silently(lost["metadata"]["uid"])
        cluster.revision, cluster._history = 101, []
        cluster.intercept(_first_watch(refusal(410)))
        cluster.break_watches()
        run.settled(cluster.uids)
        assert run.folded().uids("Pod") == {kept["metadata"]["uid"]}
        cluster.put(pod("fresh"))
        run.settled(cluster.uids)


def test_case_22_of_two_watchers_the_one_with_the_newer_epoch_is_believed(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as first:
        web = cluster.put(pod("web-0"))
        first.settled(cluster.uids)
        with watching(cluster.api.load, tmp_path, bus=first.bus) as second:
            eventually(lambda: len(second.snapshots()) == 2)
            cluster.delete(web)
            second.settled(cluster.uids)
            cluster.put(pod("web-1"))
            second.settled(cluster.uids)
        assert len(set(second.begun())) == 2


def test_case_24_heartbeats_and_status_noise_are_not_published(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, kinds=(nodes.KIND, pods.KIND)) as run:
        cluster.put(node("node-1"), "nodes")
        web = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        run.settled(lambda: cluster.uids("nodes"), "Node")
        run.ready()
        before = len(run.events())
        for second in range(200):
            cluster.put(node("node-1", heartbeat=f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z"), "nodes")
            web["metadata"]["managedFields"] = [{"time": str(second)}]
            web["status"] |= {"conditions": [{"type": "Ready", "status": "False", "lastProbeTime": str(second)}]}
            cluster.put(web)
        cluster.put(node("node-2"), "nodes")
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
        run.settled(lambda: cluster.uids("nodes"), "Node")
        assert sorted(f"{e.op} {e.name}" for e in run.events()[before:]) == ["upsert node-2", "upsert web-1"]


def test_a_storm_of_errors_inside_streams_ends_in_a_listing(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for _ in range(4):
            cluster.intercept(_first_watch(Stream([line("ERROR", status(500, "internal"))])))
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: len(run.snapshots()) == 2)
            run.ready()


def test_watches_that_end_as_soon_as_they_begin_are_not_renewed_in_a_busy_loop(tmp_path: Path) -> None:
    def script(request: Request) -> Reply | Stream:
        if request.path.endswith("/kube-system"):
            return Reply(b'{"metadata":{"uid":"u"}}')
        return Stream([]) if request.is_watch else Reply(listing(version=5))

    with FakeApi(script) as api, watching(api.load, tmp_path) as run:
        eventually(lambda: "ends as soon as" in run.health.why_not_ready().get("Pod", ""))
        time.sleep(1.0)
        assert len(api.watches()) < 10


def test_everything_is_listed_again_by_the_resync_timer(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, resync_seconds=1.0) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        eventually(cluster.break_watches_and(lambda: len(run.snapshots()) >= 3))
        run.settled(cluster.uids)


def test_a_malformed_object_is_named_and_deletes_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        bad, gone = cluster.put(pod("bad")), cluster.put(pod("gone"))
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
        bus = run.bus
        bad["metadata"]["labels"] = ["no", "map"]
        cluster.put(bad)
        cluster.delete(gone)
        with watching(cluster.api.load, tmp_path, bus=bus) as run:
            eventually(lambda: "Pod shop/bad" in run.health.why_not_ready().get("Pod", ""))
            cluster.put(pod("web-1"))
            eventually(lambda: "uid-web-1" in run.folded().uids("Pod"))
            assert run.folded().uids("Pod") == {"uid-bad", "uid-gone", "uid-web-1"}
            cluster.put(pod("bad"))
            run.settled(cluster.uids)
            run.ready()


def test_an_object_that_becomes_malformed_keeps_its_last_good_state(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        good = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.put(good | {"spec": "nonsense"})
        eventually(lambda: "Pod shop/web-0" in run.health.why_not_ready().get("Pod", ""))
        assert run.folded().uids("Pod") == {"uid-web-0"}
        cluster.delete(good)
        run.settled(cluster.uids)
        run.ready()


def test_an_empty_list_of_namespaces_is_never_believed(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, kinds=(namespaces.KIND,)) as run:
        eventually(lambda: "no cluster is without" in run.health.why_not_ready().get("Namespace", ""))
        assert run.snapshots("Namespace") == []
        assert len(run.begun("Namespace")) == 1


def test_stopping_ends_idle_watches_at_once(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        with watching(cluster.api.load, tmp_path, kinds=KINDS) as run:
            cluster.put(namespace(), "namespaces")
            eventually(lambda: len(cluster.api.watches()) >= 3)
            began = time.monotonic()
        assert time.monotonic() - began < 2
    assert run.bus.producer.closed


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


def test_records_that_the_bus_lost_are_listed_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
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
