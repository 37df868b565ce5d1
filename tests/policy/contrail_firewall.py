"""Whether the vrouters pass a connection, over the objects that Contrail is asked to have: as the agents evaluate it.

Independent of the compiler: it reads objects as the API has them and knows nothing of NetworkPolicies. From the source
of the agent (filter/acl.cc, acl_entry.cc, pkt/flow_entry.cc, oper/vm_interface.cc) and of the API server:

- an interface's tags are its own, its machine's, its network's and its project's; labels add up, of any other type the
  nearest counts;
- its list is that of the policy set for all applications, and then of the one that refers to its application tag: their
  policies by sequence, in these the rules by sequence, as texts. The first rule that matches decides; if none does, the
  flow is dropped. No policies: it passes;
- all tags of a rule's endpoint must be there; a subnet and an address group go by address, within a family; an endpoint
  that says nothing is any. An address group that is not there when the rule is made is any, too: that is a fault here;
- a service of protocol `any` has no ports; without source ports it is all of them. ICMP has no ports to compare;
- the list of the source's interface is asked at the source, that of the target's at the target; replies of a flow pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.contrail.objects import LINK, Link
from tests.policy.cluster import Port, Spot, inside

Json = Any
Side = tuple[str, frozenset[str]]
"""Address and tags of one end."""
NUMBERS = {"icmp": 1, "ICMP": 1, "TCP": 6, "tcp": 6, "UDP": 17, "udp": 17, "SCTP": 132, "sctp": 132, "icmp6": 58}
WITH_PORTS = (6, 17, 132)
LABEL = "label"
EPHEMERAL = 40000
"""Source port of every connection."""
_NOBODY: frozenset[str] = frozenset()


class Broken(AssertionError):
    """Contrail would refuse this, or the agent would read it in another way than it was meant."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of Contrail: colon-joined name, properties, references as (type, colon-joined name, attribute)."""

    type: str
    name: str
    uuid: str
    properties: Mapping[str, Json]
    references: tuple[tuple[str, str, Json], ...]

    def to(self, type_: str) -> list[tuple[str, Json]]:
        """Names and attributes of the references to objects of a type."""
        return [(name, attr) for kind, name, attr in self.references if kind == type_]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a list, ready to be asked."""

    name: str
    passes: bool
    source: Callable[[Side], bool]
    target: Callable[[Side], bool]
    service: Callable[[Port], bool]
    alike: Callable[[Side, Side], bool]


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface: its tags, and its list; None where no policy is bound to it."""

    tags: frozenset[str]
    rules: list[Rule] | None


class ContrailFirewall:
    """Answers for one set of objects. A pod is known by its uid, which is its machine's uuid."""

    def __init__(self, rows: Iterable[tuple[str, str, str, Mapping[str, Json]]]) -> None:
        """`rows` are (type, colon-joined name, uuid, body) as the store holds them, links included."""
        self._things: dict[tuple[str, str], Thing] = {}
        links = []
        for type_, name, uuid, body in rows:
            if type_ == LINK:
                links.append(Link.from_body(body))
            elif "references" in body:  # entries in lists of objects that are not ours have none
                self._things[type_, name] = _thing(type_, name, uuid, body)
        for link in links:
            self._refer(link)
        self._lists: dict[str, list[Rule] | None] = {}
        self._interfaces = self._bound_interfaces()

    def pods(self) -> set[str]:
        """Uuids of the pods that have an interface."""
        return set(self._interfaces)

    def tags_of(self, pod: str) -> frozenset[str]:
        """Tags of the first interface of the pod with this uuid."""
        return self._interfaces[pod].tags

    def all_tags_of(self, pod: str) -> list[frozenset[str]]:
        """Tags of each interface of the pod with this uuid."""
        (machine,) = (name for (type_, name), thing in self._things.items() if thing.uuid == pod)
        every = [thing for (type_, _), thing in self._things.items() if type_ == "virtual-machine-interface"]
        return [self._tags(each) for each in every if machine in [name for name, _ in each.to("virtual-machine")]]

    def allows(self, source: Spot, target: Spot, ports: Sequence[Port], uids: Mapping[str, str]) -> tuple[bool, ...]:
        """For each destination port, whether a new flow passes; `uids` are the pods' by namespace/name."""
        lists = self._asked(source, target, uids)
        return tuple(all(self._first(rules, port)[0] for _, rules in lists) for port in ports)

    def why(self, source: Spot, target: Spot, port: Port, uids: Mapping[str, str]) -> str:
        """Which rule decided at each end."""
        said = []
        for place, rules in self._asked(source, target, uids):
            passes, by = self._first(rules, port)
            said.append(f"{place} {'passed' if passes else 'dropped'} by {by}")
        return "; ".join(said)

    def rule_count(self) -> int:
        """Rules that exist."""
        return sum(type_ == "firewall-rule" for type_, _ in self._things)

    def _asked(self, source: Spot, target: Spot, uids: Mapping[str, str]) -> list[tuple[str, list[Rule] | None]]:
        """The rules that know these two ends, at the source and at the target."""
        ends = (self._interface(source, uids), self._interface(target, uids))
        sides = [
            (spot.address, _NOBODY if each is None else each.tags)
            for spot, each in zip((source, target), ends, strict=True)
        ]
        asked: list[tuple[str, list[Rule] | None]] = []
        for place, each in zip(("source", "target"), ends, strict=True):
            if each is not None:
                asked.append((place, None if each.rules is None else _meeting(each.rules, sides[0], sides[1])))
        return asked

    def _interface(self, spot: Spot, uids: Mapping[str, str]) -> Interface | None:
        return self._interfaces[uids[spot.pod]] if spot.pod else None

    @staticmethod
    def _first(rules: list[Rule] | None, port: Port) -> tuple[bool, str]:
        if rules is None:
            return True, "nobody: no policy set is bound"
        for rule in rules:
            if rule.service(port):
                return rule.passes, rule.name
        return False, "the implicit deny"

    def _bound_interfaces(self) -> dict[str, Interface]:
        """First interfaces of pods, by the uuid of their machine."""
        found = {}
        for (type_, _), thing in self._things.items():
            machines = thing.to("virtual-machine") if type_ == "virtual-machine-interface" else []
            for name, _ in machines:
                marks = _annotations(thing)
                if "interface" not in marks and marks.get("kind", "Pod") == "Pod":
                    found[self._get("virtual-machine", name).uuid] = self._bound(thing)
        return found

    def _bound(self, thing: Thing) -> Interface:
        tags = self._tags(thing)
        application = [tag for tag in tags if tag.startswith("application=")]
        return Interface(tags, self._list(application[0] if application else ""))

    def _tags(self, interface: Thing) -> frozenset[str]:
        """Own tags, then those of the machine, the network, the project."""
        holders: list[Thing] = [interface]
        for type_ in ("virtual-machine", "virtual-network"):
            holders += [self._things[type_, name] for name, _ in interface.to(type_) if (type_, name) in self._things]
        project = self._things.get(("project", interface.name.rpartition(":")[0]))
        holders += [project] if project is not None else []
        nearest: dict[str, str] = {}
        labels = set()
        for holder in holders:
            for tag, _ in holder.to("tag"):
                self._get("tag", tag)
                kind = tag.partition("=")[0]
                if kind == LABEL:
                    labels.add(tag)
                else:
                    nearest.setdefault(kind, tag)
        return frozenset(labels | set(nearest.values()))

    def _list(self, application: str) -> list[Rule] | None:
        if application not in self._lists:
            self._lists[application] = self._read_list(application)
        return self._lists[application]

    def _read_list(self, application: str) -> list[Rule] | None:
        every = [thing for (type_, _), thing in self._things.items() if type_ == "application-policy-set"]
        # Each project has one of its own as well, in which nobody puts policies.
        of_all = [each for each in every if each.properties.get("all_applications") and each.to("firewall-policy")]
        bound = [each for each in every if application in [tag for tag, _ in each.to("tag")]]
        for sets in (of_all, bound):
            if len(sets) > 1:
                raise Broken(f"{application} binds {', '.join(each.name for each in sets)}: their order is undefined")
        policies = [policy for each in (*of_all, *bound) for policy in self._in_sequence(each, "firewall-policy")]
        if not policies:
            return None
        return [
            rule
            for policy in policies
            for each in self._in_sequence(policy, "firewall-rule")
            for rule in self._rules(each)
        ]

    def _in_sequence(self, holder: Thing, type_: str) -> list[Thing]:
        found = [(attr["sequence"], name) for name, attr in holder.to(type_)]
        if len({sequence for sequence, _ in found}) < len(found):
            raise Broken(f"{holder.type} {holder.name}: two references with one sequence, of which the agent drops one")
        return [self._get(type_, name) for _, name in sorted(found)]

    def _rules(self, thing: Thing) -> list[Rule]:
        held = thing.properties
        action = (held.get("action_list") or {}).get("simple_action")
        if action not in ("pass", "deny"):
            raise Broken(f"firewall-rule {thing.name}: action {action!r}")
        one, two = (self._endpoint(thing.name, held.get(name) or {}) for name in ("endpoint_1", "endpoint_2"))
        service, alike = _service(thing, held), _alike(held)
        forward = Rule(thing.name, action == "pass", one, two, service, alike)
        back = Rule(thing.name, action == "pass", two, one, service, alike)
        direction = held.get("direction")
        if direction not in (">", "<", "<>"):
            raise Broken(f"firewall-rule {thing.name}: direction {direction!r}")
        return {">": [forward], "<": [back], "<>": [forward, back]}[direction]

    def _endpoint(self, rule: str, wanted: Mapping[str, Json]) -> Callable[[Side], bool]:
        said = [kind for kind in ("subnet", "virtual_network", "tags", "address_group", "any") if wanted.get(kind)]
        if len(said) > 1 or "virtual_network" in said:
            raise Broken(f"firewall-rule {rule}: endpoint {dict(wanted)}")
        if wanted.get("subnet"):
            net = _prefix(wanted["subnet"])
            return lambda side: inside(side[0], net)
        if wanted.get("tags"):
            tags = frozenset(wanted["tags"])
            for tag in tags:
                self._get("tag", tag)
            return lambda side: tags <= side[1]
        if wanted.get("address_group"):
            group = self._get("address-group", wanted["address_group"])
            nets = [_prefix(each) for each in (group.properties.get("address_group_prefix") or {}).get("subnet") or ()]
            return lambda side: any(inside(side[0], net) for net in nets)
        return lambda side: True

    def _get(self, type_: str, name: str) -> Thing:
        found = self._things.get((type_, name))
        if found is None:
            raise Broken(f"{type_} {name} is referred to, and not there")
        return found

    def _refer(self, link: Link) -> None:
        """A link is one more reference of its owner; owners that are not ours are objects with nothing else."""
        key = (link.owner_type, ":".join(link.owner_fq_name))
        owner = self._things.get(key) or Thing(*key, link.owner_uuid or "", {}, ())
        target = (link.target_type, ":".join(link.target_fq_name), link.attr)
        self._things[key] = Thing(*key, owner.uuid, owner.properties, (*owner.references, target))


class Sessions:
    """Flows that passed: what comes back on them passes, whatever the rules say of it as a flow of its own."""

    def __init__(self, firewall: ContrailFirewall, uids: Mapping[str, str]) -> None:
        self._firewall, self._uids = firewall, uids
        self._open: set[tuple[str, str, str, int, int]] = set()

    def packet(self, source: Spot, target: Spot, protocol: str, sport: int, dport: int) -> bool:
        """Whether a packet passes; the first one of a flow opens it."""
        if (target.address, source.address, protocol, dport, sport) in self._open:
            return True
        passes = self._firewall.allows(source, target, [(protocol, dport)], self._uids)[0]
        if passes:
            self._open.add((source.address, target.address, protocol, sport, dport))
        return passes


def _thing(type_: str, name: str, uuid: str, body: Mapping[str, Json]) -> Thing:
    references = tuple((each["type"], ":".join(each["to"]), each["attr"]) for each in body["references"])
    return Thing(type_, name, uuid, body["properties"], references)


def _annotations(thing: Thing) -> dict[str, str]:
    pairs = (thing.properties.get("annotations") or {}).get("key_value_pair") or ()
    return {each["key"]: each["value"] for each in pairs}


def _meeting(rules: Iterable[Rule], source: Side, target: Side) -> list[Rule]:
    return [rule for rule in rules if rule.source(source) and rule.target(target) and rule.alike(source, target)]


def _prefix(subnet: Mapping[str, Json]) -> str:
    return f"{subnet['ip_prefix']}/{subnet['ip_prefix_len']}"


def _service(thing: Thing, held: Mapping[str, Json]) -> Callable[[Port], bool]:
    wanted = held.get("service")
    if not wanted or thing.to("service-group"):
        raise Broken(f"firewall-rule {thing.name}: no service, or a service group")
    protocol = str(wanted["protocol"])
    if protocol == "any":
        return lambda port: True
    number = int(protocol) if protocol.isdigit() else NUMBERS.get(protocol)
    if number is None:
        raise Broken(f"firewall-rule {thing.name}: protocol {protocol!r}")
    low, high = _range(wanted.get("dst_ports"))
    first, last = _range(wanted.get("src_ports"))

    def matches(port: Port) -> bool:
        if NUMBERS[port[0]] != number:
            return False
        return number not in WITH_PORTS or (low <= port[1] <= high and first <= EPHEMERAL <= last)

    return matches


def _range(ports: Mapping[str, Json] | None) -> tuple[int, int]:
    return (0, 65535) if not ports else (ports["start_port"], ports["end_port"])


def _alike(held: Mapping[str, Json]) -> Callable[[Side, Side], bool]:
    types = (held.get("match_tags") or {}).get("tag_list") or ()

    def of(side: Side, kind: str) -> set[str]:
        return {tag for tag in side[1] if tag.partition("=")[0] == kind}

    return lambda source, target: all(of(source, kind) & of(target, kind) for kind in types)
