"""Orphans are deleted when every guard lets go; each guard alone keeps one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from sqlalchemy import event, text

from applier.audit.calls import Calls
from schemas.contrail.objects import ContrailObject, Desired, Link
from simulators.contrail.faults import Fault, Trouble
from tests.applier.audit.world import World
from tests.applier.kubernetes import uid_of
from tests.applier.shop import post

pytestmark = pytest.mark.postgres


def orphaned(world: World, name: str = "web-0", *, others: int = 2) -> tuple[Desired, ...]:
    """A pod of which the store knows nothing any more, seen by one audit long ago."""
    world.store.start("shop")
    pod = world.store.pod("shop", name)
    for n in range(others):
        world.store.pod("shop", f"other-{n}")
    world.apply()
    world.forget(*pod)
    world.execute(f"DELETE FROM k8s_resource WHERE kind = 'Pod' AND name = '{name}'")
    world.audit()
    world.age(3600)
    return pod


def test_cases_36_and_77_an_orphan_is_found_and_deleted_once_all_guards_let_go(world: World) -> None:
    """A finalizer was stripped by a user, or the pod went while nothing of ours ran: neither applier nor watchers."""
    pod = orphaned(world)
    before = world.routed()
    assert set(world.findings().values()) == {"orphan"}
    report = world.audit(prune=True)
    assert (report.pruned, report.left) == (3, 0)
    assert world.has(*pod) == [False] * 3
    assert before - world.routed() == {pod[0].uuid}
    assert world.findings() == {}
    assert {row.resolution for row in world.rows("SELECT resolution FROM audit_finding")} == {"pruned"}
    assert world.rows("SELECT pruned FROM audit_run ORDER BY id DESC LIMIT 1") == [(3,)]


def test_case_72_the_node_lets_go_of_a_pod_before_its_address_is_free(world: World) -> None:
    orphaned(world)
    world.contrail.faults.add(Fault(Trouble.STATUS, method="POST", path="/ref-update", status=500, text="no"))
    report = world.audit(prune=True)
    assert report.pruned == 0
    assert {reason.partition("; ")[2].partition(":")[0] for reason in world.reasons()} == {
        "not deleted yet",
        "kept",
    }
    assert world.audit(prune=True).pruned == 3


def test_case_77_what_was_deleted_while_the_applier_was_down_is_deleted_at_its_start(world: World) -> None:
    web, _ = world.pods("web-0", "web-1")
    world.store.remove_pod("shop", "web-0")  # the translator went on
    world.apply()
    assert world.has(*web) == [False] * 3
    assert world.audit().left == 0


def test_case_35_a_pod_of_the_same_name_and_another_uid_is_not_mistaken_for_its_predecessor(world: World) -> None:
    first = orphaned(world)
    second = world.store.pod("shop", "web-0", uid="11111111-1111-4111-8111-111111111111")
    with world.applying():
        pass
    world.audit(prune=True)
    world.apply()
    assert world.has(*first) == [False] * 3
    assert world.has(*second) == [True] * 3
    assert world.audit().left == 0


def test_a_report_says_what_could_be_deleted_while_pruning_is_off(world: World) -> None:
    pod = orphaned(world)
    assert world.audit().pruned == 0
    assert world.has(*pod) == [True] * 3
    assert {r.partition("; ")[2] for r in world.reasons()} == {"nothing speaks against deleting it, but pruning is off"}


def test_case_75_an_orphan_seen_once_is_kept(world: World) -> None:
    pod = orphaned(world)
    world.execute("DELETE FROM audit_finding")
    assert world.audit(prune=True).pruned == 0
    assert world.has(*pod) == [True] * 3
    assert "kept: seen by one audit only" in world.reasons().pop()


SEEN_LONG_AGO = "UPDATE audit_finding SET first_seen = now() - interval '1 hour'"
LISTED = "UPDATE watch_epoch SET state = 'streaming', listed_at = now() + interval '10 minutes'"
POD_AGAIN = "INSERT INTO watch_epoch VALUES ('k8s', 'Pod', 't', 0, 1, 'streaming', 1, 0, now() + interval '10 minutes')"
LETTER = """
    INSERT INTO dead_letter (cluster, stage, topic, partition, at_offset, resource, error_class, error)
    VALUES ('k8s', 'translate', 't', 0, 9, '{}', 'X', 'x')
"""
GUARDS = {
    "observed too shortly": (
        "UPDATE audit_finding SET first_seen = now() - interval '30 seconds'",
        "kept: seen for 3",
        SEEN_LONG_AGO,
    ),
    "the kind was not listed since": (
        "UPDATE watch_epoch SET listed_at = now() - interval '2 hours' WHERE kind = 'Pod'",
        "kept: Pod was not listed anew since it was first seen",
        LISTED,
    ),
    "listed with a gap": (
        "UPDATE watch_epoch SET listed_at = NULL WHERE kind = 'Node'",
        "kept: Node was not listed anew",
        LISTED,
    ),
    "case 74: a kind is being listed": (
        "UPDATE watch_epoch SET state = 'listing' WHERE kind = 'Namespace'",
        "kept: Namespace is being listed",
        LISTED,
    ),
    "case 74: no watcher was heard of": (
        "UPDATE watch_epoch SET cluster = 'other'",
        "kept: the store has not heard of any watcher",
        "UPDATE watch_epoch SET cluster = 'k8s'",
    ),
    "the kind is not watched": (
        "DELETE FROM watch_epoch WHERE kind = 'Pod'",
        "kept: it was made for a Pod, a kind that no watcher tells of",
        POD_AGAIN,
    ),
    "case 74: a partition is missing": (
        "INSERT INTO consumer_offset VALUES ('translator', 't', 7, 1, '1')",
        "kept: nothing was heard of Namespace on partition 7",
        "DELETE FROM consumer_offset",
    ),
    "a dead letter": (
        LETTER.format("Pod/shop/web-0"),
        "kept: Pod/shop/web-0 could not be translated",
        "DELETE FROM dead_letter",
    ),
    "an unreadable record": (LETTER.format(""), "kept: a record could not be read", "DELETE FROM dead_letter"),
    "what it was made for is there": (
        f"UPDATE k8s_resource SET name = 'web-0', uid = '{uid_of('shop', 'web-0')}' WHERE name = 'other-0'",
        "kept: Pod/shop/web-0 is there, so it may be in use",
        "UPDATE k8s_resource SET name = 'other-0' WHERE name = 'web-0'",
    ),
    "an empty store": (
        "UPDATE desired_object SET absent = true",
        "kept: the store wants nothing at all",
        "UPDATE desired_object SET absent = false",
    ),
}
"""What alone keeps an orphan, what is said then, and what takes it back."""


def test_cases_74_and_75_each_guard_alone_keeps_an_orphan(world: World) -> None:
    pod = orphaned(world)
    for guard, (change, said, undo) in GUARDS.items():
        world.execute(change)
        assert world.audit(prune=True).pruned == 0, guard
        assert all(said in reason for reason in world.reasons()), (guard, world.reasons())
        world.execute(undo)
    assert world.has(*pod) == [True] * 3
    assert world.audit(prune=True).pruned == 3


def annotate(world: World, wanted: Desired, pairs: dict[str, str]) -> None:
    """Give an object in Contrail other annotations."""
    listed = [{"key": key, "value": value} for key, value in pairs.items()]
    body = {wanted.type: {"annotations": {"key_value_pair": listed}}}
    assert requests.put(f"{world.contrail.url}/{wanted.type}/{wanted.uuid}", json=body, timeout=5).ok


def test_case_75_missing_metadata_keeps_an_orphan_and_what_belongs_to_it(world: World) -> None:
    machine, *_ = orphaned(world)
    assert isinstance(machine, ContrailObject)
    pairs = {pair["key"]: pair["value"] for pair in machine.properties["annotations"]["key_value_pair"]}
    for lacking in ("kind", "name", "namespace"):
        annotate(world, machine, {key: value for key, value in pairs.items() if key != lacking})
        assert world.audit(prune=True).pruned == 0
        said = {reason.partition("; ")[2] for reason in world.reasons()}
        assert f"kept: its annotations do not say {lacking}" in said
        assert f"kept: it belongs to {machine.uuid}, which stays as well" in said
    annotate(world, machine, pairs)
    assert world.audit(prune=True).pruned == 3


def test_case_75_an_object_without_our_mark_is_no_orphan(world: World) -> None:
    (machine, *_) = orphaned(world)
    annotate(world, machine, {"owner": "k8s"})
    world.audit(prune=True)
    assert world.has(machine) == [True]


def test_an_adopted_object_is_no_orphan(world: World) -> None:
    pod = orphaned(world)
    wanted = world.store.pod("shop", "web-0")
    assert [each.uuid for each in wanted] == [each.uuid for each in pod]
    world.forget(*pod)
    with world.engine.begin() as connection:
        other = connection.scalar(text("SELECT uuid FROM desired_object WHERE type = 'project' LIMIT 1"))
        connection.execute(
            text("""INSERT INTO adopted_object (uuid, cluster, contrail_uuid, contrail_fq_name)
                    VALUES (:uuid, 'k8s', :adopted, 'x')"""),
            {"uuid": other, "adopted": pod[2].uuid},
        )
    world.audit(prune=True)
    assert world.has(pod[2]) == [True]


@contextmanager
def at_the_last_moment(world: World, change: Callable[[], None]) -> Iterator[None]:
    """Run the change before the first look at a single object: between the list and the delete."""
    attempt, done = Calls.attempt, []

    def changed(self: Calls, call: object, ask: object) -> object:
        if str(call) == "read" and not done:
            done.append(True)
            change()
        return attempt(self, call, ask)  # type: ignore[arg-type]

    Calls.attempt = changed  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Calls.attempt = attempt  # type: ignore[method-assign]


def test_case_75_an_orphan_that_is_wanted_again_at_the_last_moment_is_kept(world: World) -> None:
    pod = orphaned(world)
    with at_the_last_moment(world, lambda: world.store.pod("shop", "web-0") and None):
        assert world.audit(prune=True).pruned == 0
    assert world.has(*pod) == [True] * 3
    assert world.routed() >= {pod[0].uuid}


def test_case_75_an_orphan_that_lost_its_mark_at_the_last_moment_is_kept(world: World) -> None:
    pod = orphaned(world)

    def unmark() -> None:
        for each in pod[:3]:
            annotate(world, each, {"owner": "theirs"})

    with at_the_last_moment(world, unmark):
        assert world.audit(prune=True).pruned == 0
    assert world.has(*pod) == [True] * 3


def test_case_75_a_listing_that_begins_at_the_last_moment_keeps_an_orphan(world: World) -> None:
    pod = orphaned(world)
    with at_the_last_moment(world, lambda: world.store.epoch("Pod", state="listing")):
        assert world.audit(prune=True).pruned == 0
    assert world.has(*pod) == [True] * 3


def test_more_orphans_than_the_budget_are_all_kept_until_a_person_says_so(world: World) -> None:
    pod = orphaned(world)
    report = world.audit(prune=True, deletion_budget=2)
    assert (report.pruned, report.over, report.limit) == (0, 3, 2)
    assert world.has(*pod) == [True] * 3
    assert "3 orphans may go, more than the budget of 2 allows" in world.reasons().pop()
    assert world.audit(prune=True, deletion_budget=2, limit=3).pruned == 3


def test_an_orphan_that_something_else_needs_is_left_with_its_holder(world: World) -> None:
    pod = orphaned(world)
    network = ["default-domain", "k8s-default", "k8s-default-pod-network"]
    pool = post(world.contrail, "floating-ip-pool", fq_name=[*network, "theirs"], parent_type="virtual-network")
    post(
        world.contrail,
        "floating-ip",
        fq_name=[*network, "theirs", "fip"],
        parent_type="floating-ip-pool",
        virtual_machine_interface_refs=[{"uuid": pod[1].uuid, "to": list(pod[1].fq_name)}],
    )
    assert pool
    world.audit(prune=True)
    assert world.has(pod[1]) == [True]
    holder = ":".join([*network, "theirs", "fip"])
    assert f"still needed by floating-ip {holder} (not ours)" in " ".join(world.reasons())


def test_an_api_that_goes_away_ends_pruning_and_says_so(world: World) -> None:
    pod = orphaned(world)
    world.contrail.faults.add(Fault(Trouble.DROP_BEFORE, method="DELETE", count=None))
    report = world.audit(prune=True)
    assert report.pruned == 0
    assert len(report.troubles) == 1
    assert "pruning ended early" in report.troubles[0]
    world.contrail.faults.clear()
    assert world.audit(prune=True).pruned == 3
    assert world.has(*pod) == [False] * 3


def test_killed_between_a_delete_and_its_record_the_next_audit_ends_right(world: World) -> None:
    pod = orphaned(world)

    def fail(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if "pruned = pruned + 1" in statement:
            raise KeyboardInterrupt

    event.listen(world.engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(KeyboardInterrupt):
            world.audit(prune=True)
    finally:
        event.remove(world.engine, "before_cursor_execute", fail)
    assert sorted(world.has(*pod)) == [False, True, True]
    report = world.audit(prune=True)
    assert report.pruned == 2
    assert world.has(*pod) == [False] * 3
    assert world.findings() == {}
    assert [each for each in pod if isinstance(each, Link)]
