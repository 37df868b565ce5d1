"""The objects of a small cluster, as translation makes them: network, namespaces, pods."""

from __future__ import annotations

import uuid as uuid_module
from dataclasses import dataclass
from typing import Any

from schemas.contrail.objects import ContrailObject, Desired, Link, Reference
from schemas.contrail.trunk import Trunk
from schemas.identity import mac_of, object_uuid

CLUSTER = "k8s"
DOMAIN = "default-domain"


def annotations(**pairs: str) -> dict[str, Any]:
    """The owner mark, and more."""
    every = {"owner": "k8s", "cluster": CLUSTER, **pairs}
    return {"key_value_pair": [{"key": key, "value": value} for key, value in sorted(every.items())]}


def project(namespace: str) -> ContrailObject:
    """Project of a namespace."""
    name = (DOMAIN, f"{CLUSTER}-{namespace}")
    uuid = object_uuid(CLUSTER, "project", ":".join(name))
    return ContrailObject("project", name, uuid, "domain", {"annotations": annotations(kind="Namespace")})


HOME = project("default")
IPAM = ContrailObject(
    "network-ipam",
    (*HOME.fq_name, "k8s-pod-ipam"),
    object_uuid(CLUSTER, "network-ipam", "pod"),
    "project",
    {
        "ipam_subnet_method": "flat-subnet",
        "ipam_subnets": {"subnets": [{"subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 12}}]},
        "annotations": annotations(),
    },
    parent_uuid=HOME.uuid,
)
NETWORK = ContrailObject(
    "virtual-network",
    (*HOME.fq_name, "k8s-default-pod-network"),
    object_uuid(CLUSTER, "virtual-network", "pod"),
    "project",
    {
        "virtual_network_properties": {"forwarding_mode": "l3"},
        "address_allocation_mode": "flat-subnet-only",
        "annotations": annotations(),
    },
    (Reference("network-ipam", IPAM.fq_name, IPAM.uuid, {"ipam_subnets": []}),),
    parent_uuid=HOME.uuid,
)
BOOTSTRAP: tuple[Desired, ...] = (HOME, IPAM, NETWORK)


@dataclass(frozen=True)
class Pod:
    """The objects of one pod."""

    machine: ContrailObject
    interface: ContrailObject
    address: ContrailObject
    link: Link

    @property
    def objects(self) -> tuple[Desired, ...]:
        """All of them."""
        return self.machine, self.interface, self.address, self.link


def pod(
    namespace: str,
    name: str,
    *,
    node: str = "node-1",
    node_address: str = "192.0.2.1",
    uid: str = "",
    labels: str = "{}",
    trunk: Trunk | None = None,
) -> Pod:
    """Objects of a pod; the same name gives the same uid unless one is given. `trunk`: it is nested."""
    uid = uid or str(uuid_module.uuid5(uuid_module.NAMESPACE_DNS, f"{namespace}/{name}"))
    owner = project(namespace)
    marks = annotations(kind="Pod", namespace=namespace, name=name)
    machine = ContrailObject(
        "virtual-machine",
        (f"{CLUSTER}__{namespace}__{name}",),
        uid,
        None,
        {"server_type": "container", "annotations": annotations(kind="Pod", labels=labels)},
    )
    interface_uuid = object_uuid(CLUSTER, "virtual-machine-interface", f"{uid}/eth0")
    interface = ContrailObject(
        "virtual-machine-interface",
        (*owner.fq_name, f"{name}__{interface_uuid}"),
        interface_uuid,
        "project",
        {
            "virtual_machine_interface_mac_addresses": {"mac_address": [mac_of(interface_uuid)]},
            "annotations": marks,
        },
        (
            Reference("virtual-machine", machine.fq_name, machine.uuid),
            Reference("virtual-network", NETWORK.fq_name, NETWORK.uuid),
        ),
        parent_uuid=owner.uuid,
        trunk=trunk,
    )
    address_uuid = object_uuid(CLUSTER, "instance-ip", f"{uid}/eth0")
    address = ContrailObject(
        "instance-ip",
        (f"{name}__{address_uuid}",),
        address_uuid,
        None,
        {"instance_ip_family": "v4", "annotations": marks},
        (
            Reference("virtual-machine-interface", interface.fq_name, interface.uuid),
            Reference("virtual-network", NETWORK.fq_name, NETWORK.uuid),
        ),
    )
    link = Link(
        owner_type="virtual-router",
        owner_fq_name=("default-global-system-config", node),
        target_type="virtual-machine",
        target_fq_name=machine.fq_name,
        target_uuid=machine.uuid,
        owner_address=node_address,
        trunk=trunk,
    )
    return Pod(machine, interface, address, link)
