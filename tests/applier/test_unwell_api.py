"""An API that refuses, is overloaded, hangs or is away: case 67."""

from __future__ import annotations

import time

import pytest

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


@pytest.mark.parametrize("status", [401, 403])
def test_case_67_without_permission_writing_stops_until_it_is_given(
    store: DesiredStore, contrail: ContrailSimulator, status: int
) -> None:
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=status, text="Permission Denied"))
    shop(store, *(f"web-{n}" for n in range(10)))
    with applying(store, contrail):
        until(lambda: contrail.counters.total() > 3)
        time.sleep(1.0)
        assert contrail.counters.total() < 15
        said = "; asked without credentials (CONTRAIL_KUBE_CONTRAIL_AUTH is none)"
        assert f"Contrail answered {status}: Permission Denied{said}" in store.reasons()
        assert "dead" not in store.statuses().values()
        contrail.faults.clear()
        until_applied(store)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_case_67_an_overloaded_api_is_asked_less_and_nothing_is_given_up(
    store: DesiredStore, contrail: ContrailSimulator, status: int
) -> None:
    shop(store, *(f"web-{n}" for n in range(10)))
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", None, status=status, text="later", retry_after=0.05))
    with applying(store, contrail, tries=2):
        time.sleep(1.5)
        assert contrail.counters.total() < 40
        assert f"Contrail answered {status}: later" in store.reasons()
        contrail.faults.clear()
        until_applied(store)
    assert len(store.observed()) == 10


def test_case_67_retry_after_is_obeyed(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.faults.add(Fault(Trouble.STATUS, "", "/", 1, status=503, text="later", retry_after=1.0))
    shop(store, "web-0")
    with applying(store, contrail):
        until(lambda: contrail.counters.total() >= 1)
        time.sleep(0.6)
        assert contrail.counters.total() == 1
        until_applied(store)


def test_case_67_one_object_that_hangs_does_not_stall_the_others(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    shop(store, *(f"web-{n}" for n in range(12)))
    contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/virtual-machines", 1, seconds=4.0))
    with applying(store, contrail, read_timeout=10.0):
        until(lambda: len(store.observed()) == 11, within=3.5, told=store.unfinished)
        until_applied(store)
    assert len(store.observed()) == 12


def test_a_dead_api_is_probed_and_not_hammered(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.faults.add(Fault(Trouble.DROP_BEFORE, "", "/", None))
    shop(store, *(f"web-{n}" for n in range(50)))
    with applying(store, contrail):
        time.sleep(2.0)
        assert 3 <= contrail.counters.total() <= 30
        assert "dead" not in store.statuses().values()
        assert any("gave no answer" in reason for reason in store.reasons())
        contrail.faults.clear()
        until_applied(store)
    assert len(store.observed()) == 50


def test_an_api_that_comes_back_is_used_at_once(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.stop()
    shop(store, *(f"web-{n}" for n in range(10)))
    with applying(store, contrail):
        until(lambda: any("Connection refused" in reason for reason in store.reasons()))
        contrail.start()
        until_applied(store, within=5.0)
