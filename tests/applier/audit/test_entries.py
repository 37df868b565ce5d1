"""Entries that somebody takes away or changes are found and put again; those of others are nobody's business."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.contrail.objects import Entry, joined
from tests.applier.audit.world import World
from tests.applier.test_entries import API, DATABASE, METADATA, THEIRS, local, names, pool, pools, services, somebody

pytestmark = [pytest.mark.postgres]

OURS = (API, DATABASE, pool("k8s__tcp"))


def key(entry: Entry) -> str:
    return f"entry {joined(entry.fq_name)}"


@pytest.fixture
def served(world: World) -> World:
    """With entries, applied."""
    world.store.desired.put(*OURS)
    world.apply()
    return world


def test_case_68_entries_taken_away_or_changed_by_hand_are_put_again(served: World) -> None:
    assert (served.audit(repair=True).left, served.findings()) == (0, {})
    somebody(served.contrail, "linklocal_services", METADATA, local(API.key, "10.96.0.1", "203.0.113.9").value)
    somebody(served.contrail, "port_translation_pools")
    served.audit(repair=True)
    assert served.findings() == {key(API): "changed", key(DATABASE): "missing", key(OURS[2]): "missing"}
    (changed,) = [row for row in served.drift() if row.problem == "changed"]
    assert [value["ip_fabric_service_ip"] for value in changed.detail[API.key]] == [["192.0.2.10"], ["203.0.113.9"]]
    served.apply()
    assert sorted(names(served.contrail)) == sorted((API.key, DATABASE.key, "metadata"))
    assert services(served.contrail)[0] == METADATA and pools(served.contrail) == [("tcp", 56000)]
    assert served.audit().left == 0


def test_an_equal_pool_that_somebody_else_put_in_place_of_ours_is_no_difference(served: World) -> None:
    somebody(served.contrail, "port_translation_pools", dict(pool("x").value))
    assert (served.audit().left, served.findings()) == (0, {})


def test_case_78_entries_come_back_after_contrail_was_wiped(served: World) -> None:
    served.contrail.reset()
    served.audit(repair=True)
    served.apply()
    assert sorted(names(served.contrail)) == sorted((API.key, DATABASE.key)) and pools(served.contrail)


def entry_of(name: str, address: str) -> dict[str, Any]:
    return dict(local(name, address).value)


def lost(world: World, *more: dict[str, Any]) -> None:
    """An entry of service shop/db that the store no longer knows, seen by one audit long ago, among others."""
    world.pods("web-0")
    world.store.epoch("Service")
    world.store.desired.put(API)
    world.apply()
    somebody(
        world.contrail, "linklocal_services", METADATA, entry_of("k8s__shop__db__80", "10.96.0.8"), API.value, *more
    )
    world.audit()
    world.age(3600)


def test_case_77_an_entry_that_the_store_lost_is_an_orphan_and_pruned_once_all_guards_let_go(world: World) -> None:
    others = entry_of("k8s__b__shop__db__80", "10.96.0.9"), THEIRS, entry_of("k8s__shop__db__web", "10.96.0.10")
    lost(world, *others)
    assert set(world.findings().values()) == {"orphan"} and len(world.findings()) == 1
    assert world.audit(prune=False).pruned == 0
    report = world.audit(prune=True)
    assert (report.pruned, report.left) == (1, 0)
    assert services(world.contrail) == [METADATA, dict(API.value), *others]


def test_case_75_an_entry_whose_service_is_there_is_kept(world: World) -> None:
    lost(world)
    world.store.service("shop", "db", uid="7b1f5a52-0d6c-4d8e-a4a1-0c7f6f1f0001", address="10.96.0.8")
    assert world.audit(prune=True).pruned == 0
    assert "k8s__shop__db__80" in names(world.contrail)
    assert any("Service/shop/db is there" in reason for reason in world.reasons())


def test_case_75_an_entry_that_another_audit_took_out_meanwhile_is_nothing_to_prune(world: World) -> None:
    lost(world)
    somebody(world.contrail, "linklocal_services", METADATA, API.value)
    assert world.audit(prune=True).left == 0
    assert world.findings() == {} and names(world.contrail) == ["metadata", API.key]
