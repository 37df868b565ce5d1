"""A store that is away, full, locked or behind: cases 52 to 56. Nothing is lost, and a person is told."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


def test_case_56_lost_wakeups_cost_only_time(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail, poll_interval=0.3):
        until_applied(store)
        with store.engine.begin() as connection:  # a change that nobody is told of
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
        until_applied(store, within=5.0)


def test_case_52_every_database_session_killed_in_the_middle(store: DesiredStore, contrail: ContrailSimulator) -> None:
    pods = shop(store, *(f"web-{n}" for n in range(40)))
    with applying(store, contrail):
        for _ in range(4):
            until(lambda: contrail.counters.total() > 20)
            with store.engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            time.sleep(0.15)
        until_applied(store)
    assert contrail.count("virtual-machine") == 40
    assert store.observed().keys() == {p.address.uuid for p in pods}
