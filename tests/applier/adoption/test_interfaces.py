"""A pod's second interface, in the network of an attachment, is taken over like the first."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import addresses, adopt, uuids
from tests.applier.incumbent import KubeManager
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until_applied

pytestmark = pytest.mark.postgres
BLUE = ["default-domain", "k8s-shop", "k8s-blue-pod-network"]


def attachment(manager: KubeManager) -> None:
    """The network of an attachment as the predecessor made it: without annotations, with a subnet of a uuid at will."""
    ipam = [*BLUE[:-1], "k8s-blue-pod-ipam"]
    manager.make("network-ipam", *ipam, parent_type="project")
    subnet = {
        "subnet": {"ip_prefix": "10.200.1.0", "ip_prefix_len": 24},
        "default_gateway": "10.200.1.254",
        "subnet_uuid": uid_of("", "subnet"),
    }
    manager.make(
        "virtual-network",
        *BLUE,
        parent_type="project",
        address_allocation_mode="user-defined-subnet-only",
        virtual_network_properties={"forwarding_mode": "l2_l3"},
        fabric_snat=False,
        network_ipam_refs=[{"to": ipam, "attr": {"ipam_subnets": [subnet]}}],
    )


def test_both_interfaces_of_a_running_pod_keep_what_they_have(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    predecessor.namespace("shop", uid=uid_of("", "shop"))
    attachment(predecessor)
    web = predecessor.pod("shop", "web-0", uid=uid_of("shop", "web-0"))
    second = predecessor.interface("shop", "web-0", machine=web.machine, network=BLUE, index="1/2", called="blue")
    address = predecessor.address("shop", "web-0", interface=second, network=BLUE)
    before = addresses(contrail)
    types = ("virtual-machine-interface", "virtual-network", "network-ipam", "instance-ip")
    there = {type_: uuids(contrail, type_) for type_ in types}
    kubernetes.start("shop")
    kubernetes.attachment("shop", "blue", "10.200.1.0/24")
    kubernetes.pod("shop", "web-0", annotations={"k8s.v1.cni.cncf.io/networks": "blue"})
    _, adopted = adopt(kubernetes, contrail)
    assert not adopted.failures
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    assert {type_: uuids(contrail, type_) for type_ in types} == there
    assert addresses(contrail) == before
    with kubernetes.engine.connect() as connection:
        rows = {row.interface: row for row in connection.execute(text("SELECT * FROM pod_address"))}
    assert rows.keys() == {"eth0", "net1"}
    assert str(rows["net1"].interface_uuid) == second
    assert (rows["net1"].address, rows["net1"].state) == (before[address], "ready")
