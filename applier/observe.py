"""Reads back what Contrail decides by itself (shell): addresses of instance-ips and public floating-ips, many with one
call."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.rows import Row
from applier.subnets import NETWORK, Subnet, Subnets
from schemas.contrail.objects import Json

INSTANCE_IP = "instance-ip"
FLOATING_IP = "floating-ip"
POOL = "floating-ip-pool"
ADDRESS = {INSTANCE_IP: "instance_ip_address", FLOATING_IP: "floating_ip_address"}
"""Field that holds the address, by type."""
ADDRESS_FIELDS = {INSTANCE_IP: (ADDRESS[INSTANCE_IP], "subnet_uuid"), FLOATING_IP: (ADDRESS[FLOATING_IP],)}
_NETWORKS = "virtual_network_refs"
CHUNK = 200
"""Objects read with one call."""

Observation = Mapping[str, Json]
"""Body of observed_object: {'address', 'prefix_len', 'gateway', 'dns', 'subnet_uuid', 'family'}; with 'network_uuid'
where the network is not ours. Of a floating-ip address and family only."""


def needs_address(row: Row) -> bool:
    """Whether the row counts as applied only when its address was read.

    Of floating-ips those are it that come from a pool, and leave to Contrail which address.
    """
    if row.absent or row.type not in ADDRESS:
        return False
    if row.type == INSTANCE_IP:
        return True
    return row.body["parent_type"] == POOL and ADDRESS[FLOATING_IP] not in row.body["properties"]


def observation(address: str, subnet: Subnet) -> dict[str, Json]:
    """Body of observed_object for an address (pure); gateway and dns are null where Contrail has none."""
    return {
        "address": address,
        "prefix_len": subnet.cidr.prefixlen,
        "gateway": subnet.gateway or None,
        "dns": subnet.dns or None,
        "subnet_uuid": subnet.uuid,
        "family": ipaddress.ip_address(address).version,
    }


class AddressReader:
    """Addresses as Contrail allocated them; raises ContrailUnavailable like the client it asks."""

    def __init__(self, client: ContrailClient, *, subnets: Subnets) -> None:
        self._client = client
        self._subnets = subnets

    def read(self, rows: Sequence[Row]) -> dict[str, Observation | Outcome]:
        """By uuid of every row, its observation, or what the API said instead; at most CHUNK rows, a call a type."""
        found: dict[str, Observation | Outcome] = {}
        for type_ in sorted({row.type for row in rows}):
            found |= self._read(type_, [row for row in rows if row.type == type_])
        return found

    def _read(self, type_: str, rows: Sequence[Row]) -> dict[str, Observation | Outcome]:
        fields = ADDRESS_FIELDS[type_]
        if type_ == INSTANCE_IP and not all(_network(row, {}) for row in rows):
            fields = (*fields, _NETWORKS)
        answer = self._client.read_many(type_, fields=fields, uuids=[row.contrail_uuid for row in rows])
        outcome = classify(Call.LOOKUP, answer)
        if outcome.verdict is not Verdict.DONE:
            return dict.fromkeys((row.uuid for row in rows), outcome)
        live = {item["uuid"]: item for item in answer.json[f"{type_}s"]}
        return {row.uuid: self.complete(row, live.get(row.contrail_uuid)) for row in rows}

    def complete(self, row: Row, live: Mapping[str, Json] | None) -> Observation | Outcome:
        """The observation from an object's live fields; of an instance-ip with what its network adds."""
        if live is None:
            return Outcome(Verdict.RETRY, f"{row.label} was created, but Contrail does not list it")
        address = live.get(ADDRESS[row.type])
        if row.type == FLOATING_IP:
            if not address:
                return Outcome(Verdict.FULL, f"{row.label} has no address yet: its pool has none to give")
            return {"address": address, "family": ipaddress.ip_address(address).version}
        network = _network(row, live)
        if not address or network is None:
            return Outcome(Verdict.FULL, f"{row.label} has no address yet: its network has no subnet to allocate from")
        found = self._subnets.find(network, address, live.get("subnet_uuid"))
        if isinstance(found, Outcome):
            return found
        # The store does not know the uuid of a network that is not ours; the vrouter agent must be told it.
        return observation(address, found) | ({} if _network(row, {}) else {"network_uuid": network})


def _network(row: Row, live: Mapping[str, Json]) -> str | None:
    """Uuid of the network; of one that is not ours only Contrail knows it."""
    for reference in (*(row.body.get("references") or ()), *_live_networks(live)):
        if reference["type"] == NETWORK and reference["uuid"]:
            uuid: str = reference["uuid"]
            return uuid
    return None


def _live_networks(live: Mapping[str, Json]) -> Iterable[Mapping[str, Json]]:
    return ({"type": NETWORK, "uuid": reference.get("uuid")} for reference in live.get(_NETWORKS) or ())
