"""A Contrail that was wiped, or restored from an older backup, is filled again: at a bounded rate, addresses kept."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
import requests
from sqlalchemy import text

from applier.audit.report import alarms
from applier.audit.settings import AuditSettings
from schemas.contrail.objects import Link
from simulators.contrail.faults import Fault, Trouble
from tests.applier.audit.world import World
from tests.applier.shop import post

pytestmark = pytest.mark.postgres

NAMES = [f"web-{n}" for n in range(6)]


def addresses(world: World) -> dict[str, str]:
    """Address by instance-ip as Contrail has it."""
    return {item["uuid"]: item["instance_ip_address"] for item in world.contrail.objects("instance-ip")}


def scatter(world: World) -> dict[str, str]:
    """Give pods addresses that Contrail would not choose for them again: returns them by instance-ip."""
    for name in NAMES[::2]:
        world.store.remove_pod("shop", name)
    world.apply()
    for name in reversed(NAMES[::2]):
        world.store.pod("shop", name)
    world.apply()
    return addresses(world)


def test_case_78_a_wiped_contrail_is_filled_again_and_pods_keep_their_addresses(world: World) -> None:
    world.pods(*NAMES)
    before, observed = scatter(world), world.store.desired.observed()
    world.contrail.reset()
    report = world.audit(repair=True)
    assert report.looks_wiped
    assert report.repaired == report.counts.missing == report.wanted
    world.apply()
    assert addresses(world) == before
    assert {uuid: body["address"] for uuid, body in world.store.desired.observed().items()} == {
        uuid: body["address"] for uuid, body in observed.items()
    }
    assert len(world.routed()) == len(NAMES)
    assert world.audit().left == 0


def test_case_78_an_older_backup_is_brought_up_to_date(world: World) -> None:
    world.pods(*NAMES[:3])
    world.contrail.snapshot()
    for name in NAMES[3:]:
        world.store.pod("shop", name)
    world.apply()
    before = addresses(world)
    removed = world.store.pod("shop", NAMES[0])
    world.store.remove_pod("shop", NAMES[0])
    world.apply()
    world.contrail.restore()
    report = world.audit(repair=True)
    assert report.counts.missing == 3 * 4  # machine, interface, address and link of what is newer than the backup
    assert report.counts.orphans == 3  # and what had been deleted is back
    world.apply()
    assert addresses(world) == before
    assert removed[2].uuid in before
    assert world.audit().counts.drift == 0


def test_case_78_rows_become_due_at_a_bounded_rate_and_pod_by_pod(world: World) -> None:
    world.pods(*NAMES)
    world.contrail.reset()
    report = world.audit(repair=True, refill_rate=8.0)
    due = world.rows("""
        SELECT a.next_attempt_at AS at,
               (SELECT min(resource) FROM desired_source WHERE object_uuid = d.uuid) AS resource
        FROM apply_state a JOIN desired_object d ON d.uuid = a.object_uuid ORDER BY at
    """)
    times = sorted({row.at for row in due})
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    assert all(step >= 0.5 for step in steps)
    for at in times:  # 8 a second are 4 a step; a resource that began in a step is finished in it
        assert sum(row.at == at for row in due) <= 4 + max(9, 4)
    by_resource: dict[str, set[object]] = {}
    for row in due:
        by_resource.setdefault(row.resource, set()).add(row.at)
    assert all(len(found) == 1 for found in by_resource.values())
    order = sorted(by_resource, key=lambda resource: min(map(str, by_resource[resource])))
    assert [resource.partition("/")[0] for resource in order[:2]] == ["Settings", "Namespace"]
    assert report.refill_seconds == pytest.approx(report.wanted / 8.0)
    assert (times[-1] - times[0]).total_seconds() >= report.wanted / 8.0 - 2.0


def test_an_address_that_was_taken_meanwhile_is_said_and_replaced(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (web,) = world.pods("web-0")
    address = addresses(world)[web[2].uuid]
    requests.delete(f"{world.contrail.url}/instance-ip/{web[2].uuid}", timeout=5)
    network = {"to": ["default-domain", "k8s-default", "k8s-default-pod-network"]}
    post(world.contrail, "instance-ip", fq_name=["thief"], instance_ip_address=address, virtual_network_refs=[network])
    world.audit(repair=True)
    with caplog.at_level(logging.WARNING):
        world.apply()
    assert addresses(world)[web[2].uuid] != address
    assert world.store.desired.observed()[web[2].uuid]["address"] == addresses(world)[web[2].uuid]
    (said,) = [r.getMessage() for r in caplog.records if r.name == "applier.writer"]
    assert f"of Pod shop/web-0 had address {address} and gets another one" in said
    assert "IP address already in use" in said


def test_a_quota_that_is_used_up_takes_no_address_away(world: World) -> None:
    web, _ = world.pods("web-0", "web-1")
    before = addresses(world)
    requests.delete(f"{world.contrail.url}/instance-ip/{web[2].uuid}", timeout=5)
    world.audit(repair=True)
    asked = world.contrail.counters["POST", "instance-ip"]
    world.contrail.faults.add(Fault(Trouble.QUOTA, method="POST", path="/instance-ips", count=2))
    world.apply()
    assert addresses(world) == before
    assert world.contrail.counters["POST", "instance-ip"] == asked + 3


def test_a_wipe_raises_an_alarm_that_says_what_is_done(world: World) -> None:
    world.pods(*NAMES)
    world.contrail.reset()
    settings = AuditSettings(refill_rate=10.0)
    (alarm,) = alarms(world.audit(), settings, repair=False)
    assert (
        "as one that was wiped or restored would; repair is off: set CONTRAIL_KUBE_APPLIER_AUDIT_REPAIR=true" in alarm
    )
    report = world.audit(repair=True, refill_rate=10.0)
    (alarm,) = alarms(report, settings, repair=True)
    assert f"filled again with 10 objects/s, in {report.wanted / 10:.0f} s" in alarm


def test_a_repair_that_was_cut_short_is_finished_by_the_next_audit(world: World) -> None:
    pods = world.pods(*NAMES)
    world.contrail.reset()
    world.audit(repair=True)
    links = [each.uuid for pod in pods for each in pod if isinstance(each, Link)]
    with world.engine.begin() as connection:  # as if the applier had been killed before it handed the links over
        connection.execute(
            text("""
                UPDATE apply_state SET status = 'applied', applied_generation = desired_generation,
                       updated_at = now() - interval '1 minute'
                WHERE object_uuid = ANY(CAST(:links AS uuid[]))
            """),
            {"links": links},
        )
    report = world.audit(repair=True)
    assert report.repaired == len(links)
