"""What guards say, and how much may be deleted; the guards themselves are proven in test_prune.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from applier.audit.guards import Listing, Orphan, Standing, budget, made_for, why_kept

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
MARKS = {"owner": "k8s", "cluster": "k8s", "kind": "Pod", "namespace": "shop", "name": "web-0"}
ORPHAN = Orphan("u", "virtual-machine", "m", MARKS, seen=2, first_seen=SEEN, last_seen=SEEN + timedelta(hours=1))


def standing(**changed: object) -> Standing:
    listed = Listing("Pod", "t", 0, streaming=True, listed_at=SEEN + timedelta(minutes=30))
    values: dict[str, object] = {"desired": 9, "listings": (listed,), "partitions": frozenset({("t", 0)})}
    return Standing(**{**values, **changed})  # type: ignore[arg-type]


def why(orphan: Orphan, store: Standing, uid: str | None = None) -> str:
    return why_kept(orphan, store, uid=uid, distance=1800)


def test_nothing_speaks_against_an_orphan_that_every_guard_lets_go() -> None:
    assert why(ORPHAN, standing()) == ""


def test_a_listing_that_began_within_the_clocks_tolerance_proves_nothing() -> None:
    soon = Listing("Pod", "t", 0, streaming=True, listed_at=SEEN + timedelta(seconds=59))
    assert "not listed anew" in why(ORPHAN, standing(listings=(soon,)))


def test_every_partition_must_have_been_listed() -> None:
    other = Listing("Pod", "t", 1, streaming=True, listed_at=SEEN - timedelta(days=1))
    found = why(ORPHAN, standing(listings=(*standing().listings, other)))
    assert "partition 1" in found


def test_a_namespace_is_named_as_the_store_names_it() -> None:
    marks = {**MARKS, "kind": "Namespace", "name": "shop"}
    orphan = Orphan("u", "project", "p", marks, seen=2, first_seen=SEEN, last_seen=SEEN)
    assert orphan.resource == "Namespace//shop"
    assert ORPHAN.resource == "Pod/shop/web-0"


def test_what_a_running_pod_may_live_by_is_kept_and_what_its_predecessor_left_is_not() -> None:
    alive = standing(alive={"Pod/shop/web-0": "uid-2"})
    assert "Pod/shop/web-0 is there, so it may be in use" in why(ORPHAN, alive)
    assert "is there" in why(ORPHAN, alive, uid="uid-2")
    assert why(ORPHAN, alive, uid="uid-1") == ""


def test_what_nothing_is_translated_to_is_kept() -> None:
    assert "the store wants no virtual-machine at all" in why(ORPHAN, standing(types=frozenset({"project"})))
    assert why(ORPHAN, standing(types=frozenset({"virtual-machine"}))) == ""


def test_who_an_orphan_was_made_for_is_told_by_its_machine() -> None:
    def orphan(uuid: str, marks: dict[str, str], **needs: list[str]) -> Orphan:
        return Orphan(uuid, "x", uuid, marks, seen=2, first_seen=SEEN, last_seen=SEEN, needs=needs)

    machine = orphan("vm", {**MARKS, "k8s_uuid": "uid-1"})
    interface = orphan("vmi", MARKS, virtual_machine_refs=["uid-1"], virtual_network_refs=["vn"])
    address = orphan("iip", MARKS, virtual_machine_interface_refs=["vmi"])
    other = orphan("iip-2", MARKS, virtual_machine_interface_refs=["not-an-orphan"])
    assert made_for([address, other, machine, interface]) == dict.fromkeys(("vm", "vmi", "iip"), "uid-1")


def test_the_budget_is_the_smaller_of_a_number_and_a_share() -> None:
    assert budget(standing(desired=10_000), absolute=100, share=0.1) == 100
    assert budget(standing(desired=500), absolute=100, share=0.1) == 50
    assert budget(standing(desired=20), absolute=100, share=0.1) == 10
    assert budget(standing(desired=20), absolute=0, share=0.1) == 0
