"""Answers that look right and are not: what the applier believes, and how it ends once the API is honest."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import requests
from sqlalchemy import text

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, pod, project
from tests.applier.picture import Picture, differences, picture
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import put_pods, shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]
PATIENCE = {"backoff_first": 0.25, "backoff_limit": 60.0, "blocked_limit": 1.0}
"""Of a real applier, but for what waits."""


@pytest.mark.parametrize("page", ["<html>Welcome</html>", '{"virtual-machine": 5}', "[]", '{"instance-ips": {}}', ""])
def test_a_server_that_lies_is_not_believed(store: DesiredStore, contrail: ContrailSimulator, page: str) -> None:
    (web,) = shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/list-bulk-collection", 2, status=200, text=page))
    contrail.faults.add(Fault(Trouble.STATUS, "GET", "/", 2, status=200, text=page))
    with applying(store, contrail):
        until_applied(store)
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_a_welcome_page_is_no_success(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=200, text="<html>Welcome</html>"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.link.uuid)) and s.status == "failed")
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("virtual-machine") == 0


def test_a_server_that_is_no_contrail_deletes_nothing(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "DELETE", "/", None, status=404, text="<html>nothing here</html>"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.address.uuid)) and s.attempts >= 2)
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("virtual-machine") == 0


WRITES = "/(virtual-machine|instance-ip|ref-update)"
BEFORE = (pod("shop", "stays"), pod("shop", "goes"))
AFTER = (pod("shop", "stays", labels='{"app": "new"}'), pod("shop", "comes"))
OURS = {o.uuid for p in (*BEFORE, *AFTER) for o in p.objects} | {o.uuid for o in BOOTSTRAP}

UNDISTURBED: list[Picture] = []
"""The end that every run must have, once it is known."""


def begin(store: DesiredStore, contrail: ContrailSimulator) -> None:
    """Two pods, applied; an older state that can be answered from."""
    store.put(*BOOTSTRAP)
    put_pods(store, *BEFORE)
    with applying(store, contrail):
        until_applied(store)
    contrail.snapshot()


def change(store: DesiredStore) -> None:
    """One pod stays and changes, one goes, one comes."""
    store.remove(*BEFORE[1].objects)
    put_pods(store, *AFTER)


def expect_truth(store: DesiredStore, contrail: ContrailSimulator) -> None:
    """Contrail has what is wanted, and no more; the store knows the addresses."""
    found = picture(contrail, OURS)
    addresses = {o["uuid"]: o["instance_ip_address"] for o in contrail.objects("instance-ip")}
    assert {uuid: body["address"] for uuid, body in store.observed().items()} == addresses
    if not UNDISTURBED:
        contrail.reset()
        with store.engine.begin() as connection:
            connection.execute(text("TRUNCATE desired_object, observed_object CASCADE"))
        begin(store, contrail)
        change(store)
        with applying(store, contrail):
            until_applied(store)
        UNDISTURBED.append(picture(contrail, OURS))
    assert not differences(found, UNDISTURBED[0])


@pytest.mark.parametrize(
    "lie",
    [
        Fault(Trouble.STATUS_AFTER, "", WRITES, 6, status=500, text="Internal Server Error"),
        Fault(Trouble.STATUS_AFTER, "", WRITES, 6, status=400, text="Bad property in create: x"),
        Fault(Trouble.STATUS_AFTER, "", WRITES, 6, status=409, text="x is in use"),
        Fault(Trouble.NOTHING, "POST", "/virtual-machines", 2),
        Fault(Trouble.NOTHING, "POST", "/(virtual-machines|virtual-machine-interfaces|instance-ips)", 4),
        Fault(Trouble.STALE, "GET", "/", 2),
        Fault(Trouble.STALE, "POST", "/(list-bulk-collection|fqname-to-id)", 2),
    ],
    ids=lambda lie: f"{lie.trouble}-{lie.status}-{lie.method}-{lie.path}",
)
def test_it_ends_in_truth_once_the_api_is_honest(store: DesiredStore, contrail: ContrailSimulator, lie: Fault) -> None:
    begin(store, contrail)
    contrail.faults.add(replace(lie))
    before = contrail.counters.total()
    change(store)
    with applying(store, contrail):
        until(lambda: not contrail.faults.waiting, within=5.0)
        until_applied(store, within=10.0)
    assert contrail.counters.total() - before < 100
    expect_truth(store, contrail)


@pytest.mark.parametrize(
    "lie",
    [
        Fault(Trouble.STATUS_AFTER, "", WRITES, None, status=500, text="Internal Server Error"),
        Fault(Trouble.NOTHING, "POST", "/", None),
    ],
    ids=lambda lie: lie.trouble,
)
def test_an_api_that_lies_for_long_is_asked_seldom_and_a_person_is_told(
    store: DesiredStore, contrail: ContrailSimulator, lie: Fault
) -> None:
    begin(store, contrail)
    contrail.faults.add(replace(lie))
    before = contrail.counters.total()
    change(store)
    with applying(store, contrail, **PATIENCE):
        time.sleep(1.5)
        assert contrail.counters.total() - before < 80
        assert store.unfinished() and all(reason for reason in store.reasons() - {""})
        contrail.faults.clear()
        until_applied(store, within=15.0)
    if lie.trouble is Trouble.STATUS_AFTER:  # what was never done and never missed is found by an audit only
        expect_truth(store, contrail)


def test_a_node_that_keeps_a_machine_is_made_to_let_go_of_it(store: DesiredStore, contrail: ContrailSimulator) -> None:
    begin(store, contrail)
    goes = BEFORE[1]
    contrail.faults.add(Fault(Trouble.NOTHING, "POST", "/ref-update"))
    with applying(store, contrail):
        store.remove(*goes.objects)
        until_applied(store)
    assert contrail.find("virtual-machine", *goes.machine.fq_name) is None
    (router,) = contrail.objects("virtual-router")
    assert [ref["uuid"] for ref in router["virtual_machine_refs"]] == [BEFORE[0].machine.uuid]


def test_a_delete_that_was_not_done_is_named_as_what_holds_the_next_one(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    begin(store, contrail)
    goes = BEFORE[1]
    contrail.faults.add(Fault(Trouble.NOTHING, "DELETE", "/virtual-machine-interface/"))
    with applying(store, contrail):
        store.remove(*goes.objects)
        state = until(lambda: (s := store.states().get(goes.machine.uuid)) and s.status == "blocked" and s)
        assert state.reason.startswith("not deleted yet: held by virtual-machine-interface ")
        until(lambda: "(not in the store)" in store.states()[goes.machine.uuid].reason)  # once that is recorded as gone
        requests.delete(f"{contrail.url}/virtual-machine-interface/{goes.interface.uuid}", timeout=5)
        until(lambda: not store.unfinished(), told=store.unfinished)
    assert contrail.find("virtual-machine", *goes.machine.fq_name) is None


def test_a_change_that_was_not_done_is_made_up_for_by_the_next_one(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    begin(store, contrail)
    contrail.faults.add(Fault(Trouble.NOTHING, "PUT", "/virtual-machine/"))
    with applying(store, contrail):
        change(store)
        until_applied(store)
        put_pods(store, pod("shop", "stays", labels='{"app": "newer"}'))
        until_applied(store)
    (stays,) = (o for o in contrail.objects("virtual-machine") if o["uuid"] == BEFORE[0].machine.uuid)
    assert {"key": "labels", "value": '{"app": "newer"}'} in stays["annotations"]["key_value_pair"]


def test_what_somebody_deleted_under_a_pod_is_made_again_when_the_pod_misses_it(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    store.put(*BOOTSTRAP)
    put_pods(store)
    with applying(store, contrail):
        until_applied(store)
        assert requests.delete(f"{contrail.url}/project/{project('shop').uuid}", timeout=5).status_code == 200
        put_pods(store, *BEFORE)
        until_applied(store, within=5.0)
    assert contrail.count("instance-ip") == 2
