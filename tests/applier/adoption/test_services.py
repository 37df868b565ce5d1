"""Services that the predecessor made: their addresses stay, and their members are followed from then on."""

from __future__ import annotations

from typing import Any

import pytest

from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import addresses, adopt, look, verdicts
from tests.applier.adoption.test_adopting import NAMESPACES, made
from tests.applier.incumbent import KubeManager, PodThere
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until_applied

pytestmark = pytest.mark.postgres
SERVICE = uid_of("shop", "service web")


def told(kubernetes: KubernetesInStore, *members: str, address: str = "10.96.0.7") -> None:
    """What the store has heard: two of the three pods, and the service with these members."""
    kubernetes.start(*NAMESPACES)
    kubernetes.pod("shop", "web-0", node="node-1")
    kubernetes.pod("shop", "web-1", node="node-2")
    kubernetes.service("shop", "web", *members, uid=SERVICE, address=address)


def only(contrail: ContrailSimulator, type_: str) -> dict[str, Any]:
    """The only object of a type."""
    (found,) = contrail.objects(type_)
    return found


def address_of(contrail: ContrailSimulator) -> dict[str, Any]:
    """The instance-ip of the service."""
    (found,) = [o for o in contrail.objects("instance-ip") if o["instance_ip_address"] == "10.96.0.7"]
    return found


def test_the_address_of_a_service_is_kept_and_its_members_are_the_present_ones(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    pods: dict[str, PodThere] = made(predecessor)
    told(kubernetes, "web-1")
    earlier, before = address_of(contrail), addresses(contrail)
    floating = only(contrail, "floating-ip")
    found = verdicts(look(kubernetes, contrail))
    interface = earlier["virtual_machine_interface_refs"][0]["uuid"]
    assert (found[earlier["uuid"]], found[interface], found[floating["uuid"]]) == ("kept", "kept", "replaced")
    _, adopted = adopt(kubernetes, contrail)
    assert not adopted.failures
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    now = only(contrail, "floating-ip")
    assert now["uuid"] != floating["uuid"]
    assert now["fq_name"][0] == earlier["fq_name"][0] and now["floating_ip_address"] == "10.96.0.7"
    assert [ref["uuid"] for ref in now["virtual_machine_interface_refs"]] == [pods["web-1"].interface]
    assert now["floating_ip_port_mappings"] == {
        "port_mappings": [{"protocol": "TCP", "src_port": 80, "dst_port": 8080}]
    }
    left = addresses(contrail)
    assert left == {uuid: address for uuid, address in before.items() if uuid in left}
    assert address_of(contrail)["uuid"] == earlier["uuid"]
    again = look(kubernetes, contrail)
    assert set(verdicts(again, "floating-ip", "instance-ip").values()) == {"kept"}
    assert contrail.count("loadbalancer") == 1


def test_a_service_that_is_not_known_to_the_store_is_left_alone(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    made(predecessor)
    kubernetes.start(*NAMESPACES)
    kubernetes.pod("shop", "web-0", node="node-1")
    earlier = address_of(contrail)
    found = verdicts(look(kubernetes, contrail))
    assert found[only(contrail, "floating-ip")["uuid"]] == found[earlier["uuid"]] == "left alone"


def test_nothing_is_made_anew_below_an_address_of_which_the_slices_may_be_unknown(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    made(predecessor)
    told(kubernetes, "web-1")
    kubernetes.epoch("EndpointSlice", seconds=-600.0)
    assert verdicts(look(kubernetes, contrail), "floating-ip").popitem()[1] == "left alone"
