"""What changed or went missing in Contrail is found, and put right by the applier in its usual way."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from sqlalchemy import event

from applier.audit.auditor import AUDITED
from applier.audit.session import open_session
from schemas.contrail.objects import Link
from schemas.errors import ContrailUnavailable
from simulators.contrail.faults import Fault, Trouble
from tests.applier.audit.world import World
from tests.applier.shop import post

pytestmark = pytest.mark.postgres


def put(world: World, type_: str, uuid: str, **fields: object) -> None:
    """A change by hand."""
    answer = requests.put(f"{world.contrail.url}/{type_}/{uuid}", json={type_: fields}, timeout=5)
    assert answer.status_code == 200, answer.text


def delete(world: World, type_: str, uuid: str) -> None:
    """A deletion by hand."""
    answer = requests.delete(f"{world.contrail.url}/{type_}/{uuid}", timeout=5)
    assert answer.status_code == 200, answer.text


def test_a_contrail_that_is_as_it_shall_be_has_no_findings(world: World) -> None:
    world.pods("web-0", "web-1")
    report = world.audit(repair=True, prune=True)
    assert world.findings() == {}
    assert (report.left, report.repaired, report.pruned) == (0, 0, 0)
    assert report.listed > 10
    assert world.rows("SELECT outcome, note FROM audit_run") == [("complete", "")]


def test_an_audit_changes_nothing_unless_told_to(world: World) -> None:
    (web,) = world.pods("web-0")
    delete(world, "instance-ip", web[2].uuid)
    put(world, "virtual-machine", web[0].uuid, server_type="virtual-server")
    before = world.contrail.counters
    report = world.audit()
    made = world.contrail.counters - before
    assert {method for method, _ in made} == {"POST"}
    assert {what for _, what in made} == {"list-bulk-collection"}
    assert report.left == 2
    assert not [state for state in world.store.desired.states().values() if state.status != "applied"]


def test_a_type_that_contrail_does_not_know_is_no_reason_to_audit_nothing(world: World) -> None:
    world.pods("web-0")
    unknown = Fault(Trouble.STATUS, path="/list-bulk-collection", status=404, text="Resource type 'x' not found")
    # Of the second type, of which the store wants nothing: of the first it wants the nodes' address-group.
    world.contrail.faults.add(Fault(Trouble.LATENCY, path="/list-bulk-collection"))
    world.contrail.faults.add(unknown)
    assert world.audit().left == 0
    unknown.count = None
    world.contrail.faults.add(unknown)
    with pytest.raises(ContrailUnavailable, match="Resource type 'x' not found"):
        world.audit()


def test_case_68_an_object_edited_by_hand_is_put_back(world: World) -> None:
    (web,) = world.pods("web-0")
    put(world, "virtual-machine", web[0].uuid, server_type="virtual-server")
    report = world.audit(repair=True)
    (finding,) = world.drift()
    assert (finding.problem, finding.type, finding.repairs) == ("changed", "virtual-machine", 1)
    assert finding.detail == {"server_type": ["container", "virtual-server"]}
    assert finding.resources == ["Pod/shop/web-0"]
    assert finding.apply_status == "pending"
    assert (report.repaired, report.left) == (1, 0)
    world.apply()
    machine = world.contrail.find("virtual-machine", "k8s__shop__web-0")
    assert machine is not None
    assert machine["server_type"] == "container"
    world.audit()
    assert world.findings() == {}
    assert world.rows("SELECT resolution FROM audit_finding") == [("repaired",)]


def test_case_68_an_object_without_its_mark_is_marked_again(world: World) -> None:
    (web,) = world.pods("web-0")
    put(world, "virtual-machine", web[0].uuid, annotations=None)
    world.audit(repair=True)
    world.apply()
    machine = world.contrail.find("virtual-machine", "k8s__shop__web-0")
    assert machine is not None
    assert world.mark.is_on(machine)


def test_case_68_an_object_deleted_by_hand_is_made_again_with_its_address(world: World) -> None:
    web, other = world.pods("web-0", "web-1")
    before = world.store.desired.observed()
    delete(world, "instance-ip", web[2].uuid)
    delete(world, "instance-ip", other[2].uuid)
    world.audit(repair=True)
    assert set(world.findings().values()) == {"missing"}
    assert {r.applied_generation for r in world.store.desired.states().values() if r.status == "pending"} == {None}
    world.apply()
    assert world.store.desired.observed() == before
    assert world.audit().left == 0


def test_case_68_a_link_removed_by_hand_is_made_again(world: World) -> None:
    web, _ = world.pods("web-0", "web-1")
    (link,) = [each for each in web if isinstance(each, Link)]
    assert link.target_uuid in world.routed()
    router = world.contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    body = {
        "type": "virtual-router",
        "uuid": router["uuid"],
        "ref-type": "virtual-machine",
        "ref-uuid": link.target_uuid,
        "operation": "DELETE",
    }
    assert requests.post(f"{world.contrail.url}/ref-update", json=body, timeout=5).status_code == 200
    world.audit(repair=True)
    assert list(world.findings().values()) == ["missing"]
    world.apply()
    assert link.target_uuid in world.routed()


def test_case_68_a_reference_of_the_underlay_removed_by_hand_is_made_again(world: World) -> None:
    world.pods("web-0")
    fabric = world.contrail.find("virtual-network", "default-domain", "default-project", "ip-fabric")
    assert fabric is not None
    put(world, "virtual-network", fabric["uuid"], network_policy_refs=[])
    world.audit(repair=True)
    assert len(world.findings()) == 1
    world.apply()
    fabric = world.contrail.find("virtual-network", "default-domain", "default-project", "ip-fabric")
    assert fabric is not None
    assert len(fabric["network_policy_refs"]) == 1


def test_case_68_a_reference_with_another_attribute_is_changed(world: World) -> None:
    world.pods("web-0")
    fabric = world.contrail.find("virtual-network", "default-domain", "default-project", "ip-fabric")
    assert fabric is not None
    (policy,) = fabric["network_policy_refs"]
    other = {"sequence": {"major": 7, "minor": 0}}
    put(world, "virtual-network", fabric["uuid"], network_policy_refs=[{"to": policy["to"], "attr": other}])
    world.audit(repair=True)
    (finding,) = world.drift()
    assert (finding.problem, finding.type) == ("changed", "link")
    assert finding.detail["attr"][1]["sequence"]["major"] == 7
    world.apply()
    assert world.audit().left == 0


def test_case_68_what_is_not_ours_is_never_touched(world: World) -> None:
    world.pods("web-0")
    home = ["default-domain", "k8s-shop"]
    beside = post(world.contrail, "virtual-network", fq_name=["default-domain", "default-project", "theirs"])
    below = post(
        world.contrail, "security-group", fq_name=[*home, "theirs"], parent_type="project", description="theirs"
    )
    named = post(world.contrail, "virtual-machine", fq_name=["k8s__shop__web-9"])
    report = world.audit(repair=True, prune=True)
    world.age(7200)
    again = world.audit(repair=True, prune=True)
    assert world.findings() == {"security-group default-domain:k8s-shop:theirs": "foreign"}
    assert (report.left, again.left, again.pruned, again.counts.strangers) == (0, 0, 0, 1)
    assert world.contrail.ask(lambda state: all(uuid in state for uuid in (beside, below, named)))
    (finding,) = world.drift()
    assert finding.reason == "hangs below project default-domain:k8s-shop, and is not ours: left alone"


def test_a_row_that_the_applier_is_still_at_is_not_judged(world: World) -> None:
    world.pods("web-0")
    world.store.pod("shop", "web-1")  # wanted, and not applied yet
    assert world.audit(repair=True).left == 0


def test_a_list_that_was_out_of_date_finds_nothing(world: World) -> None:
    world.contrail.snapshot()
    world.pods("web-0")
    nothing = Fault(Trouble.LATENCY, path="/list-bulk-collection", count=AUDITED.index("virtual-machine"))
    world.contrail.faults.add(nothing)  # one page of each type until then
    world.contrail.faults.add(Fault(Trouble.STALE, path="/list-bulk-collection", count=1))
    before = world.contrail.counters
    assert world.audit(page_size=100).left == 0
    assert world.contrail.faults.waiting == ()
    pages = len(AUDITED) + 2  # of owners of links: routers and networks
    assert (world.contrail.counters - before).total() == pages + 1  # the machine was looked at once more


def test_a_page_that_cannot_be_had_ends_the_audit_without_a_conclusion(world: World) -> None:
    (web,) = world.pods("web-0")
    world.audit()
    delete(world, "instance-ip", web[2].uuid)
    world.contrail.faults.add(Fault(Trouble.STATUS, path="/list-bulk-collection", status=500, text="no", count=1))
    with pytest.raises(Exception, match="Contrail answered 500: no"):
        world.audit(repair=True)
    assert world.findings() == {}
    assert [row.outcome for row in world.rows("SELECT outcome FROM audit_run ORDER BY id")] == ["complete", "failed"]


def test_an_api_that_is_busy_for_a_moment_is_asked_again(world: World) -> None:
    (web,) = world.pods("web-0")
    delete(world, "instance-ip", web[2].uuid)
    world.contrail.faults.add(Fault(Trouble.STATUS, path="/list-bulk-collection", status=503, count=2))
    assert world.audit().counts.missing == 1


def test_what_keeps_changing_back_is_reported_and_left_for_a_while(world: World) -> None:
    (web,) = world.pods("web-0")
    for _ in range(3):
        put(world, "virtual-machine", web[0].uuid, server_type="virtual-server")
        assert world.audit(repair=True).repaired == 1
        world.apply()
    put(world, "virtual-machine", web[0].uuid, server_type="virtual-server")
    report = world.audit(repair=True)
    assert (report.repaired, report.left, len(report.restless)) == (0, 1, 1)
    (reason,) = world.reasons()
    assert "keeps changing back: repaired 3 times within 24 h" in reason
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_finding SET repaired_at = repaired_at - interval '25 hours'")
    assert world.audit(repair=True).repaired == 1


def test_one_audit_of_a_cluster_runs_at_a_time(world: World) -> None:
    world.pods("web-0")
    with open_session(world.engine, cluster="k8s") as first, open_session(world.engine, cluster="k8s") as second:
        assert first is not None
        assert second is None
        with open_session(world.engine, cluster="k8s-a") as other:
            assert other is not None
    with open_session(world.engine, cluster="k8s") as again:
        assert again is not None


def test_an_applier_with_no_more_rights_than_its_role_can_audit(world: World) -> None:
    (web,) = world.pods("web-0")
    delete(world, "instance-ip", web[2].uuid)

    def become(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE contrail_kube_applier")
        connection.commit()

    world.engine.dispose()
    event.listen(world.engine, "connect", become)
    try:
        assert world.audit(repair=True, prune=True).repaired == 1
        world.apply()
        assert world.audit(repair=True).left == 0
    finally:
        event.remove(world.engine, "connect", become)
        world.engine.dispose()
