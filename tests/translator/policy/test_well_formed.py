"""NetworkPolicies that mean nothing: named with field, what was read and what is accepted, and put aside."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import TranslationError
from schemas.events import ChangeEvent, Op
from schemas.records import (
    IpBlock,
    LabelRequirement,
    LabelSelector,
    NetworkPolicyRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
)
from tests.translator.facts import event, namespace
from tests.translator.states import History
from translator.translate.registry import require_well_formed

ALL = LabelSelector()


def policy(*, ports: tuple[PolicyPort, ...] = (), peers: tuple[PolicyPeer, ...] = (), **fields: Any) -> ChangeEvent:
    record = NetworkPolicyRecord(isolates_ingress=True, ingress=(PolicyRule(peers=peers, ports=ports),), **fields)
    return event(Op.UPSERT, "NetworkPolicy", "shop", "web", 1, record)


def block(cidr: str, *excluded: str) -> ChangeEvent:
    return policy(peers=(PolicyPeer(ip_block=IpBlock(cidr=cidr, excluded=excluded)),))


def expression(operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(LabelRequirement(key="app", operator=operator, values=values),))


@pytest.mark.parametrize(
    "good",
    [
        policy(),
        policy(
            ports=(PolicyPort(), PolicyPort(port=80), PolicyPort(port=80, end_port=90), PolicyPort(port_name="web"))
        ),
        policy(peers=(PolicyPeer(pod_selector=ALL, namespace_selector=ALL),)),
        block("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"),
        block("fd00::/8", "fd00:1::/32"),
        policy(pod_selector=expression("NotIn", "a", "b")),
    ],
)
def test_what_kubernetes_takes_is_well_formed(good: ChangeEvent) -> None:
    require_well_formed(good)


@pytest.mark.parametrize(
    ("bad", "field", "accepted"),
    [
        (block("10.0.0.1/8"), "spec.ingress[0].from[0].ipBlock.cidr is '10.0.0.1/8'", "without host bits"),
        (block("somewhere"), "ipBlock.cidr is 'somewhere'", "accepted is a prefix"),
        (block("10.0.0.0/8", "x"), "ipBlock.except[0] is 'x'", "accepted is a prefix"),
        (block("10.0.0.0/8", "11.0.0.0/16"), "ipBlock.except[0] is '11.0.0.0/16'", "inside of 10.0.0.0/8"),
        (block("10.0.0.0/8", "10.0.0.0/8"), "ipBlock.except[0] is '10.0.0.0/8'", "a smaller prefix"),
        (block("10.0.0.0/8", "10.1.0.0/16", "fd00::/64"), "ipBlock.except[1] is 'fd00::/64'", "inside of 10.0.0.0/8"),
        (policy(peers=(PolicyPeer(),)), "spec.ingress[0].from[0] has none of these", "ipBlock alone"),
        (
            policy(peers=(PolicyPeer(pod_selector=ALL, ip_block=IpBlock(cidr="10.0.0.0/8")),)),
            "from[0] has podSelector and ipBlock",
            "ipBlock alone",
        ),
        (
            policy(peers=(PolicyPeer(namespace_selector=expression("Like", "a")),)),
            "from[0].namespaceSelector.matchExpressions[0].operator is 'Like'",
            "In, NotIn, Exists, DoesNotExist",
        ),
        (policy(pod_selector=expression("In")), "spec.podSelector.matchExpressions[0].values has 0", "one or more"),
        (policy(pod_selector=expression("Exists", "a")), "matchExpressions[0].values has 1", "with Exists are none"),
        (policy(ports=(PolicyPort(protocol="ICMP"),)), "ports[0].protocol is 'ICMP'", "TCP, UDP, SCTP"),
        (policy(ports=(PolicyPort(port=65536),)), "ports[0].port is 65536", "1 to 65535"),
        (policy(ports=(PolicyPort(port=80, end_port=79),)), "ports[0].endPort is 79", "80 to 65535"),
        (policy(ports=(PolicyPort(end_port=79),)), "ports[0].endPort is 79", "a port number"),
        (policy(ports=(PolicyPort(port_name="web", end_port=9),)), "ports[0].port is 'web' beside", "a name alone"),
    ],
)
def test_what_means_nothing_is_named_with_field_and_what_is_accepted(
    bad: ChangeEvent, field: str, accepted: str
) -> None:
    with pytest.raises(TranslationError) as caught:
        require_well_formed(bad)
    assert str(caught.value).startswith("NetworkPolicy shop/web: spec.")
    assert field in str(caught.value) and accepted in str(caught.value)


def test_a_bad_policy_leaves_the_rules_that_stood() -> None:
    history = History()
    history.become((namespace(), policy()))
    stood = history.dump()
    history.become((namespace(), block("10.0.0.0/8", "11.0.0.0/16")))
    assert history.dump()["objects"] == stood["objects"]
    (error,) = history.errors()
    assert "ipBlock.except[0] is '11.0.0.0/16'" in error
