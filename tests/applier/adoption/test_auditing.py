"""The audit of what was adopted: under the predecessor's uuids, and made anew where one of those is gone."""

from __future__ import annotations

import pytest
import requests
from sqlalchemy import Engine

from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import adopt
from tests.applier.audit.world import World
from tests.applier.incumbent import KubeManager
from tests.applier.kubernetes import uid_of

pytestmark = pytest.mark.postgres


def test_an_adopted_address_that_somebody_deleted_is_made_anew_as_it_was(
    contrail: ContrailSimulator, predecessor: KubeManager, store_engine: Engine
) -> None:
    predecessor.namespace("default")
    predecessor.namespace("shop")
    web = predecessor.pod("shop", "web-0", uid=uid_of("shop", "web-0"))
    world = World(store_engine, contrail)
    world.store.start("default", "shop")
    wanted = world.store.pod("shop", "web-0")
    adopt(world.store, contrail)
    world.apply()
    assert world.audit().counts.drift == 0  # what adoption leaves alone stays an orphan, and is kept
    (live,) = contrail.objects("instance-ip")
    assert live["uuid"] == web.address != wanted[2].uuid

    body = {"virtual-machine": {"server_type": "virtual-server"}}
    assert requests.put(f"{contrail.url}/virtual-machine/{web.machine}", json=body, timeout=5).ok
    assert requests.delete(f"{contrail.url}/instance-ip/{web.address}", timeout=5).ok
    report = world.audit(repair=True)
    assert (report.counts.changed, report.counts.missing, report.repaired) == (1, 1, 2)
    world.apply()
    (anew,) = contrail.objects("instance-ip")
    assert anew["uuid"] == wanted[2].uuid
    assert anew["instance_ip_address"] == live["instance_ip_address"]
    assert world.audit().counts.drift == 0  # what adoption leaves alone stays an orphan, and is kept
