"""Which object of Contrail can serve which desired one (pure): by uuid, by exact name, by the pod's machine
or the service's uid.

No object serves two, and none is chosen among several: what is not certain is said to be so. Names are compared
whole, never by prefix, because the names of two clusters may begin alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from applier.adoption.objects import (
    FLOATING_IP,
    INSTANCE_IP,
    INTERFACE,
    IPAM,
    MACHINE,
    NETWORK,
    POLICY,
    PROJECT,
    SECURITY_GROUP,
    Cluster,
    Live,
    Wanted,
)
from schemas.contrail.objects import joined

_PREMADE = ("default", "kube-system")
"""Namespaces whose project and security group kube-manager makes at its start, without annotations."""
_OTHERWISE_USED = ("instance_ip_secondary", "instance_ip_local_ip", "service_instance_ip", "service_health_check_ip")
"""Flags of instance-ips that are not the first address of an interface."""


class By(StrEnum):
    """Why a pair is one."""

    ALIAS = "adopted already"
    UUID = "same uuid"
    NAME = "same name"
    POD = "same pod and interface"
    SERVICE = "same service"
    FAMILY = "same interface and family"


@dataclass(frozen=True, slots=True)
class Pair:
    """A desired object and the one that can serve it."""

    wanted: Wanted
    live: Live
    by: By


@dataclass(frozen=True, slots=True)
class Doubt:
    """A desired object without a pair although something stands in its place; `among` is that something.

    `several`: there are too many candidates; else there is one, that is not fit.
    """

    wanted: Wanted
    among: tuple[Live, ...]
    reason: str
    several: bool = False


@dataclass(slots=True)
class Matching:
    """Pairs and doubts by the store's uuid; `taken` is by Contrail's uuid what an object serves or served."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    doubts: dict[str, Doubt] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def join(self, wanted: Wanted, live: Live, by: By) -> None:
        """Let them be a pair, unless the object serves another one already."""
        if live.uuid in self.taken:
            self.doubt(wanted, (live,), "it serves another desired object already", several=True)
            return
        self.pairs[wanted.uuid] = Pair(wanted, live, by)
        self.taken[live.uuid] = wanted.uuid

    def doubt(self, wanted: Wanted, among: Iterable[Live], reason: str, *, several: bool = False) -> None:
        """Leave it without a pair."""
        self.doubts[wanted.uuid] = Doubt(wanted, tuple(among), reason, several)


def match(cluster: Cluster, objects: Sequence[Live]) -> Matching:
    """Pairs and doubts; the desired objects that are in neither have nothing in their place."""
    found = Matching()
    wanted = sorted((w for w in cluster.wanted if not w.absent), key=lambda w: (_RANK.get(w.type, 1), w.uuid))
    by_uuid = {live.uuid: live for live in objects}
    for each in cluster.wanted:
        if each.absent:  # it is being deleted: nothing else may build on it
            found.taken[each.alias.contrail_uuid if each.alias else each.uuid] = each.uuid
    for each in wanted:
        _match_adopted(each, by_uuid, found)
    for each in wanted:
        if each.uuid not in found.pairs and each.uuid not in found.doubts:
            _match_own(each, by_uuid, found)
    _match_names(cluster, wanted, objects, found)
    _match_interfaces(cluster, wanted, objects, found)
    _match_services(cluster, wanted, objects, found)
    _match_addresses(cluster, wanted, objects, found)
    return found


_RANK = {PROJECT: 0, NETWORK: 1, MACHINE: 2, INTERFACE: 3, INSTANCE_IP: 4}


def _match_adopted(wanted: Wanted, by_uuid: dict[str, Live], found: Matching) -> None:
    if wanted.alias is None:
        return
    live = by_uuid.get(wanted.alias.contrail_uuid)
    if live is not None and live.type == wanted.type:
        found.join(wanted, live, By.ALIAS)


def _match_own(wanted: Wanted, by_uuid: dict[str, Live], found: Matching) -> None:
    live = by_uuid.get(wanted.uuid)
    if live is None:
        return
    if live.type == wanted.type and _is_same_name(wanted, live):
        found.join(wanted, live, By.UUID)
    else:
        found.doubt(wanted, (live,), f"its uuid belongs to {live.label}")


def _is_same_name(wanted: Wanted, live: Live) -> bool:
    """Whether the names agree; a floating-ip of ours has its parent's name, which may be that of an adopted one."""
    if wanted.type == FLOATING_IP:
        return live.fq_name[-1] == wanted.fq_name.rpartition(":")[2]
    return joined(live.fq_name) == wanted.fq_name


def _match_names(cluster: Cluster, wanted: Sequence[Wanted], objects: Sequence[Live], found: Matching) -> None:
    named: dict[tuple[str, str], list[Live]] = {}
    for live in objects:
        named.setdefault((live.type, joined(live.fq_name)), []).append(live)
    homes = _homes(cluster, wanted)
    for each in wanted:
        if each.type in (INTERFACE, INSTANCE_IP) or each.uuid in found.pairs or each.uuid in found.doubts:
            continue
        candidates = named.get((each.type, each.fq_name), [])
        if len(candidates) > 1:
            found.doubt(each, candidates, "several objects have its name", several=True)
        elif candidates:
            (live,) = candidates
            may_be_unmarked = live.parent_uuid in found.taken or _is_premade(cluster, each, homes)
            if why := _unfit_by_name(cluster, live, may_be_unmarked=may_be_unmarked):
                found.doubt(each, candidates, why)
            else:
                found.join(each, live, By.NAME)


def _unfit_by_name(cluster: Cluster, live: Live, *, may_be_unmarked: bool) -> str:
    if live.mark is not None and live.mark != cluster.mark:
        return f"its name is held by an object of owner {live.mark[0]!r}, cluster {live.mark[1]!r}"
    if live.mark is None and not may_be_unmarked:
        return "its name is held by an object without a mark, which kube-manager puts on such ones: whose is it?"
    if live.type == MACHINE:  # a machine's uuid is its pod's, so this is an earlier pod of the same name
        return "its name is held by the machine of an earlier pod"
    return ""


def _homes(cluster: Cluster, wanted: Iterable[Wanted]) -> set[str]:
    """Names of the projects that hold what belongs to the whole cluster: one, wherever the settings put it."""
    network = f":{cluster.name}-default-pod-network"
    return {w.fq_name.removesuffix(network) for w in wanted if w.type == NETWORK and w.fq_name.endswith(network)}


def _is_premade(cluster: Cluster, wanted: Wanted, homes: set[str]) -> bool:
    """Whether it is made without annotations, and not below a project of ours that would tell whose it is."""
    premade = [f"{cluster.name}-{namespace}" for namespace in _PREMADE]
    parent, _, name = wanted.fq_name.rpartition(":")
    if wanted.type == PROJECT:
        return parent == cluster.domain and name in premade
    if wanted.type == SECURITY_GROUP:
        return parent in homes and name in [f"{project}-default-sg" for project in premade]
    return wanted.type in (IPAM, NETWORK, POLICY) and parent in homes


def _match_interfaces(cluster: Cluster, wanted: Sequence[Wanted], objects: Sequence[Live], found: Matching) -> None:
    of_machine: dict[str, list[Live]] = {}
    for live in objects:
        if live.type == INTERFACE and live.mark in (cluster.mark, None):
            machines = live.targets(MACHINE)
            if len(machines) == 1:
                of_machine.setdefault(machines[0], []).append(live)
    for each in wanted:
        if each.type != INTERFACE or not each.target(MACHINE):
            continue
        fitting = [live for live in of_machine.get(each.target(MACHINE), ()) if _is_same_interface(each, live)]
        _choose(each, fitting, found, By.POD, "the pod has several interfaces of this index and network")
        pair = found.pairs.get(each.uuid)
        if pair is not None and pair.by is By.POD and (why := _is_elsewhere(each, pair.live, found)):
            _part(pair, why, found)


def _is_same_interface(wanted: Wanted, live: Live) -> bool:
    """Whether index and network agree; an interface without annotations must have the name that such ones get."""
    if "index" not in live.pairs:
        return live.fq_name[-1] == f"{wanted.pair('name')}__{live.uuid}"
    return (live.pairs["index"].partition("/")[0], live.pairs.get("network", "default")) == (
        wanted.pair("index").partition("/")[0],
        wanted.pair("network"),
    )


def _choose(wanted: Wanted, fitting: Sequence[Live], found: Matching, by: By, several: str) -> None:
    """Pair with the only one that fits; one that was paired before counts among them."""
    pair = found.pairs.get(wanted.uuid)
    if pair is not None and pair.by is By.ALIAS:
        return  # chosen before, when it was the only one
    everyone = {live.uuid: live for live in (*([pair.live] if pair else []), *fitting)}
    if len(everyone) > 1:
        if pair is not None:
            _part(pair, several, found)
        found.doubt(wanted, everyone.values(), several, several=True)
    elif everyone and pair is None and wanted.uuid not in found.doubts:
        found.join(wanted, fitting[0], by)


def _part(pair: Pair, reason: str, found: Matching) -> None:
    del found.pairs[pair.wanted.uuid], found.taken[pair.live.uuid]
    found.doubt(pair.wanted, (pair.live,), reason)


def _is_elsewhere(wanted: Wanted, live: Live, found: Matching) -> str:
    """Why an interface cannot be moved under a running pod: it is in another network than the one that is desired."""
    there = live.targets(NETWORK)
    network = found.pairs.get(wanted.target(NETWORK))
    if network is not None and there == (network.live.uuid,):
        return ""
    names = ", ".join(joined(tuple(ref["to"])) for ref in live.fields.get("virtual_network_refs") or ()) or "none"
    return f"the running pod is in network {names}, where this version does not put pods; it stays there until it ends"


def _match_services(cluster: Cluster, wanted: Sequence[Wanted], objects: Sequence[Live], found: Matching) -> None:
    """Interfaces of services by name, which holds the service's uid; they carry no mark, but our project does."""
    named: dict[str, list[Live]] = {}
    for live in objects:
        if live.type == INTERFACE and live.mark in (cluster.mark, None) and not live.targets(MACHINE):
            named.setdefault(joined(live.fq_name), []).append(live)
    for each in wanted:
        if each.type != INTERFACE or each.pair("kind") != "Service" or each.uuid in found.pairs:
            continue
        fitting = named.get(each.fq_name, [])
        _choose(each, fitting, found, By.SERVICE, "several interfaces have the name of its service's")
        pair = found.pairs.get(each.uuid)
        if pair is not None and pair.live.targets(NETWORK) != _network_of(each, found):
            _part(pair, "its service is in another network, where this version does not put it", found)


def _network_of(wanted: Wanted, found: Matching) -> tuple[str, ...]:
    network = found.pairs.get(wanted.target(NETWORK))
    return () if network is None else (network.live.uuid,)


def _match_addresses(cluster: Cluster, wanted: Sequence[Wanted], objects: Sequence[Live], found: Matching) -> None:
    of_interface: dict[str, list[Live]] = {}
    for live in objects:
        if live.type != INSTANCE_IP or live.mark not in (cluster.mark, None):
            continue
        interfaces = live.targets(INTERFACE)
        if len(interfaces) == 1 and not any(live.fields.get(flag) for flag in _OTHERWISE_USED):
            of_interface.setdefault(interfaces[0], []).append(live)
    for each in wanted:
        interface = found.pairs.get(each.target(INTERFACE)) if each.type == INSTANCE_IP else None
        if interface is None:
            continue
        family = each.body["properties"].get("instance_ip_family") or "v4"
        there = [live for live in of_interface.get(interface.live.uuid, ()) if _family(live) == family]
        asked = each.body["properties"].get("instance_ip_address")
        fitting = [live for live in there if asked in (None, live.fields.get("instance_ip_address"))]
        _choose(each, fitting, found, By.FAMILY, f"the interface has several addresses of family {family}")


def _family(live: Live) -> str:
    try:
        return f"v{ipaddress.ip_address(live.fields.get('instance_ip_address') or '').version}"
    except ValueError:
        return ""
