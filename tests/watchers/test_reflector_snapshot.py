"""Snapshots: what a listing makes of gaps, restores and broken objects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.events import Op
from tests.watchers.fake_api import Reply, Request, Stream
from tests.watchers.fake_cluster import FakeCluster, refusal
from tests.watchers.objects import listing, pod
from tests.watchers.patience import eventually
from tests.watchers.watching import watching
from watchers.kinds import namespace as namespaces
from watchers.register import Wish
from watchers.register_file import RegisterFile

pytestmark = pytest.mark.process


def _first_watch(answer: Reply | Stream) -> Callable[[Request], Reply | Stream | None]:
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
        pages = [
            request for request in cluster.api.requests if request.path.endswith("/pods") and "limit" in request.query
        ]
    assert [each.query.get("continue") for each in pages] == [None, "125/10", "125/20"]
    assert {each.query["limit"] for each in pages} == {"10"}
    assert cluster.api.watches()[0].query["resourceVersion"] == "125"


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
            register = RegisterFile(tmp_path / "epochs.json")
            register.wish("Pod", Wish("unconfirmed"))
            eventually(lambda: len(run.begun()) == 3)
            eventually(lambda: "30 were known" in register.held("Pod"))
            assert run.folded().uids("Pod") == everything | {"uid-new"}
            register.wish("Pod", Wish("right", confirmed=True))
            run.settled(cluster.uids)
            run.ready()
            eventually(lambda: not register.wishes() and not register.held("Pod"))


def test_case_20_a_listing_that_was_not_believed_is_looked_at_again(tmp_path: Path) -> None:
    with FakeCluster() as cluster:
        for number in range(30):
            cluster.put(pod(f"p-{number}"))
        with watching(cluster.api.load, tmp_path, resync_seconds=1.0) as run:
            run.settled(cluster.uids)
            cluster.intercept(
                lambda r: Reply(listing(version=200)) if r.path.endswith("/pods") and not r.is_watch else None
            )
            objected = cluster.break_watches_and(lambda: "0 objects" in run.health.why_not_ready().get("Pod", ""))
            eventually(objected, every=0.2)
            assert run.folded().uids("Pod") == cluster.uids()
            eventually(cluster.break_watches_and(lambda: not run.health.why_not_ready()), every=0.2)
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


def test_everything_is_listed_again_by_the_resync_timer(tmp_path: Path) -> None:
    with FakeCluster() as cluster, watching(cluster.api.load, tmp_path, resync_seconds=1.0) as run:
        cluster.put(pod("web-0"))
        run.settled(cluster.uids)
        eventually(cluster.break_watches_and(lambda: len(run.snapshots()) >= 3), every=0.3)
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
