"""Audits while an applier runs: when they are due, what starts one early, and that they end with the process."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

import pytest
import requests

from applier.audit.background import AuditLoop
from applier.audit.calls import Calls
from applier.audit.sentinel import Sentinel
from applier.audit.settings import AuditSettings
from applier.client import ContrailClient
from applier.gate import PART as CONTRAIL
from schemas.errors import ContrailUnavailable, SettingsError
from schemas.health import Health
from schemas.settings import ContrailSettings
from simulators.contrail.faults import Fault, Trouble
from tests.applier.audit.world import QUICK_AUDIT, World
from tests.applier.running import until

pytestmark = pytest.mark.postgres


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Background:
    """The loop of an applier, stepped by hand."""

    def __init__(self, world: World, **settings: object) -> None:
        self.clock = Clock()
        self.health = Health()
        self.client = ContrailClient(ContrailSettings(urls=(world.contrail.url,)), pool_size=1)
        self.loop = AuditLoop(
            world.engine,
            self.client,
            mark=world.mark,
            settings=AuditSettings(**{**QUICK_AUDIT, **settings}),  # type: ignore[arg-type]
            health=self.health,
            clock=self.clock,
        )

    def after(self, seconds: float) -> None:
        """What the loop does so many seconds later."""
        self.clock.now += seconds
        self.loop.step()


def audits(world: World) -> int:
    """Complete audits so far."""
    return len(world.rows("SELECT 1 FROM audit_run WHERE outcome = 'complete'"))


def test_an_audit_runs_when_it_is_due_and_not_before(world: World) -> None:
    world.pods("web-0")
    loop = Background(world, start_after=30.0)
    loop.after(29.0)
    assert audits(world) == 0
    loop.after(2.0)
    assert audits(world) == 1
    for _ in range(5):
        loop.after(61.0)
    assert audits(world) == 1  # the store says when the last one was, whoever made it
    world.execute("UPDATE audit_run SET started_at = started_at - interval '1 hour'")
    loop.after(61.0)
    assert audits(world) == 2
    loop.client.close()


def test_case_78_a_wipe_is_noticed_without_waiting_for_the_next_audit(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.pods("web-0", "web-1", "web-2")
    world.execute("UPDATE apply_state SET updated_at = updated_at - interval '1 minute'")
    loop = Background(world, repair=True)
    loop.after(61.0)
    before = world.contrail.counters
    loop.after(61.0)
    assert (world.contrail.counters - before).total() == 1
    world.contrail.reset()
    loop.after(61.0)
    loop.after(61.0)
    assert audits(world) == 2
    assert "Contrail lacks objects that it had, auditing now" in caplog.text
    assert [r.levelno for r in caplog.records if "as one that was wiped" in r.getMessage()] == [logging.ERROR]
    assert "as one that was wiped" in loop.health.notes()["audit"]
    assert "audit" not in loop.health.why_not_ready()
    world.apply()
    world.execute("UPDATE audit_run SET started_at = started_at - interval '1 hour'")
    loop.after(61.0)
    assert loop.health.notes() == {}
    loop.client.close()


def test_an_api_that_is_back_is_looked_at_at_once(world: World) -> None:
    world.pods("web-0", "web-1")
    world.execute("UPDATE apply_state SET updated_at = updated_at - interval '1 minute'")
    loop = Background(world)
    loop.after(61.0)
    loop.health.not_ready(CONTRAIL, "does not answer")
    loop.after(1.0)
    world.contrail.reset()
    loop.health.ready(CONTRAIL)
    loop.after(1.0)
    assert audits(world) == 2
    loop.client.close()


def test_nothing_is_asked_while_the_appliers_calls_are_held_back(world: World) -> None:
    world.pods("web-0")
    loop = Background(world)
    loop.health.not_ready(CONTRAIL, "does not answer")
    before = world.contrail.counters
    loop.after(1000.0)
    assert world.contrail.counters == before
    loop.client.close()


def test_a_contrail_that_lies_is_not_audited_without_end(world: World) -> None:
    """It says that it made what it did not make: the look sees it each time, the repairs are counted."""
    world.pods("web-0")
    world.contrail.reset()
    loop = Background(world, repair=True, repair_tries=2)
    for _ in range(30):
        loop.after(61.0)
        world.execute("""
            UPDATE apply_state SET status = 'applied', applied_generation = desired_generation,
                   updated_at = clock_timestamp() - interval '10 seconds'
        """)
    repairs = {row.repairs for row in world.rows("SELECT sum(repairs) AS repairs FROM audit_finding GROUP BY uuid")}
    assert max(repairs) <= 2
    assert audits(world) <= 6
    loop.client.close()


def test_an_audit_that_fails_again_and_again_is_tried_less_and_less(world: World) -> None:
    world.pods("web-0")
    loop = Background(world)
    world.contrail.faults.add(Fault(Trouble.STATUS, path="/list-bulk-collection", status=500, text="no", count=None))
    for _ in range(60):
        with contextlib.suppress(ContrailUnavailable):
            loop.after(61.0)
    assert 3 <= len(world.rows("SELECT 1 FROM audit_run WHERE outcome = 'failed'")) <= 12
    world.contrail.faults.clear()
    loop.after(3601.0)
    assert world.rows("SELECT 1 FROM audit_run WHERE outcome = 'complete'")
    loop.client.close()


def test_the_look_asks_once_more_before_it_says_anything(world: World) -> None:
    world.pods("web-0")
    world.execute("UPDATE apply_state SET updated_at = updated_at - interval '1 minute'")
    world.contrail.reset()
    client = ContrailClient(ContrailSettings(urls=(world.contrail.url,)), pool_size=1)
    calls = Calls(client, share=1.0, stop=threading.Event())
    sentinel = Sentinel(world.engine, cluster="k8s")
    assert (
        sentinel.look(calls)
        == [
            "project default-domain:k8s-default",
            "project default-domain:k8s-shop",
        ]
        or len(sentinel.look(calls, both=True)) > 2
    )
    world.execute("UPDATE apply_state SET status = 'pending'")  # the applier is at it
    assert sentinel.look(calls, both=True) == []
    client.close()


def test_an_applier_audits_in_the_background_and_ends_promptly(world: World) -> None:
    (web,) = world.pods("web-0")
    requests.delete(f"{world.contrail.url}/instance-ip/{web[2].uuid}", timeout=5)
    with world.applying(interval=3600.0, start_after=0.0, sentinel_interval=0.5, repair=True):
        until(lambda: world.has(web[2]) == [True])
        until(lambda: not world.store.desired.unfinished())
        world.contrail.faults.add(Fault(Trouble.LATENCY, path="/list-bulk-collection", seconds=0.4, count=None))
        world.execute("DELETE FROM audit_run")
        until(lambda: world.rows("SELECT 1 FROM audit_run WHERE outcome = 'running'"))
        began = time.monotonic()
    assert time.monotonic() - began < 5.0
    assert world.rows("SELECT outcome, note FROM audit_run") == [("failed", "the process was told to end")]


def test_audits_can_be_switched_off(world: World) -> None:
    loop = Background(world, interval=0.0)
    loop.loop.start()
    loop.loop.close()
    assert audits(world) == 0
    loop.client.close()


@pytest.mark.parametrize(
    "wrong", [{"api_share": 0.0}, {"api_share": 1.5}, {"page_size": 0}, {"refill_rate": 0.0}, {"interval": -1.0}]
)
def test_wrong_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="CONTRAIL_KUBE_APPLIER_AUDIT_"):
        AuditSettings(**wrong)  # type: ignore[arg-type]
