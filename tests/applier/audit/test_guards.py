"""What guards say, and how much may be deleted; the guards themselves are proven in test_prune.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from applier.audit.guards import Listing, Orphan, Standing, budget, why_kept

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
MARKS = {"owner": "k8s", "cluster": "k8s", "kind": "Pod", "namespace": "shop", "name": "web-0"}
ORPHAN = Orphan("u", "virtual-machine", "m", MARKS, seen=2, first_seen=SEEN, last_seen=SEEN + timedelta(hours=1))


def standing(**changed: object) -> Standing:
    listed = Listing("Pod", "t", 0, streaming=True, listed_at=SEEN + timedelta(minutes=30))
    values: dict[str, object] = {"desired": 9, "listings": (listed,), "partitions": frozenset({("t", 0)})}
    return Standing(**{**values, **changed})  # type: ignore[arg-type]


def test_nothing_speaks_against_an_orphan_that_every_guard_lets_go() -> None:
    assert why_kept(ORPHAN, standing(), distance=1800) == ""


def test_a_listing_that_began_within_the_clocks_tolerance_proves_nothing() -> None:
    soon = Listing("Pod", "t", 0, streaming=True, listed_at=SEEN + timedelta(seconds=59))
    assert "not listed anew" in why_kept(ORPHAN, standing(listings=(soon,)), distance=1800)


def test_every_partition_must_have_been_listed() -> None:
    other = Listing("Pod", "t", 1, streaming=True, listed_at=SEEN - timedelta(days=1))
    found = why_kept(ORPHAN, standing(listings=(*standing().listings, other)), distance=1800)
    assert "partition 1" in found


def test_a_namespace_is_named_as_the_store_names_it() -> None:
    marks = {**MARKS, "kind": "Namespace", "name": "shop"}
    orphan = Orphan("u", "project", "p", marks, seen=2, first_seen=SEEN, last_seen=SEEN)
    assert orphan.resource == "Namespace//shop"
    assert ORPHAN.resource == "Pod/shop/web-0"


def test_the_budget_is_the_smaller_of_a_number_and_a_share() -> None:
    assert budget(standing(desired=10_000), absolute=100, share=0.1) == 100
    assert budget(standing(desired=500), absolute=100, share=0.1) == 50
    assert budget(standing(desired=20), absolute=100, share=0.1) == 10
    assert budget(standing(desired=20), absolute=0, share=0.1) == 0
