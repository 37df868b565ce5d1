"""Watching, against a server that misbehaves in every way of the fault list."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.events import Op
from tests.watchers.fake_api import FakeApi, Reply, Request, Stream, Wait
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.objects import bookmark, line, listing, node, pod, status
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers.kinds import node as nodes
from watchers.kinds import pod as pods

pytestmark = pytest.mark.process


def _first_watch(answer: Reply | Stream) -> Callable[[Request], Reply | Stream | None]:
    return lambda request: answer if request.is_watch else None


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
            eventually(lambda: len(cluster.api.watches()) == 2 and run.told(Op.UPSERT))
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

    def note(request: Request) -> Reply | None:
        if request.path.endswith("/pods") and request.is_watch is watch:
            times.append(time.monotonic())
            return refusal(429, "slow down", Retry_After=1)
        return None

    def note_again(request: Request) -> Reply | None:
        if request.path.endswith("/pods") and request.is_watch is watch and len(times) == 1:
            times.append(time.monotonic())
        return None

    with FakeCluster() as cluster:
        cluster.intercept(note)
        with watching(cluster.api.load, tmp_path) as run:
            eventually(lambda: "slow down" in run.health.why_not_ready().get("Pod", ""))
            cluster.intercept(note_again)
            eventually(lambda: len(times) == 2)
            run.ready()
    assert 1.0 <= times[1] - times[0] < 2.0
    assert len(cluster.api.lists()) == (1 if watch else 2)


def test_case_10_after_bookmarks_alone_a_broken_watch_goes_on_at_the_last_one(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        run.ready()
        eventually(cluster.api.watches)
        for _ in range(5):
            cluster.bookmark()
        last = str(cluster.revision)
        asked = cluster.break_watches_and(lambda: cluster.api.watches()[-1].query["resourceVersion"] == last)
        eventually(asked, every=0.2)
        cluster.compact()
        number = len(cluster.api.watches())
        cluster.break_watches()
        eventually(lambda: len(cluster.api.watches()) > number)
        run.ready()
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
        told = [f"{e.op} {e.name}" for e in run.events()[before:] if e.name]
    assert sorted(told) == ["upsert node-2", "upsert web-1"]


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
