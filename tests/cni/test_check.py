"""CHECK and STATUS over fakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cni.answers import LIMITED, NOT_AS_ADDED, UNAVAILABLE
from cni.exhaustion import HOLD
from schemas.errors import AddressPending, AgentUnavailable, RequestRefused, StoreMismatch, StoreUnavailable
from tests.cni.fakes import Fixture, add_request
from tests.cni.rows import UID, pending, row


def _check(node: Fixture, previous: object = None) -> None:
    node.checker.check(replace(add_request(), command="CHECK", previous=previous))


def test_case_88_check_right_after_add_is_content(node: Fixture) -> None:
    _check(node, node.add())


def test_case_88_check_names_every_fault(node: Fixture) -> None:
    previous = node.add()
    node.kernel.wrong = ("eth0 has MAC 02:00:00:00:00:01 instead of another", "eth0 is down")
    node.vrouter.announced.clear()
    previous["ips"][0]["address"] = "10.47.255.1/12"
    with pytest.raises(RequestRefused) as refused:
        _check(node, previous)
    assert refused.value.code == NOT_AS_ADDED
    for part in ("has MAC", "is down", "does not have port", "prevResult has address 10.47.255.1/12"):
        assert part in str(refused.value)


def test_check_of_what_is_not_attached_says_so(node: Fixture) -> None:
    with pytest.raises(RequestRefused, match="not attached"):
        _check(node)


def test_case_88_status_is_51_without_the_vrouter_agent_of_running_pods_and_50_without_the_store(node: Fixture) -> None:
    node.checker.status()
    node.add()
    node.store.trouble = StoreUnavailable("away")
    with pytest.raises(RequestRefused) as refused:
        node.checker.status()
    assert refused.value.code == UNAVAILABLE
    node.store.trouble = StoreMismatch("not migrated")
    with pytest.raises(RequestRefused) as refused:
        node.checker.status()
    assert refused.value.code == UNAVAILABLE
    node.vrouter.away = AgentUnavailable("connection refused")
    with pytest.raises(RequestRefused) as refused:
        node.checker.status()
    assert refused.value.code == LIMITED


def test_case_79_status_is_50_without_the_vrouter_agent_where_no_pod_can_suffer(node: Fixture) -> None:
    node.vrouter.away = AgentUnavailable("connection refused")
    with pytest.raises(RequestRefused, match="connection refused") as refused:
        node.checker.status()
    assert refused.value.code == UNAVAILABLE


FULL = "Contrail answered 400: Virtual-Network(k8s-default-pod-network) has exhausted subnet([])"


def _starved(node: Fixture, **changes: object) -> None:
    node.store.rows = (pending(state="blocked", reason=FULL, **changes),)
    with pytest.raises(AddressPending):
        node.add()


def test_case_79_status_is_50_while_pods_of_the_node_wait_for_an_address_that_there_is_not(node: Fixture) -> None:
    _starved(node)
    with pytest.raises(RequestRefused, match=r"no address is left for pods: network .*has exhausted subnet") as refused:
        node.checker.status()
    assert refused.value.code == UNAVAILABLE


def test_case_79_status_recovers_with_the_first_pod_that_gets_an_address(node: Fixture) -> None:
    _starved(node)
    node.store.rows = (row(),)
    node.add()
    node.checker.status()


def test_case_79_a_sighting_of_a_used_up_network_is_forgotten_before_pods_are_driven_from_the_node(
    node: Fixture,
) -> None:
    _starved(node)
    node.caller.now += HOLD
    node.checker.status()


def test_a_used_up_network_of_an_app_does_not_make_the_node_useless(node: Fixture) -> None:
    _starved(node, network="default-domain:k8s-shop:k8s-shop__web-pod-network")
    node.checker.status()


def test_check_without_the_vrouter_agent_is_to_be_tried_again(node: Fixture) -> None:
    node.add()
    node.vrouter.away = AgentUnavailable("connection refused")
    with pytest.raises(AgentUnavailable):
        _check(node)
    assert UID in node.vrouter.announced
