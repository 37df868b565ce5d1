"""Entries that somebody takes away or changes are found and put again; those of others are nobody's business."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.contrail.objects import Entry, joined
from tests.applier.audit.world import World
from tests.applier.test_entries import API, DATABASE, METADATA, local, names, pool, pools, services, somebody

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


def test_entries_of_others_are_never_found_whatever_their_names(served: World) -> None:
    stray = replace(API, key="k8s__gone__svc__80", value={**API.value, "linklocal_service_name": "k8s__gone__svc__80"})
    somebody(served.contrail, "linklocal_services", API.value, DATABASE.value, METADATA, stray.value)
    report = served.audit(repair=True, prune=True)
    assert (report.left, report.pruned) == (0, 0)
    assert len(services(served.contrail)) == 4
