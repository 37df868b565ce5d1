"""From events of services to the link-local entries of a simulated Contrail, and back."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from schemas.events import ChangeEvent
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.everything import link_local
from tests.applier.running import applying, until, until_applied
from tests.applier.test_entries import METADATA, services, somebody
from tests.translator.facts import namespace, pod
from tests.translator.services import cart, endpoint, endpoints
from tests.translator.test_link_local import kubernetes, lead, of_host
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(store: DesiredStore) -> Iterator[World]:
    """A translator over the applier's store."""
    backend = PostgresStore(store.engine, "k8s")
    yield World(backend, with_settings=True)
    backend.close()


def leads(contrail: ContrailSimulator) -> dict[str, str]:
    """Where each link-local address and port leads."""
    return {f"{e['linklocal_service_ip']}:{e['linklocal_service_port']}": lead(e) for e in services(contrail)}


def later(version: int, *events: ChangeEvent) -> list[ChangeEvent]:
    """The same, told later."""
    return [msgspec.structs.replace(each, resource_version=str(version)) for each in events]


def test_pods_reach_the_api_server_at_every_address_that_it_has_just_now(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    somebody(contrail, "linklocal_services", METADATA)
    metadata = {"169.254.169.254:80": "127.0.0.1:8775"}
    with applying(store, contrail):
        for version, servers in enumerate((["192.0.2.10"], ["192.0.2.10", "192.0.2.11"], ["192.0.2.11"]), 2):
            world.tell(*later(version, *kubernetes(*servers)))
            until_applied(store)
            assert leads(contrail) == {**metadata, "10.96.0.1:443": f"{','.join(servers)}:6443"}
        world.tell(*later(9, *kubernetes()))
        until_applied(store)
    assert leads(contrail) == metadata


def test_a_service_that_moves_from_the_host_into_the_pod_network_changes_over(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (host, at_host) = of_host("h", "192.0.2.1")
    with applying(store, contrail):
        world.tell(namespace(), host, cart(), endpoints("cart-1", at_host))
        until_applied(store)
        assert leads(contrail) == {"10.96.20.7:80": "192.0.2.1:8080"}
        world.tell(pod("a", 3, node=""), *later(3, endpoints("cart-1", endpoint("a"))))
        until_applied(store)
        assert leads(contrail) == {}
        (floating,) = contrail.objects("floating-ip")
        assert len(floating["virtual_machine_interface_refs"]) == 1


def test_case_69_a_cluster_with_the_same_service_addresses_waits_and_is_told_whose_they_are(
    world: World, store: DesiredStore, contrail: ContrailSimulator
) -> None:
    name = "default-domain-other-default-kubernetes-443"
    somebody(contrail, "linklocal_services", link_local(name, "10.96.0.1", 443, ["198.51.100.10"], 6443))
    with applying(store, contrail):
        world.tell(*kubernetes("192.0.2.10"))
        reason = until(lambda: [s.reason for s in store.states().values() if s.status == "failed"])[0]
        assert name in reason and "10.96.0.1:443" in reason
        assert leads(contrail) == {"10.96.0.1:443": "198.51.100.10:6443"}
        world.tell(*later(3, *kubernetes()))
        until_applied(store)
    assert leads(contrail) == {"10.96.0.1:443": "198.51.100.10:6443"}
