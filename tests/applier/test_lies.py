"""Answers that look right and are not: what the applier believes, and how it ends once the API is honest."""

from __future__ import annotations

import pytest

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


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
