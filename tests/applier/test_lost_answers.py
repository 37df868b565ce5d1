"""Work that was done and not told, or is gone when it is wanted: cases 63 and 65."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP
from tests.applier.running import applying, until_applied
from tests.applier.shop import shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


@pytest.mark.parametrize(
    "path",
    [
        "/projects",
        "/network-ipams",
        "/virtual-networks",
        "/virtual-machines",
        "/virtual-machine-interfaces",
        "/instance-ips",
        "/ref-update",
        "/list-bulk-collection",
        "/fqname-to-id",
    ],
)
def test_case_63_lost_answers_find_their_own_work(store: DesiredStore, contrail: ContrailSimulator, path: str) -> None:
    pods = shop(store, "web-0", "web-1")
    contrail.faults.add(Fault(Trouble.DROP_AFTER, "POST", path, count=2))
    with applying(store, contrail):
        until_applied(store)
    assert contrail.count("virtual-machine") == contrail.count("instance-ip") == 2
    assert store.observed().keys() == {p.address.uuid for p in pods}
    assert len({body["address"] for body in store.observed().values()}) == 2


def test_case_63_an_answer_that_comes_too_late_is_adopted(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/instance-ips", seconds=1.0))
    with applying(store, contrail, read_timeout=0.3):
        until_applied(store)
    assert contrail.count("instance-ip") == 1
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_case_65_what_somebody_deleted_is_made_again_when_it_changes(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.reset()
        store.put(*BOOTSTRAP)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE apply_state SET status = 'pending', desired_generation = 2"))
            connection.execute(text("UPDATE desired_object SET generation = 2"))
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
    assert contrail.count("virtual-machine") == 1
    assert store.observed()[web.address.uuid]["address"] == "10.47.255.252"


def test_case_65_deletes_of_what_is_gone_are_done(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.reset()
        store.remove(*web.objects)
        until_applied(store)
    assert web.machine.uuid not in store.states()
