"""AdminNetworkPolicy and the baseline: what is alike, and what is refused because it is not understood whole."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    BaselineAdminNetworkPolicyRecord,
    LabelSelector,
)
from tests.watchers.kinds.golden import Json, observed, refusal

EVERY: Json = {"namespaces": {}}
ADMIN, BASELINE = "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"


def _thing(name: str = "default", **spec: Any) -> Json:
    return {"metadata": {"name": name, "uid": "u", "resourceVersion": "1"}, "spec": {"subject": EVERY, **spec}}


def _admin(**spec: Any) -> AdminNetworkPolicyRecord:
    record = observed(ADMIN, _thing(**{"priority": 7, **spec})).record
    assert isinstance(record, AdminNetworkPolicyRecord)
    return record


def _refusal(**spec: Any) -> str:
    said = refusal(ADMIN, _thing(**{"priority": 7, **spec}))
    assert said.startswith(f"{ADMIN} /default: ")
    return said.removeprefix(f"{ADMIN} /default: ")


def _rule(**rule: Any) -> Json:
    return {"action": "Allow", **rule}


def test_an_empty_list_of_ports_is_every_port_as_an_absent_one_is() -> None:
    """Their CRD takes it, and a Deny that were put aside for it would deny nothing."""
    assert _admin(egress=[_rule(to=[EVERY], ports=[])]) == _admin(egress=[_rule(to=[EVERY])])


def test_all_pods_of_some_namespaces_are_those_with_any_labels() -> None:
    labels = {"matchLabels": {"a": "b"}}
    pods = {"pods": {"namespaceSelector": labels, "podSelector": {}}}
    first = _admin(subject={"namespaces": labels}, ingress=[_rule(**{"from": [{"namespaces": labels}, pods]})])
    second = _admin(subject=pods, ingress=[_rule(**{"from": [pods]})])
    assert first == second
    assert first.subject == AdminPods(namespace_selector=LabelSelector(match_labels={"a": "b"}))


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"portNumber": {"port": 80}}, AdminPort(protocol="TCP", port=80)),
        ({"portNumber": {"port": 80, "protocol": "SCTP"}}, AdminPort(protocol="SCTP", port=80)),
        ({"portRange": {"start": 80, "end": 80, "protocol": "UDP"}}, AdminPort(protocol="UDP", port=80)),
        ({"portRange": {"start": 1, "end": 65535}}, AdminPort(protocol="TCP", port=1, end_port=65535)),
        ({"namedPort": "web"}, AdminPort(port_name="web")),
        ({"namedPort": "80"}, AdminPort(port_name="80")),
    ],
)
def test_ports_by_number_range_and_name(port: Json, expected: AdminPort) -> None:
    [rule] = _admin(ingress=[_rule(**{"from": [EVERY]}, ports=[port])]).ingress
    assert rule.ports == (expected,)


def test_no_rules_are_no_rules_and_no_ports_are_every_port() -> None:
    assert _admin(ingress=None, egress=[]) == AdminNetworkPolicyRecord(priority=7)
    [rule] = _admin(egress=[_rule(to=[EVERY], ports=None)]).egress
    assert (rule.ports, rule.peers) == ((), (AdminPeer(pods=AdminPods()),))


def test_the_baseline_has_everything_but_a_priority_passing_on_and_domain_names() -> None:
    record = observed(BASELINE, _thing(egress=[{"action": "Deny", "to": [{"nodes": {}}]}])).record
    assert isinstance(record, BaselineAdminNetworkPolicyRecord)
    assert record.egress[0].peers == (AdminPeer(nodes=LabelSelector()),)
    for spec, says in (
        ({"priority": 1}, "Object contains unknown field `priority` - at `$.spec`"),
        ({"ingress": [{"action": "Pass", "from": [EVERY]}]}, "spec.ingress[0].action is 'Pass'; accepted are Allow"),
        (
            {"egress": [_rule(to=[{"domainNames": ["a.example.org"]}])]},
            "spec.egress[0].to[0] has domainNames; accepted is one of namespaces, pods, nodes, networks",
        ),
    ):
        assert refusal(BASELINE, _thing(**spec)).startswith(f"{BASELINE} /default: {says}")
    named = refusal(BASELINE, _thing("other"))
    assert named == f"{BASELINE} /other: metadata.name is 'other'; accepted are default"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"priority": 1001}, "Expected `int` <= 1000 - at `$.spec.priority`"),
        ({"priority": -1}, "Expected `int` >= 0 - at `$.spec.priority`"),
        ({"subject": {}}, "spec.subject has neither of namespaces and pods; accepted is one of them"),
        (
            {"subject": {"namespaces": {}, "pods": {"namespaceSelector": {}, "podSelector": {}}}},
            "spec.subject has both of namespaces and pods; accepted is one of them",
        ),
        (
            {"subject": {"pods": {"namespaceSelector": {}}}},
            "Object missing required field `podSelector` - at `$.spec.subject.pods`",
        ),
        ({"ingress": [{"action": "Allow"}]}, "Object missing required field `from` - at `$.spec.ingress[0]`"),
        ({"ingress": [_rule(**{"from": []})]}, "spec.ingress[0].from is empty; accepted are one or more peers"),
        (
            {"ingress": [{"action": "Log", "from": [EVERY]}]},
            "spec.ingress[0].action is 'Log'; accepted are Allow, Deny, Pass",
        ),
        (
            {"ingress": [_rule(**{"from": [EVERY, {"networks": ["10.0.0.0/8"]}]})]},
            "spec.ingress[0].from[1] has networks; accepted is one of namespaces, pods",
        ),
        (
            {"egress": [_rule(to=[{"nodes": {}, "networks": ["10.0.0.0/8"]}])]},
            "spec.egress[0].to[0] has nodes and networks; "
            "accepted is one of namespaces, pods, nodes, networks, domainNames",
        ),
        (
            {"egress": [_rule(to=[{"networks": []}])]},
            "spec.egress[0].to[0].networks is empty; accepted are one or more",
        ),
        (
            {"egress": [_rule(to=[{"networks": ["10.0.0.0/8", "10.0.0.1"]}])]},
            "spec.egress[0].to[0].networks[1] is '10.0.0.1'; accepted is a prefix as 10.0.0.0/8 or fd00::/8",
        ),
        (
            {"egress": [_rule(to=[{"networks": ["::ffff:10.0.0.0/104"]}])]},
            "spec.egress[0].to[0].networks[0] is '::ffff:10.0.0.0/104'; accepted is a prefix as 10.0.0.0/8 or fd00::/8",
        ),
        (
            {"egress": [_rule(to=[{"networks": ["10.0.0.0/255.0.0.0"]}])]},
            "spec.egress[0].to[0].networks[0] is '10.0.0.0/255.0.0.0'; accepted is a prefix as 10.0.0.0/8 or fd00::/8",
        ),
        (
            {"egress": [_rule(to=[{"networks": ["fe80::%eth0/64"]}])]},
            "spec.egress[0].to[0].networks[0] is 'fe80::%eth0/64'; accepted is a prefix as 10.0.0.0/8 or fd00::/8",
        ),
        (
            {"egress": [{"action": "Deny", "to": [{"domainNames": ["a.example.org"]}]}]},
            "spec.egress[0].action is 'Deny'; accepted with domainNames is Allow",
        ),
        (
            {"egress": [_rule(to=[EVERY, {"nodes": {}}], ports=[{"namedPort": "web"}])]},
            "spec.egress[0].ports has a namedPort; accepted are those with peers that are pods only",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{}])]},
            "spec.egress[0].ports[0] names no port or several; accepted is one of portNumber, portRange, namedPort",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{"portNumber": {"port": 1}, "namedPort": "web"}])]},
            "spec.egress[0].ports[0] names no port or several; accepted is one of portNumber, portRange, namedPort",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{"portRange": {"start": 9, "end": 8}}])]},
            "spec.egress[0].ports[0].portRange is 9 to 8; accepted is the lower one first",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{"portNumber": {"port": 1, "protocol": "ICMP"}}])]},
            "spec.egress[0].ports[0].portNumber.protocol is 'ICMP'; accepted are TCP, UDP, SCTP",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{"portNumber": {"port": 0}}])]},
            "Expected `int` >= 1 - at `$.spec.egress[0].ports[0].portNumber.port`",
        ),
        (
            {"subject": {"namespaces": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}}},
            "spec.subject.namespaces.matchExpressions[0].operator is 'Gt'; "
            "accepted are In, NotIn, Exists, DoesNotExist",
        ),
    ],
)
def test_a_policy_is_refused_by_field(spec: Json, says: str) -> None:
    assert _refusal(**spec) == says


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"tier": "Admin"}, "`tier` - at `$.spec`"),
        ({"subject": {"nodes": {}}}, "`nodes` - at `$.spec.subject`"),
        ({"subject": {"namespaces": {"sameLabels": ["a"]}}}, "`sameLabels` - at `$.spec.subject.namespaces`"),
        ({"egress": [_rule(to=[EVERY], protocols=[])]}, "`protocols` - at `$.spec.egress[0]`"),
        ({"egress": [_rule(to=[{"services": {}}])]}, "`services` - at `$.spec.egress[0].to[0]`"),
        (
            {"ingress": [_rule(**{"from": [{"namespaces": {"namespaceSelector": {}}}]})]},
            "`namespaceSelector` - at `$.spec.ingress[0].from[0].namespaces`",
        ),
        (
            {"egress": [_rule(to=[EVERY], ports=[{"portNumber": {"port": 1, "source": 1}}])]},
            "`source` - at `$.spec.egress[0].ports[0].portNumber`",
        ),
    ],
)
def test_a_field_of_another_version_is_refused_wherever_it_would_change_what_matches(spec: Json, place: str) -> None:
    assert _refusal(**spec) == f"Object contains unknown field {place}"
