"""The list of a namespace as Contrail objects (pure).

One policy set, bound to the namespace's interfaces by its application tag; in it one policy; in that all rules in
their order. A rule is named by what it says, so no rule ever changes: an update is new rules, one write of the policy,
and the end of the old rules. What a rule names in its endpoints is there before it, and goes after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from schemas.contrail.objects import ContrailObject, FqName, Json
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.policy.model import ANY_SERVICE, NODES, Endpoint, Rule, Service
from translator.resource import SETTINGS
from translator.translate import tags
from translator.translate.names import Named
from translator.translate.owner import owner_annotations

MANAGEMENT = "default-policy-management"
PARENT = "policy-management"
POLICY_SET = "application-policy-set"
POLICY = "firewall-policy"
RULE = "firewall-rule"
GROUP = "address-group"
_NOBODY = ("127.0.0.1/32",)
"""What the group of node addresses holds while there is no node: an address that no packet has."""

_ENCODE = msgspec.json.Encoder(order="sorted").encode


def node_group(settings: SettingsRecord, addresses: Iterable[str]) -> ContrailObject:
    """The addresses of all nodes."""
    prefixes = sorted(f"{each}/{128 if ':' in each else 32}" for each in set(addresses)) or list(_NOBODY)
    marks = owner_annotations(settings, SETTINGS, "", settings.cluster)
    return _group(_named(settings, GROUP, "nodes"), prefixes, marks)


def policy_set(settings: SettingsRecord, namespace: str, rules: tuple[Rule, ...]) -> tuple[ContrailObject, ...]:
    """All objects of the list: tags and groups that rules name, rules, policy, policy set."""
    marks = owner_annotations(settings, "Namespace", namespace, namespace)
    firewall = _Firewall(settings, namespace, marks)
    made = [firewall.rule(each) for each in rules]
    above, policy = list_of(settings, namespace)
    references = [
        Named(each.type, each.fq_name, each.uuid).reference({"sequence": f"{number:05d}.0"})
        for number, each in enumerate(made)
    ]
    bound = tags.application(settings, namespace)
    return (
        *firewall.named_objects(rules),
        *made,
        ContrailObject(policy.type, policy.fq_name, policy.uuid, PARENT, {"annotations": marks}, tuple(references)),
        ContrailObject(
            above.type,
            above.fq_name,
            above.uuid,
            PARENT,
            {"annotations": marks},
            (policy.reference({"sequence": "00000.0"}), bound.reference()),
        ),
    )


def list_of(settings: SettingsRecord, namespace: str) -> tuple[Named, Named]:
    """Policy set and policy of the namespace's list."""
    return _named(settings, POLICY_SET, namespace), _named(settings, POLICY, namespace)


def rule_of(settings: SettingsRecord, namespace: str, rule: Rule) -> Named:
    """A rule of the namespace's list, named by what it says."""
    digest = hashlib.sha256(_ENCODE([_said(rule.source), _said(rule.target), rule.service, rule.passes]))
    return _named(settings, RULE, f"{namespace}__{digest.hexdigest()[:32]}")


class _Firewall:
    """Objects of one namespace."""

    def __init__(self, settings: SettingsRecord, namespace: str, marks: dict[str, Json]) -> None:
        self._settings = settings
        self._namespace = namespace
        self._marks = marks

    def rule(self, rule: Rule) -> ContrailObject:
        """The rule, named by what it says."""
        named = rule_of(self._settings, self._namespace, rule)
        properties: dict[str, Json] = {
            "annotations": self._marks,
            "action_list": {"simple_action": "pass" if rule.passes else "deny"},
            "direction": ">",
            "endpoint_1": self._endpoint(rule.source),
            "endpoint_2": self._endpoint(rule.target),
            # Said outright: left out, the API fills in that both ends must have the same application.
            "match_tags": {"tag_list": []},
            "service": _service(rule.service),
        }
        needs = sorted({uuid for end in (rule.source, rule.target) for uuid in self._needs(end)})
        return ContrailObject(named.type, named.fq_name, named.uuid, PARENT, properties, needs=tuple(needs))

    def named_objects(self, rules: tuple[Rule, ...]) -> Iterator[ContrailObject]:
        """Tags and groups in the rules' endpoints, each once; the nodes' group is the settings'."""
        ends = dict.fromkeys(end for each in rules for end in (each.source, each.target))
        for text in sorted({text for end in ends for text in end.tags}):
            yield tags.tag_object(self._settings, text)
        for end in ends:
            if end != NODES and _is_group(end):
                yield _group(self._group_named(end), list(end.prefixes), self._marks)

    def _endpoint(self, end: Endpoint) -> dict[str, Json]:
        if end.tags:
            return {"tags": [f"{tags.LABEL}={text}" for text in end.tags]}
        if _is_group(end):
            return {"address_group": self._group_named(end).joined}
        if end.prefixes:
            return {"subnet": _subnet(end.prefixes[0])}
        return {"any": True}

    def _needs(self, end: Endpoint) -> list[str]:
        if _is_group(end):
            return [self._group_named(end).uuid]
        return [tags.named(self._settings.cluster, text).uuid for text in end.tags]

    def _group_named(self, end: Endpoint) -> Named:
        if end == NODES:
            return _named(self._settings, GROUP, "nodes")
        return _named(self._settings, GROUP, f"{self._namespace}__{_group_name(end)}")


def _is_group(end: Endpoint) -> bool:
    return end.nodes or bool(end.group) or len(end.prefixes) > 1


def _said(end: Endpoint) -> Endpoint:
    """What a rule says of the endpoint: of a group its name, and not who is in it."""
    return Endpoint(group=_group_name(end)) if _is_group(end) and not end.nodes else end


@lru_cache(maxsize=1024)
def _group_name(end: Endpoint) -> str:
    """Kept, because many rules may name one group of thousands."""
    return end.group or hashlib.sha256(_ENCODE(end.prefixes)).hexdigest()[:32]


def _named(settings: SettingsRecord, type_: str, rest: str) -> Named:
    fq_name: FqName = (MANAGEMENT, f"{settings.cluster}__{rest}")
    return Named(type_, fq_name, object_uuid(settings.cluster, type_, ":".join(fq_name)))


def _group(named: Named, prefixes: list[str], marks: dict[str, Json]) -> ContrailObject:
    properties: dict[str, Json] = {
        "annotations": marks,
        "address_group_prefix": {"subnet": [_subnet(each) for each in prefixes]},
    }
    return ContrailObject(named.type, named.fq_name, named.uuid, PARENT, properties)


def _subnet(cidr: str) -> dict[str, Json]:
    prefix, _, length = cidr.partition("/")
    return {"ip_prefix": prefix, "ip_prefix_len": int(length)}


def _service(service: Service) -> dict[str, Json]:
    ports = service if service.protocol != ANY_SERVICE.protocol else ANY_SERVICE
    return {"protocol": ports.protocol, "dst_ports": {"start_port": ports.low, "end_port": ports.high}}
