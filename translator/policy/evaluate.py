"""What the vrouters would do with a connection, by the objects that Contrail is given: for a person to ask (pure).

As the agent does it: the tags of an interface are its own and those of its machine, network and project, labels
together, of other types the nearest; its list is that of the policy sets with its application tag, by sequence; the
first rule that matches decides, at the source by the source's list and at the target by the target's; nothing matching
is a drop, no list a pass. An IPv4 prefix knows no IPv6 address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from schemas.contrail.objects import LINK, Json, Link
from translator.translate.tags import is_guard

Row = tuple[str, str, str, Mapping[str, Json]]
"""(type, colon-joined name, uuid, body) as the store holds objects and links."""
TYPES = (
    "project",
    "virtual-network",
    "virtual-machine",
    "virtual-machine-interface",
    "tag",
    "application-policy-set",
    "firewall-policy",
    "firewall-rule",
    "address-group",
)
"""Types that a firewall is made of, beside links."""
_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132, "icmp6": 58}
_SET = "application-policy-set"
_ABOVE = ("virtual-machine", "virtual-network")
_End = tuple[str, frozenset[str]]
"""Address and tags."""
_WITHOUT_PORTS = frozenset({"icmp", "icmp6"})


class Place(msgspec.Struct, frozen=True):
    """One end of a connection: its address, and the uuid of its machine, '' for what is no pod."""

    address: str
    machine: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Whether it passes; what each end's list says, in words."""

    passes: bool
    source: str
    target: str


class _Rule(msgspec.Struct, frozen=True, gc=False):
    name: str
    number: int
    passes: bool
    text: str
    one: Mapping[str, Json]
    two: Mapping[str, Json]
    protocol: str
    ports: tuple[int, int]
    direction: str
    guards: bool
    """It is no policy's: what a load balancer would turn away does not get through to its members."""


class _Object(msgspec.Struct, gc=False):
    properties: Mapping[str, Json]
    references: list[tuple[str, str, Json]]


class Evaluator:
    """Answers for one set of objects; other types than TYPES are passed over."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._objects: dict[tuple[str, str], _Object] = {}
        self._lists: dict[str, list[_Rule] | None] = {}
        self._tags: dict[str, frozenset[str]] = {}
        links, machines = [], {}
        for type_, name, uuid, body in rows:
            if type_ == LINK:
                links.append(Link.from_body(body))
            if type_ not in TYPES:
                continue
            references = [(each["type"], ":".join(each["to"]), each["attr"]) for each in body["references"]]
            self._objects[type_, name] = _Object(body["properties"], references)
            if type_ == "virtual-machine":
                machines[name] = uuid
        for link in links:
            owner = self._objects.setdefault((link.owner_type, ":".join(link.owner_fq_name)), _Object({}, []))
            owner.references.append((link.target_type, ":".join(link.target_fq_name), link.attr))
        self._interfaces = self._first_interfaces(machines)
        self._sets = [
            (name, {to for kind, to, _ in held.references if kind == "tag"})
            for (type_, name), held in self._objects.items()
            if type_ == _SET
        ]

    def verdict(self, source: Place, target: Place, protocol: str, port: int) -> Verdict:
        """What becomes of a connection to this port; `protocol` is TCP, UDP, SCTP or ICMP."""
        asked = [(each, self._interfaces.get(each.machine, "")) for each in (source, target)]
        ends = [(each.address, self._tags_of(name)) for each, name in asked]
        said = [self._at(name, ends[0], ends[1], protocol.lower(), port) for _, name in asked]
        return Verdict(all(passes for passes, _ in said), said[0][1], said[1][1])

    def knows(self, machine: str) -> bool:
        """Whether this machine has an interface."""
        return machine in self._interfaces

    def _at(
        self,
        interface: str,
        source: tuple[str, frozenset[str]],
        target: tuple[str, frozenset[str]],
        protocol: str,
        port: int,
    ) -> tuple[bool, str]:
        if not interface:
            return True, "no interface of ours"
        application = next((tag for tag in self._tags_of(interface) if tag.startswith("application=")), "")
        rules = self._list(application) if application else None
        if rules is None:
            return True, "no policy set"
        besides = ""
        for rule in rules:
            if not self._matches(rule, source, target, protocol, port):
                continue
            if rule.guards:
                besides = (
                    f"; but rule {rule.number} keeps it from what is behind a service with loadBalancerSourceRanges"
                )
                continue
            return rule.passes, f"rule {rule.number} of {len(rules)}: {rule.text}{besides}"
        return False, f"implicit deny, none of {len(rules)} rules matches"

    def _matches(
        self,
        rule: _Rule,
        source: tuple[str, frozenset[str]],
        target: tuple[str, frozenset[str]],
        protocol: str,
        port: int,
    ) -> bool:
        if rule.protocol != "any":
            if rule.protocol != str(_NUMBERS[protocol]):
                return False
            if protocol not in _WITHOUT_PORTS and not rule.ports[0] <= port <= rule.ports[1]:
                return False
        forward = rule.direction in (">", "<>") and self._is(rule.one, source) and self._is(rule.two, target)
        return forward or (rule.direction in ("<", "<>") and self._is(rule.two, source) and self._is(rule.one, target))

    def _is(self, wanted: Mapping[str, Json], end: _End) -> bool:
        if wanted.get("subnet"):
            return _inside(end[0], _prefix(wanted["subnet"]))
        if wanted.get("tags"):
            return end[1].issuperset(wanted["tags"])
        if wanted.get("address_group"):
            group = self._objects[("address-group", wanted["address_group"])].properties
            nets = (group.get("address_group_prefix") or {}).get("subnet") or ()
            return any(_inside(end[0], _prefix(each)) for each in nets)
        return True

    def _first_interfaces(self, machines: Mapping[str, str]) -> dict[str, str]:
        """Name of the first interface by the machine's uuid: additional ones say their name in an annotation."""
        found: dict[str, str] = {}
        for (type_, name), held in self._objects.items():
            pairs = (held.properties.get("annotations") or {}).get("key_value_pair") or ()
            if type_ == "virtual-machine-interface" and not any(pair["key"] == "interface" for pair in pairs):
                found |= {machines[to]: name for kind, to, _ in held.references if kind == "virtual-machine"}
        return found

    def _tags_of(self, interface: str) -> frozenset[str]:
        if interface not in self._tags:
            self._tags[interface] = self._gathered(interface) if interface else frozenset()
        return self._tags[interface]

    def _gathered(self, interface: str) -> frozenset[str]:
        own = self._objects["virtual-machine-interface", interface]
        above = [(kind, to) for wanted in _ABOVE for kind, to, _ in own.references if kind == wanted]
        holders = [own, *map(self._objects.get, [*above, ("project", interface.rpartition(":")[0])])]
        tags, taken = set(), set()
        for holder in holders:
            for kind, tag, _ in () if holder is None else holder.references:
                type_ = tag.partition("=")[0]
                if kind == "tag" and (type_ == "label" or type_ not in taken):
                    tags.add(tag)
                    taken.add(type_)
        return frozenset(tags)

    def _list(self, application: str) -> list[_Rule] | None:
        """Rules in order; None where no policy is bound."""
        if application not in self._lists:
            bound = [
                name
                for (type_, name), held in self._objects.items()
                if type_ == "application-policy-set"
                and ("tag", application) in {(k, to) for k, to, _ in held.references}
            ]
            policies = [
                policy for each in bound for policy in self._members("application-policy-set", each, "firewall-policy")
            ]
            names = [rule for policy in policies for rule in self._members("firewall-policy", policy, "firewall-rule")]
            rules = [self._rule(name, number) for number, name in enumerate(names, 1)]
            self._lists[application] = rules if policies else None
        return self._lists[application]

    def _members(self, type_: str, name: str, wanted: str) -> list[str]:
        held = self._objects[type_, name].references
        return [to for _, to in sorted((attr["sequence"], to) for kind, to, attr in held if kind == wanted)]

    def _rule(self, name: str, number: int) -> _Rule:
        held = self._objects["firewall-rule", name].properties
        service = held["service"]
        ports = service.get("dst_ports") or {"start_port": 0, "end_port": 65535}
        protocol = str(service["protocol"])
        return _Rule(
            name=name,
            number=number,
            passes=held["action_list"]["simple_action"] == "pass",
            text=_said(held),
            one=held.get("endpoint_1") or {},
            two=held.get("endpoint_2") or {},
            protocol=protocol if protocol == "any" or protocol.isdigit() else str(_NUMBERS[protocol]),
            ports=(ports["start_port"], ports["end_port"]),
            direction=held["direction"],
            guards=any(is_guard(tag) for tag in (held.get("endpoint_2") or {}).get("tags") or ()),
        )


def _said(held: Mapping[str, Json]) -> str:
    """The rule in words: `pass tcp 80 shop+app=web > shop+app=db`."""
    service, ports = held["service"], held["service"].get("dst_ports") or {}
    low, high = ports.get("start_port", 0), ports.get("end_port", 65535)
    numbers = "" if (low, high) == (0, 65535) else f" {low}" if low == high else f" {low}-{high}"
    ends = f"{_end(held.get('endpoint_1') or {})} {held['direction']} {_end(held.get('endpoint_2') or {})}"
    return f"{held['action_list']['simple_action']} {service['protocol']}{numbers}, {ends}"


def _end(wanted: Mapping[str, Json]) -> str:
    if wanted.get("tags"):
        return "+".join(tag.partition("=")[2] for tag in wanted["tags"])
    return wanted.get("address_group") or (_prefix(wanted["subnet"]) if wanted.get("subnet") else "any")


def _prefix(subnet: Mapping[str, Json]) -> str:
    return f"{subnet['ip_prefix']}/{subnet['ip_prefix_len']}"


@lru_cache(maxsize=65536)
def _inside(address: str, prefix: str) -> bool:
    found, net = ipaddress.ip_address(address), ipaddress.ip_network(prefix, strict=False)
    return found.version == net.version and found in net
