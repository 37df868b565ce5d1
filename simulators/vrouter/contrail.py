"""Configuration as the controller would send it, read from the config API (shell).

A real agent gets its part of the configuration graph by XMPP from a control node: what hangs on its
virtual-router. Here the same part is asked for when it is needed, from the config API that the control node
would have got it from.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import logging
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from simulators.vrouter.config import Assignment, InterfaceConfig

logger = logging.getLogger(__name__)

Json = Any
_TIMEOUT = 5.0
_ROUTER_PARENT = "default-global-system-config"


class ContrailConfig:
    """Configuration of one node; thread-safe. An API that does not answer is a controller that is away."""

    def __init__(self, url: str, *, node: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 8082
        self._node = node

    def interfaces(self, machine_uuid: str) -> tuple[InterfaceConfig, ...]:
        """See ConfigSource."""
        name = self._linked().get(machine_uuid)
        if name is None:
            return ()
        found = self._list(
            "virtual-machine-interface",
            machine_uuid,
            "virtual_network_refs",
            "virtual_machine_interface_mac_addresses",
            "virtual_machine_interface_properties",
            "virtual_machine_interface_refs",
            "annotations",
        )
        interfaces = [self._interface(body, machine_uuid, name) for body in found]
        # Like the agent: without its network an interface is not known at all.
        return tuple(sorted((i for i in interfaces if i is not None), key=lambda i: i.uuid))

    def machine_named(self, name: str) -> str | None:
        """See ConfigSource."""
        return next((uuid for uuid, known in self._linked().items() if known == name), None)

    def _linked(self) -> dict[str, str]:
        """Machines that refer from this node's virtual-router: name by uuid."""
        query = f"fq_names={quote(f'{_ROUTER_PARENT}:{self._node}')}&fields=virtual_machine_refs"
        routers = self._get(f"/virtual-routers?{query}").get("virtual-routers", [])
        return {ref["uuid"]: ref["to"][-1] for router in routers for ref in router.get("virtual_machine_refs", [])}

    def _interface(self, body: Json, machine_uuid: str, machine_name: str) -> InterfaceConfig | None:
        networks = body.get("virtual_network_refs", [])
        macs = (body.get("virtual_machine_interface_mac_addresses") or {}).get("mac_address", [])
        if not networks or not macs:
            return None
        # A tag without a parent, or 0, makes no sub-interface.
        parents = body.get("virtual_machine_interface_refs", [])
        tag = (body.get("virtual_machine_interface_properties") or {}).get("sub_interface_vlan_tag") or None
        is_nested = bool(parents) and tag is not None
        pairs = (body.get("annotations") or {}).get("key_value_pair", [])
        return InterfaceConfig(
            uuid=body["uuid"],
            machine_uuid=machine_uuid,
            machine_name=machine_name,
            network_uuid=networks[0]["uuid"],
            network_name=":".join(networks[0]["to"]),
            project_uuid=body.get("parent_uuid", ""),
            mac=macs[0],
            annotations=tuple((pair["key"], pair["value"]) for pair in pairs),
            assignments=self._assignments(body["uuid"], networks[0]["uuid"]),
            vlan=tag if is_nested else None,
            parent_uuid=parents[0]["uuid"] if is_nested else "",
        )

    def _assignments(self, interface_uuid: str, network_uuid: str) -> tuple[Assignment, ...]:
        found = self._list("instance-ip", interface_uuid, "instance_ip_address")
        addresses = [ip["instance_ip_address"] for ip in found if ip.get("instance_ip_address")]
        if not addresses:
            return ()
        subnets = list(self._subnets(network_uuid))
        assigned = (assignment(address, subnets) for address in sorted(addresses))
        return tuple(a for a in assigned if a is not None)

    def _subnets(self, network_uuid: str) -> Iterable[Json]:
        """Subnets of the network: its own, and those of its flat IPAMs (whose link names no prefix)."""
        network = self._read("virtual-network", network_uuid, "network_ipam_refs")
        for ref in network.get("network_ipam_refs", []):
            own = [s for s in ((ref.get("attr") or {}).get("ipam_subnets") or []) if s.get("subnet")]
            if own:
                yield from own
            else:
                ipam = self._read("network-ipam", ref["uuid"], "ipam_subnets")
                yield from (ipam.get("ipam_subnets") or {}).get("subnets", [])

    def _list(self, kind: str, referred: str, *fields: str) -> list[Json]:
        """Objects of a kind that refer to an object."""
        body = self._get(f"/{kind}s?back_ref_id={referred}&fields={','.join(fields)}")
        return list(body.get(f"{kind}s", []))

    def _read(self, kind: str, uuid: str, *fields: str) -> Json:
        return self._get(f"/{kind}/{uuid}?fields={','.join(fields)}").get(kind, {})

    def _get(self, path: str) -> Json:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request("GET", path, headers={"Content-Type": "application/json", "Connection": "close"})
            response = connection.getresponse()
            text = response.read()
            return json.loads(text) if response.status == 200 else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            logger.warning("config API does not answer host=%s port=%d error=%s", self._host, self._port, error)
            return {}
        finally:
            connection.close()


def assignment(address: str, subnets: Iterable[Json]) -> Assignment | None:
    """The address with what its subnet says; None when no subnet holds it."""
    ip = ipaddress.ip_address(address)
    for entry in subnets:
        subnet = entry.get("subnet") or {}
        net = ipaddress.ip_network(f"{subnet.get('ip_prefix')}/{subnet.get('ip_prefix_len')}", strict=False)
        if ip.version == net.version and ip in net:
            return Assignment(
                family=ip.version,
                address=str(ip),
                prefix_len=net.prefixlen,
                gateway=entry.get("default_gateway") or None,
                dns=entry.get("dns_server_address") or None,
            )
    return None
