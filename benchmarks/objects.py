"""Objects of the kinds whose figures are stated besides those of pods, as the API server writes them (pure)."""

from __future__ import annotations

from typing import Any

ENDPOINTS = 100
"""Of a full slice, as the controller makes them."""


def _metadata(number: int, **more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {f"f:field-{i}": {} for i in range(20)}}
    return {
        "name": f"web-{number}",
        "namespace": f"ns-{number % 50}",
        "uid": f"0c2b5d0e-5a3b-4a25-8f61-{number:012d}",
        "resourceVersion": "1",
        "managedFields": [{"manager": "controller", "operation": "Update", "fieldsV1": fields}],
        **more,
    }


def endpoint_slice(number: int, mark: str) -> dict[str, Any]:
    """A slice of 100 endpoints."""
    return {
        "metadata": _metadata(number, labels={"kubernetes.io/service-name": f"web{mark}"}),
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.32.{number % 250}.{i}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{i}",
                "zone": "a",
                "targetRef": {"kind": "Pod", "namespace": "ns", "name": f"web-{i}", "uid": f"{number:08d}-{i:04d}"},
            }
            for i in range(ENDPOINTS)
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def network_policy(number: int, mark: str) -> dict[str, Any]:
    """A policy of two rules with selectors, a block and ports."""
    peers = [
        {"podSelector": {"matchLabels": {"app": "front"}}},
        {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
    ]
    ports = [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": "metrics"}]
    return {
        "metadata": _metadata(number),
        "spec": {
            "podSelector": {"matchLabels": {"app": f"web{mark}"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers, "ports": ports}],
            "egress": [{"to": [{"podSelector": {}}], "ports": [{"protocol": "UDP", "port": 53}]}],
        },
    }


def service(number: int, mark: str) -> dict[str, Any]:
    """A service of two ports."""
    return {
        "metadata": _metadata(number, labels={"app": f"web{mark}"}),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.7",
            "clusterIPs": ["10.96.0.7"],
            "ipFamilies": ["IPv4"],
            "selector": {"app": "web"},
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"},
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 8443},
            ],
        },
        "status": {"loadBalancer": {}},
    }


def replica_set(number: int, mark: str) -> dict[str, Any]:
    """What owns pods, by its metadata alone."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}
    return {"metadata": _metadata(number, labels={"opencontrail.org/name": f"web{mark}"}, ownerReferences=[owner])}
