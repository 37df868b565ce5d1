"""What is refused: the error names the object, the field, what was read and what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.watchers.kinds.golden import Json, refusal

META: Json = {"name": "x", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
END = {"namespace": "left"}
SERVICE = {"name": "fw", "podSelector": {}}


def _policy(**spec: Any) -> Json:
    return {"metadata": META, "spec": {"podSelector": {}, **spec}}


def _chain(**spec: Any) -> Json:
    return {"metadata": META, "spec": {"left": END, "right": END, "services": [SERVICE], **spec}}


def _expression(**requirement: Any) -> Json:
    return _policy(ingress=[{"from": [{"podSelector": {"matchExpressions": [requirement]}}]}])


PLACE = "NetworkPolicy shop/x: spec.ingress[0].from[0]"


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (
            _expression(key="a", operator="Gt", values=["1"]),
            f"{PLACE}.podSelector.matchExpressions[0].operator is 'Gt'; accepted are In, NotIn, Exists, DoesNotExist",
        ),
        (
            _expression(key="a", operator="In", values=[]),
            f"{PLACE}.podSelector.matchExpressions[0].values has 0 values; accepted with In are one or more",
        ),
        (
            _expression(key="a", operator="Exists", values=["b"]),
            f"{PLACE}.podSelector.matchExpressions[0].values has 1 values; accepted with Exists are none",
        ),
        (
            _policy(ingress=[{"from": [{}]}]),
            f"{PLACE} has neither a selector nor an ipBlock; "
            "accepted is podSelector, namespaceSelector or both, or ipBlock",
        ),
        (
            _policy(ingress=[{"from": [{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
            f"{PLACE} has both selectors and an ipBlock; "
            "accepted is podSelector, namespaceSelector or both, or ipBlock",
        ),
        (
            _policy(policyTypes=["Egress", "Both"]),
            "NetworkPolicy shop/x: spec.policyTypes[1] is 'Both'; accepted are Ingress, Egress",
        ),
        (
            _policy(policyTypes=["Egress"], egress=[{}, {"to": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]),
            "NetworkPolicy shop/x: spec.egress[1].to[0].ipBlock.cidr is '10.0.0.0/33'; "
            "accepted is a prefix as 10.0.0.0/8",
        ),
        (
            _policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].from[0].ipBlock.cidr is '10.0.0.1'; accepted is a prefix as "
            "10.0.0.0/8",
        ),
        (
            _policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/255.0.0.0"}}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].from[0].ipBlock.cidr is '10.0.0.0/255.0.0.0'; "
            "accepted is a prefix as 10.0.0.0/8",
        ),
        (
            _policy(ingress=[{"from": [{"ipBlock": {"cidr": "fe80::%eth0/64"}}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].from[0].ipBlock.cidr is 'fe80::%eth0/64'; accepted is a prefix as "
            "10.0.0.0/8",
        ),
        (
            _policy(ingress=[{"ports": [{"port": "web", "endPort": 90}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].endPort is 90; "
            "accepted is none beside the named port 'web'",
        ),
        (
            _policy(ingress=[{"ports": [{"port": 91, "endPort": 90}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].endPort is 90; accepted are 91 and above",
        ),
        (
            _policy(ingress=[{"ports": [{"endPort": 90}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].endPort is 90; accepted are a port number and above",
        ),
        (
            _policy(ingress=[{"ports": [{"port": 5, "endPort": 0}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].endPort is 0; accepted are 5 and above",
        ),
        (
            _policy(ingress=[{"ports": [{"port": 0}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].port is 0; accepted are 1 to 65535, a name, or none",
        ),
        (
            _policy(ingress=[{"ports": [{"port": ""}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].port is ''; accepted are 1 to 65535, a name, or none",
        ),
        (
            _policy(ingress=[{"ports": [{"protocol": "TPC"}]}]),
            "NetworkPolicy shop/x: spec.ingress[0].ports[0].protocol is 'TPC'; accepted are TCP, UDP, SCTP",
        ),
        (
            _policy(ingress=[{"ports": [{"port": 65536}]}]),
            "NetworkPolicy shop/x: Expected `int` <= 65535 - at `$.spec.ingress[0].ports[0].port`",
        ),
    ],
)
def test_a_policy_is_refused_by_field(thing: Json, says: str) -> None:
    assert refusal("NetworkPolicy", thing) == says


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            {"type": "Clusterip"},
            "spec.type is 'Clusterip'; accepted are ClusterIP, NodePort, LoadBalancer, ExternalName",
        ),
        (
            {"ports": [{"port": 1}, {"port": 2, "protocol": "x" * 300}]},
            "spec.ports[1].protocol is '" + "x" * 100 + "';",
        ),
        ({"sessionAffinity": "Cookie"}, "spec.sessionAffinity is 'Cookie'; accepted are None, ClientIP"),
        (
            {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds is 0; accepted are 1 to 86400",
        ),
        ({"ports": [{"port": "eighty"}]}, "Expected `int`, got `str` - at `$.spec.ports[0].port`"),
    ],
)
def test_a_service_is_refused_by_field(spec: Json, says: str) -> None:
    assert refusal("Service", {"metadata": META, "spec": spec}).startswith(f"Service shop/x: {says}")


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        ({}, "has neither of service and resource; accepted is one of them"),
        (
            {"service": {"name": "a"}, "resource": {"kind": "B", "name": "b"}},
            "has both of service and resource; accepted is one of them",
        ),
    ],
)
def test_an_ingress_is_refused_by_field(backend: Json, says: str) -> None:
    thing = {"metadata": META, "spec": {"rules": [{"http": {"paths": [{"backend": backend}]}}]}}
    assert refusal("Ingress", thing) == f"Ingress shop/x: spec.rules[0].http.paths[0].backend {says}"
    thing = {"metadata": META, "spec": {"defaultBackend": backend}}
    assert refusal("Ingress", thing) == f"Ingress shop/x: spec.defaultBackend {says}"


def test_a_slice_is_refused_by_field() -> None:
    assert refusal("EndpointSlice", {"metadata": META, "addressType": "IPX"}) == (
        "EndpointSlice shop/x: addressType is 'IPX'; accepted are IPv4, IPv6, FQDN"
    )


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ({"metadata": META}, "spec is missing; accepted are left, right and one or more services"),
        (_chain(services=[]), "spec.services is missing; accepted are left, right and one or more services"),
        (_chain(services=[SERVICE, SERVICE]), "spec.services has the names fw, fw; accepted are different ones"),
        (
            _chain(services=[SERVICE | {"mode": "bridge"}]),
            "spec.services[0].mode is 'bridge'; accepted are in-network, in-network-nat, transparent",
        ),
        (
            _chain(right={}),
            "spec.right names 0 networks; accepted is exactly one of networkAttachmentDefinition, namespace or network",
        ),
        (
            _chain(left=END | {"networkAttachmentDefinition": {"name": "a"}}),
            "spec.left names 2 networks; accepted is exactly one of networkAttachmentDefinition, namespace or network",
        ),
        (
            _chain(left={"network": {"domain": "a:b", "project": "p", "name": "n"}}),
            "spec.left.network.domain is 'a:b'; accepted is a name without ':'",
        ),
        (
            _chain(traffic=[{}, {"protocol": "ICMP", "ports": [{"port": 1}]}]),
            "spec.traffic[1].ports are set; accepted with protocol ICMP are none",
        ),
        (
            _chain(traffic=[{"protocol": "TCP", "ports": [{"port": 9, "endPort": 8}]}]),
            "spec.traffic[0].ports[0] is 9 to 8; accepted are 1 to 65535, the lower one first",
        ),
        (
            _chain(traffic=[{"direction": "up"}]),
            "spec.traffic[0].direction is 'up'; accepted are both, left-to-right",
        ),
    ],
)
def test_a_chain_is_refused_by_field_even_where_an_old_crd_let_it_through(thing: Json, says: str) -> None:
    assert refusal("ServiceChain", thing) == f"ServiceChain shop/x: {says}"
