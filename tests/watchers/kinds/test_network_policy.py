"""NetworkPolicy: what Kubernetes tells apart stays apart, and what it treats alike becomes alike."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import LabelSelector, NetworkPolicyRecord, PolicyPeer, PolicyPort, PolicyRule
from tests.watchers.kinds.golden import observed

EVERYTHING = (PolicyRule(),)


def _record(spec: Any) -> NetworkPolicyRecord:
    thing = {"metadata": {"name": "x", "namespace": "shop", "uid": "u", "resourceVersion": "1"}, "spec": spec}
    record = observed("NetworkPolicy", thing).record
    assert isinstance(record, NetworkPolicyRecord)
    return record


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        ({}, True, False),
        ({"policyTypes": []}, True, False),
        ({"egress": [{}]}, True, True),
        ({"egress": []}, True, False),
        ({"policyTypes": ["Ingress"]}, True, False),
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Egress", "Ingress"]}, True, True),
    ],
)
def test_case_60_omitted_policy_types_are_what_the_api_server_fills_in(
    spec: dict[str, Any], ingress: bool, egress: bool
) -> None:
    record = _record(spec)
    assert (record.isolates_ingress, record.isolates_egress) == (ingress, egress)


@pytest.mark.parametrize("rules", [None, []])
def test_case_60_no_rules_allow_nothing(rules: Any) -> None:
    assert _record({"ingress": rules}) == NetworkPolicyRecord(isolates_ingress=True, ingress=())


@pytest.mark.parametrize("rule", [{}, {"from": None}, {"from": []}, {"from": [], "ports": []}, {"ports": None}])
def test_case_60_one_empty_rule_allows_everything(rule: Any) -> None:
    assert _record({"ingress": [rule]}) == NetworkPolicyRecord(isolates_ingress=True, ingress=EVERYTHING)


def test_rules_for_a_direction_that_is_not_isolated_are_void() -> None:
    assert _record({"policyTypes": ["Egress"], "ingress": [{}], "egress": []}) == _record({"policyTypes": ["Egress"]})


@pytest.mark.parametrize("selector", [None, {}, {"matchLabels": None, "matchExpressions": None}, {"matchLabels": {}}])
def test_case_60_a_policy_without_selector_is_for_all_pods_of_its_namespace(selector: Any) -> None:
    assert _record({"podSelector": selector}).pod_selector == LabelSelector()


def test_case_60_an_empty_selector_of_a_peer_is_not_an_absent_one() -> None:
    peers = [
        {"podSelector": {}},
        {"podSelector": {}, "namespaceSelector": None},
        {"namespaceSelector": {}},
        {"podSelector": {}, "namespaceSelector": {}},
    ]
    rules = [_record({"ingress": [{"from": [peer]}]}).ingress for peer in peers]
    everywhere = LabelSelector()
    assert [rule.peers for [rule] in rules] == [
        (PolicyPeer(pod_selector=everywhere),),
        (PolicyPeer(pod_selector=everywhere),),
        (PolicyPeer(namespace_selector=everywhere),),
        (PolicyPeer(pod_selector=everywhere, namespace_selector=everywhere),),
    ]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({}, PolicyPort()),
        ({"protocol": "UDP"}, PolicyPort(protocol="UDP")),
        ({"port": 80}, PolicyPort(port=80)),
        ({"port": 80, "endPort": 80}, PolicyPort(port=80)),
        ({"port": 80, "endPort": 81, "protocol": "SCTP"}, PolicyPort(protocol="SCTP", port=80, end_port=81)),
        ({"port": "80"}, PolicyPort(port_name="80")),
        ({"port": "http", "protocol": None}, PolicyPort(port_name="http")),
    ],
)
def test_case_60_ports_by_number_range_and_name(port: Any, expected: PolicyPort) -> None:
    [rule] = _record({"ingress": [{"ports": [port]}]}).ingress
    assert rule.ports == (expected,)


def test_what_is_said_twice_counts_once() -> None:
    once: dict[str, Any] = {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}], "ports": [{"port": 80}]}
    twice = {"from": once["from"] * 2, "ports": [*once["ports"], {"port": 80, "protocol": "TCP"}]}
    assert _record({"ingress": [twice, once]}) == _record({"ingress": [once]})


def test_host_bits_of_a_prefix_mean_nothing() -> None:
    blocks = [{"cidr": "10.1.2.3/8", "except": ["10.1.2.3/16"]}, {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]
    first, second = (_record({"egress": [{"to": [{"ipBlock": block}]}]}) for block in blocks)
    assert first == second
