"""Which subnet an address belongs to, with its gateway and DNS server (shell around a pure reading of IPAMs).

Subnets are read once per network: those that the network lists itself, and those of its flat IPAMs, where the
network only names a subnet_uuid. Thread-safe.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from schemas.contrail.objects import Json

IPAM = "network-ipam"
NETWORK = "virtual-network"


@dataclass(frozen=True, slots=True)
class Subnet:
    """One subnet of a network; gateway and dns are '' where Contrail has none."""

    uuid: str
    cidr: ipaddress.IPv4Network | ipaddress.IPv6Network
    gateway: str
    dns: str


def subnets_of(entries: Iterable[Mapping[str, Json]], flat_uuid: str = "") -> list[Subnet]:
    """Subnets in an `ipam_subnets` list (pure); entries of a flat IPAM have no uuid of their own."""
    found = []
    for entry in entries:
        subnet = entry.get("subnet")
        if not subnet:
            continue
        cidr = ipaddress.ip_network(f"{subnet['ip_prefix']}/{subnet['ip_prefix_len']}", strict=False)
        uuid = entry.get("subnet_uuid") or flat_uuid
        found.append(Subnet(uuid, cidr, entry.get("default_gateway") or "", entry.get("dns_server_address") or ""))
    return found


def choose(subnets: Iterable[Subnet], address: str, subnet_uuid: str | None) -> Subnet | None:
    """The subnet of an address (pure): by uuid where the instance-ip has one, and always by containment."""
    ip = ipaddress.ip_address(address)
    fitting = [s for s in subnets if ip.version == s.cidr.version and ip in s.cidr]
    named = [s for s in fitting if subnet_uuid and s.uuid == subnet_uuid]
    return next(iter(named or fitting), None)


class Subnets:
    """Subnets by network uuid; raises ContrailUnavailable like the client it asks."""

    def __init__(
        self, client: ContrailClient, *, remember: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._remember = remember
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, tuple[Subnet, ...]]] = {}

    def find(self, network: str, address: str, subnet_uuid: str | None) -> Subnet | Outcome:
        """The subnet of an address in the network, else what the API said; asks anew once before giving up."""
        with self._lock:
            until, known = self._known.get(network, (float("-inf"), ()))
        if self._clock() < until and (subnet := choose(known, address, subnet_uuid)):
            return subnet
        found = self._read(network)
        if isinstance(found, Outcome):
            missing = found.verdict is Verdict.GONE
            return Outcome(Verdict.WAIT, f"virtual-network {network} is not in Contrail") if missing else found
        with self._lock:
            self._known[network] = (self._clock() + self._remember, found)
        subnet = choose(found, address, subnet_uuid)
        return subnet or Outcome(Verdict.RETRY, f"{address} is in no subnet of virtual-network {network}")

    def _read(self, network: str) -> tuple[Subnet, ...] | Outcome:
        answer = self._client.read(NETWORK, network, ("network_ipam_refs",))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is not Verdict.DONE:
            return outcome
        found: list[Subnet] = []
        for ref in answer.json[NETWORK].get("network_ipam_refs") or ():
            listed = (ref.get("attr") or {}).get("ipam_subnets") or []
            found += subnets_of(listed)
            for flat_uuid in (e["subnet_uuid"] for e in listed if not e.get("subnet") and e.get("subnet_uuid")):
                flat = self._read_ipam(ref["uuid"], flat_uuid)
                if isinstance(flat, Outcome):
                    return flat
                found += flat
        return tuple(found)

    def _read_ipam(self, ipam: str, flat_uuid: str) -> list[Subnet] | Outcome:
        answer = self._client.read(IPAM, ipam, ("ipam_subnets",))
        outcome = classify(Call.READ, answer)
        if outcome.verdict is not Verdict.DONE:
            return outcome
        return subnets_of((answer.json[IPAM].get("ipam_subnets") or {}).get("subnets") or (), flat_uuid)
