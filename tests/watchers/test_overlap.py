"""Listing and watching at once, lists as streams, kinds that come and go, and what cannot be decoded."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from schemas.events import Op
from tests.watchers.fake_api import Reply, Request, Stream
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.objects import initial_end, line, node, pod, status
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers import lister
from watchers.kinds import network_attachment_definition as nads
from watchers.kinds import node as nodes
from watchers.kinds import pod as pods
from watchers.register import Wish
from watchers.register_file import RegisterFile

pytestmark = pytest.mark.process


def _nad(name: str, namespace: str = "shop") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, "spec": {"config": "{}"}}


def test_a_change_during_a_listing_goes_out_at_once_and_what_the_listing_shows_later_is_older(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        things = [cluster.put(pod(f"p-{number}")) for number in range(4)]
        go_on = threading.Event()

        def hold(request: Request) -> Reply | Stream | None:
            if "continue" in request.query:
                go_on.wait(10)
            return None

        cluster.intercept(hold)
        with watching(cluster.api.load, tmp_path, page_size=2) as run:
            eventually(lambda: len(run.told(Op.READ)) == 2 and cluster.api.watches())
            cluster.put(things[3] | {"spec": {"nodeName": "node-9"}})
            cluster.delete(things[2])
            cluster.put(pod("new"))
            eventually(lambda: len(run.told(Op.UPSERT)) == 2 and run.told(Op.DELETE))
            assert run.snapshots() == []
            go_on.set()
            run.settled(cluster.uids)
            run.ready()
    assert run.told(Op.READ) == ["read p-0 101", "read p-1 102"], "p-2 is gone and p-3 is newer by then"
    row = next(row for row in run.folded().rows.values() if row.uid == "uid-p-3")
    assert row.body.node_name == "node-9"  # type: ignore[union-attr]
    assert len(run.snapshots()) == len(run.begun()) == 1


def test_the_watch_goes_on_while_a_resync_lists(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.put(pod("old"))
        with watching(cluster.api.load, tmp_path, resync_seconds=3600.0) as run:
            run.settled(cluster.uids)
            eventually(lambda: cluster.api.watches())
            slow = threading.Event()
            cluster.intercept(lambda r: (slow.wait(10), None)[1] if "limit" in r.query else None)
            register = RegisterFile(tmp_path / "epochs.json")
            register.wish("Pod", Wish("now"))
            eventually(lambda: len(cluster.api.lists()) == 2)
            cluster.put(pod("meanwhile"))
            run.settled(cluster.uids)
            assert len(run.begun()) == 1
            slow.set()
            eventually(lambda: len(run.snapshots()) == 2)
            run.settled(cluster.uids)
    assert len(cluster.api.watches()) == 1


def test_lists_are_asked_for_as_streams_where_the_server_has_them(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.streams = True
        for number in range(30):
            cluster.put(pod(f"p-{number}"))
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
            cluster.put(pod("later"))
            run.settled(cluster.uids)
            run.ready()
        [stream] = [request for request in cluster.api.requests if request.is_stream]
    assert stream.query["resourceVersionMatch"] == "NotOlderThan"
    assert stream.query["allowWatchBookmarks"] == "true"
    assert cluster.api.lists() == []
    assert cluster.api.watches()[0].query["resourceVersion"] == "130"
    assert len(run.snapshots()) == 1


def test_a_server_without_streamed_lists_is_asked_once_and_then_listed_in_pages(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, resync_seconds=1.0) as run:
        eventually(lambda: len(run.snapshots()) >= 2)
        assert len([request for request in cluster.api.requests if request.is_stream]) == 1


@pytest.mark.parametrize(
    "parts",
    [
        [line("ADDED", pod("web-0", version=100))],
        [line("ADDED", pod("web-0", version=100)), line("ERROR", status(500, "internal"))],
        [b"{half", initial_end(100)],
        [line("DELETED", pod("web-0", version=100)), initial_end(100)],
    ],
    ids=["cut short", "error inside", "not a line", "deletion inside"],
)
def test_a_streamed_list_that_does_not_end_as_it_should_ends_no_snapshot(tmp_path: Path, parts: list[bytes]) -> None:
    with FakeCluster() as cluster:
        cluster.streams = True
        cluster.put(pod("web-0"))
        for _ in range(2):
            cluster.intercept(lambda request: Stream(parts) if request.is_stream else None)
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
            run.ready()
        assert len(cluster.api.lists()) == 1, "after two of them pages are read"
    assert len(run.snapshots()) == 1


def test_case_2_expired_history_inside_a_streamed_list_begins_another(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.streams = True
        cluster.put(pod("web-0"))
        cluster.intercept(lambda r: Stream([line("ERROR", status(410, "expired"))]) if r.is_stream else None)
        with watching(cluster.api.load, tmp_path) as run:
            run.settled(cluster.uids)
            run.ready()
    assert len(run.snapshots()) == 1


def test_case_6_a_node_that_takes_the_place_of_another_in_a_gap_is_the_new_one(tmp_path: Path) -> None:
    """Its pod CIDR and address are the old node's: the delete of the old uid must not take the new one with it."""
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, kinds=(nodes.KIND,)) as run:
        old = node("node-1") | {"spec": {"podCIDR": "10.32.1.0/24"}}
        cluster.put(old, "nodes")
        run.settled(lambda: cluster.uids("nodes"), "Node")
        cluster.intercept(lambda request: refusal(503) if request.is_watch else None)
        cluster.break_watches()
        cluster.delete(old, "nodes")
        cluster.put(node("node-2") | {"spec": {"podCIDR": "10.32.1.0/24"}}, "nodes")
        successor = node("node-1") | {"spec": {"podCIDR": "10.32.2.0/24"}}
        successor["metadata"] = successor["metadata"] | {"uid": "uid-node-1-again"}
        cluster.put(successor, "nodes")
        run.settled(lambda: cluster.uids("nodes"), "Node")
        rows = {row.name: (row.uid, row.body.pod_cidrs) for row in run.folded().rows.values()}  # type: ignore[union-attr]
    assert rows == {
        "node-1": ("uid-node-1-again", ("10.32.2.0/24",)),
        "node-2": ("uid-node-2", ("10.32.1.0/24",)),
    }


def test_case_7_a_list_from_a_server_that_lags_is_not_taken(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        old = cluster._page("pods", 500, "")
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
        cluster.intercept(lambda request: Reply(old) if "limit" in request.query else None)
        RegisterFile(tmp_path / "epochs.json").wish("Pod", Wish("now"))
        eventually(lambda: len(run.snapshots()) == 2)
        assert len(run.begun()) == 2, "the old list began nothing"
        run.settled(cluster.uids)


def test_case_13_an_undecodable_line_is_a_letter_and_the_watch_goes_on_beside_the_listing(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        eventually(lambda: cluster.api.watches())
        garbage = b'{"type":"ADDED","object":{"metadata":{"name"' + b"x" * 5000
        cluster.send(garbage + b"\n")
        cluster.put(pod("web-1"))
        run.settled(cluster.uids)
        eventually(lambda: len(run.snapshots()) == 2)
        [letter] = run.bus.letters
    assert (letter.cluster, letter.kind, letter.size) == ("k8s", "Pod", len(garbage))
    assert garbage.startswith(letter.payload) and len(letter.payload) == 1024
    assert "not a watch line" in letter.reason


def test_what_an_object_holds_besides_its_names_is_in_no_letter_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        good = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"env":[{"value":"hunter2"}]}'}
        bad = good | {"spec": {"nodeName": 7, "containers": [{"env": [{"name": "PASSWORD", "value": "hunter2"}]}]}}
        cluster.put(bad)
        bad["metadata"] = bad["metadata"] | {"annotations": applied}
        cluster.put(bad)
        cluster.send(b'{"type":"MODIFIED","object":{"spec":{"containers":[{"name":"c","env":["hunter2"]}]}\n')
        eventually(lambda: len(run.bus.letters) == 3)
        assert all(letter.payload.startswith(b"{") for letter in run.bus.letters)
        assert not any(b"hunter2" in value for _, _, value, _ in run.bus.records)
    assert "hunter2" not in caplog.text


def test_case_13_lines_that_stay_undecodable_do_not_list_in_a_hot_loop(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        run.ready()
        began = time.monotonic()
        while time.monotonic() - began < 2.0:
            cluster.send(b"garbage\n")
            time.sleep(0.01)
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        assert len(cluster.api.lists()) <= 8
        assert len(run.bus.letters) <= 10, "more are counted only"


def test_an_object_that_stays_malformed_is_one_letter_and_no_reason_to_list(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path) as run:
        good = cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        cluster.put(good | {"spec": "nonsense"})
        eventually(lambda: run.bus.letters)
        register = RegisterFile(tmp_path / "epochs.json")
        register.wish("Pod", Wish("now"))
        eventually(lambda: len(run.begun()) == 2)
        time.sleep(0.3)
        [letter] = run.bus.letters
        assert (letter.namespace, letter.name, letter.uid) == ("shop", "web-0", "uid-web-0")
        assert len(cluster.api.lists()) == 2
        assert run.folded().uids("Pod") == {"uid-web-0"}


def test_a_kind_whose_crd_comes_later_is_picked_up_and_its_going_deletes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lister, "ABSENT_SECONDS", 0.2)
    resource = nads.KIND.resource
    with FakeCluster() as cluster:
        cluster.not_served = {resource}
        with watching(cluster.api.load, tmp_path, kinds=(pods.KIND, nads.KIND)) as run:
            run.ready()
            eventually(lambda: "not served" in run.health.notes().get(nads.KIND.name, ""))
            assert not [event for event in run.events() if event.kind == nads.KIND.name]
            cluster.put(_nad("blue"), resource)
            cluster.not_served = set()
            run.settled(lambda: cluster.uids(resource), nads.KIND.name)
            eventually(lambda: run.health.notes() == {})
            cluster.not_served = {resource}
            cluster.break_watches()
            eventually(lambda: "not served" in run.health.notes().get(nads.KIND.name, ""))
            time.sleep(0.5)
            assert run.health.why_not_ready() == {}
            assert run.folded().uids(nads.KIND.name) == {"uid-blue"}
            assert len(run.snapshots(nads.KIND.name)) == 1
            cluster.forget_silently("uid-blue", resource)
            cluster.put(_nad("red"), resource)
            cluster.not_served = set()
            run.settled(lambda: {"uid-red"}, nads.KIND.name)


def test_kinds_that_are_not_served_are_looked_for_now_and_then(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        cluster.not_served = {nads.KIND.resource}
        with watching(cluster.api.load, tmp_path, kinds=(nads.KIND,)) as run:
            eventually(lambda: run.health.notes())
            time.sleep(0.5)
            asked = [request for request in cluster.api.requests if request.path == nads.KIND.path]
    assert len(asked) <= 2
