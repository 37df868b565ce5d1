"""Service, EndpointSlice and IngressClass: what absent, null and empty values mean."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import (
    Endpoint,
    EndpointPort,
    EndpointSliceRecord,
    IngressClassRecord,
    Record,
    ServicePort,
    ServiceRecord,
)
from tests.watchers.kinds.golden import observed

META = {"name": "x", "namespace": "shop", "uid": "u", "resourceVersion": "1"}


def _service(**spec: Any) -> Record | None:
    return observed("Service", {"metadata": META, "spec": spec}).record


def _endpoint(**fields: Any) -> Endpoint:
    record = observed("EndpointSlice", {"metadata": META, "endpoints": [fields]}).record
    assert isinstance(record, EndpointSliceRecord)
    [endpoint] = record.endpoints
    return endpoint


@pytest.mark.parametrize(
    ("target", "number", "name"),
    [({}, 80, ""), ({"targetPort": 0}, 80, ""), ({"targetPort": 8080}, 8080, ""), ({"targetPort": "web"}, 0, "web")],
)
def test_a_port_without_target_is_its_own(target: dict[str, Any], number: int, name: str) -> None:
    expected = ServicePort(port=80, target_port=number, target_port_name=name)
    assert _service(ports=[{"port": 80, **target}]) == ServiceRecord(ports=(expected,))


@pytest.mark.parametrize("spec", [{"clusterIP": "10.96.0.1"}, {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"]}])
def test_a_cluster_ip_of_an_older_server_is_the_first(spec: dict[str, Any]) -> None:
    assert _service(**spec) == ServiceRecord(cluster_ips=("10.96.0.1",))


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"clusterIPs": ["None"]}])
def test_a_headless_service_is_not_one_without_an_address_yet(spec: dict[str, Any]) -> None:
    assert _service(**spec) == ServiceRecord(headless=True)
    assert _service(clusterIP="") == ServiceRecord()


@pytest.mark.parametrize("config", [None, {}, {"clientIP": None}, {"clientIP": {"timeoutSeconds": None}}])
def test_client_affinity_without_a_time_lasts_three_hours(config: Any) -> None:
    record = _service(sessionAffinity="ClientIP", sessionAffinityConfig=config)
    assert record == ServiceRecord(affinity_seconds=10800)


@pytest.mark.parametrize("selector", [None, {}])
def test_a_service_without_selector_selects_nothing(selector: Any) -> None:
    assert _service(selector=selector) == ServiceRecord(selector={})


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (None, (True, True, False)),
        ({}, (True, True, False)),
        ({"ready": None, "serving": None, "terminating": None}, (True, True, False)),
        ({"ready": False}, (False, True, False)),
        ({"ready": False, "serving": True, "terminating": True}, (False, True, True)),
        ({"ready": True, "serving": False}, (True, False, False)),
    ],
)
def test_case_61_unknown_conditions_are_read_as_kube_proxy_reads_them(
    conditions: Any, expected: tuple[bool, bool, bool]
) -> None:
    endpoint = _endpoint(addresses=["10.0.0.1"], conditions=conditions)
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == expected


@pytest.mark.parametrize("target", [None, {"kind": "Node", "name": "n", "uid": "n1"}])
def test_an_endpoint_that_is_no_pod_has_none(target: Any) -> None:
    assert _endpoint(addresses=["10.0.0.1"], targetRef=target) == Endpoint(addresses=("10.0.0.1",))


def test_a_port_of_a_slice_that_is_null_is_every_port_and_no_ports_are_none() -> None:
    nothing = {"name": None, "port": None, "protocol": None, "appProtocol": None}
    found = observed("EndpointSlice", {"metadata": META, "ports": [nothing]}).record
    assert found == EndpointSliceRecord(ports=(EndpointPort(port=0),))
    assert observed("EndpointSlice", {"metadata": META, "ports": []}).record == EndpointSliceRecord(ports=())


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("True", False), ("", False)])
def test_the_default_class_says_so_in_exactly_one_way(value: str, expected: bool) -> None:
    meta = {"name": "x", "uid": "u", "annotations": {"ingressclass.kubernetes.io/is-default-class": value}}
    assert observed("IngressClass", {"metadata": meta}).record == IngressClassRecord(is_default=expected)
