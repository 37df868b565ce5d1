"""CHECK and STATUS over fakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cni.answers import LIMITED, NOT_AS_ADDED, UNAVAILABLE
from schemas.errors import AgentUnavailable, RequestRefused, StoreMismatch, StoreUnavailable
from tests.cni.fakes import Fixture, add_request
from tests.cni.rows import UID


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


def test_case_88_status_is_51_without_the_vrouter_agent_and_50_without_the_store(node: Fixture) -> None:
    node.checker.status()
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


def test_check_without_the_vrouter_agent_is_to_be_tried_again(node: Fixture) -> None:
    node.add()
    node.vrouter.away = AgentUnavailable("connection refused")
    with pytest.raises(AgentUnavailable):
        _check(node)
    assert UID in node.vrouter.announced
