"""The virtual machines of a cloud that are nodes: their interfaces in a simulated Contrail, and their hosts."""

from __future__ import annotations

import uuid
from typing import Any

from applier.client import ContrailClient
from schemas.settings import ContrailSettings
from simulators.contrail.server import ContrailSimulator

PROJECT = ("default-domain", "default-project")
UNDERLAY = (*PROJECT, "cloud")
HOST = "compute-1.cloud"


def uuid_of(name: str) -> str:
    """Uuid of an interface, machine or address of the cloud."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"cloud/{name}"))


class Cloud:
    """Makes what Nova and Neutron would have made, by calls of the API."""

    def __init__(self, contrail: ContrailSimulator) -> None:
        self._client = ContrailClient(ContrailSettings(urls=(contrail.url,)), pool_size=1)
        self._create("virtual-router", ("default-global-system-config", HOST), "global-system-config")
        subnet = {"subnet": {"ip_prefix": "192.168.7.0", "ip_prefix_len": 24}}
        ipam = (*PROJECT, "cloud-ipam")
        self._create(
            "network-ipam", ipam, "project", ipam_subnet_method="flat-subnet", ipam_subnets={"subnets": [subnet]}
        )
        self._create(
            "virtual-network",
            UNDERLAY,
            "project",
            virtual_network_properties={"forwarding_mode": "l3"},
            address_allocation_mode="flat-subnet-only",
            network_ipam_refs=[{"to": list(ipam), "attr": {"ipam_subnets": []}}],
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def boot(self, name: str, address: str, *, host: str = HOST) -> str:
        """A machine with one interface of that address; returns the interface's uuid."""
        self._create("virtual-machine", (name,))
        bindings = {"key_value_pair": [{"key": "host_id", "value": host}]} if host else None
        self._create(
            "virtual-machine-interface",
            (*PROJECT, name),
            "project",
            virtual_network_refs=[{"to": list(UNDERLAY)}],
            virtual_machine_refs=[{"to": [name]}],
            **({"virtual_machine_interface_bindings": bindings} if bindings else {}),
        )
        self._create(
            "instance-ip",
            (f"{name}-ip",),
            instance_ip_address=address,
            virtual_network_refs=[{"to": list(UNDERLAY)}],
            virtual_machine_interface_refs=[{"to": [*PROJECT, name]}],
        )
        return uuid_of(f"virtual-machine-interface {name}")

    def trunk_port(self, machine: str, name: str, tag: int) -> str:
        """A sub-interface of a machine that somebody else has; returns its uuid."""
        self._create(
            "virtual-machine-interface",
            (*PROJECT, name),
            "project",
            virtual_network_refs=[{"to": list(UNDERLAY)}],
            virtual_machine_interface_refs=[{"to": [*PROJECT, machine]}],
            virtual_machine_interface_properties={"sub_interface_vlan_tag": tag},
        )
        return uuid_of(f"virtual-machine-interface {name}")

    def shut_down(self, name: str) -> None:
        """The machine is deleted, with its interface."""
        for type_, of in (
            ("instance-ip", f"{name}-ip"),
            ("virtual-machine-interface", name),
            ("virtual-machine", name),
        ):
            answer = self._client.delete(type_, uuid_of(f"{type_} {of}"))
            assert answer.ok, answer

    def _create(self, type_: str, fq_name: tuple[str, ...], parent: str = "", **fields: Any) -> None:
        whole = {"fq_name": list(fq_name), "uuid": uuid_of(f"{type_} {fq_name[-1]}"), **fields}
        answer = self._client.create(type_, {**whole, "parent_type": parent} if parent else whole)
        assert answer.ok, answer
