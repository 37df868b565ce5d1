"""Withdrawals that had to wait, and what the probes say."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from cni.housekeeping import Housekeeper
from cni.metrics import CniMetrics
from schemas.errors import AgentUnavailable, StoreUnavailable
from schemas.health import Health
from tests.cni.fakes import Fixture
from tests.cni.nodes import wait_for
from tests.cni.rows import UID


def _housekeeper(node: Fixture, health: Health) -> Housekeeper:
    return Housekeeper(
        store=node.store,
        vrouter=node.vrouter,
        records=node.records,
        withdrawals=node.withdrawals,
        held=node.held,
        health=health,
        metrics=CniMetrics(CollectorRegistry()),
    )


def test_case_80_a_withdrawal_is_made_when_the_vrouter_agent_is_back(node: Fixture) -> None:
    node.add()
    node.vrouter.away = AgentUnavailable("connection refused")
    node.delete()
    health = Health()
    keeper = _housekeeper(node.again(), health)
    assert not keeper.round()
    assert "connection refused" in health.why_not_ready()["vrouter"]
    node.vrouter.away = None
    assert keeper.round()
    assert node.is_clean() and health.why_not_ready() == {}


def test_a_withdrawal_of_a_machine_that_is_back_is_dropped(node: Fixture) -> None:
    node.add()
    node.withdrawals.put(UID, "shop/web-0")
    assert _housekeeper(node, Health()).round()
    assert node.withdrawals.all() == () and UID in node.vrouter.announced


def test_a_machine_that_a_request_works_on_is_left_for_later(node: Fixture) -> None:
    node.withdrawals.put(UID, "shop/web-0")
    keeper = _housekeeper(node, Health())
    with node.held.hold(f"machine {UID}", timeout=1):
        assert not keeper.round()
    assert keeper.round() and node.withdrawals.all() == ()


def test_the_store_is_asked_until_it_was_seen_and_then_left_in_peace(node: Fixture) -> None:
    health = Health()
    keeper = _housekeeper(node, health)
    node.store.trouble = StoreUnavailable("connection refused")
    assert not keeper.round()
    assert "connection refused" in health.why_not_ready()["store"]
    node.store.trouble = None
    assert keeper.round() and health.why_not_ready() == {}
    node.store.trouble = StoreUnavailable("connection refused")
    assert keeper.round()


def test_the_loop_runs_and_ends(node: Fixture) -> None:
    node.withdrawals.put(UID, "shop/web-0")
    keeper = _housekeeper(node, Health()).start()
    wait_for(lambda: not node.withdrawals.all(), "the withdrawal")
    keeper.close()
