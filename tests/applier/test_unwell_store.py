"""A store that is away, full, locked or behind: cases 52 to 57. Nothing is lost, and a person is told."""

from __future__ import annotations

import time

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from applier.reconciler import UNRECORDED
from applier.service import AppliedInBackground
from console.postgres import EmbeddedPostgres
from schemas.health import Health
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import _config, migrate
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, project
from tests.applier.running import applying, settings_for, until, until_applied
from tests.applier.shop import shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


def test_case_56_lost_wakeups_cost_only_time(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail, poll_interval=0.3):
        until_applied(store)
        with store.engine.begin() as connection:  # a change that nobody is told of
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
        until_applied(store, within=5.0)


def test_case_56_what_was_told_while_nobody_listened_is_found_at_the_next_connection(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail, poll_interval=60.0):
        until_applied(store)
        with store.engine.begin() as connection:
            killed = connection.scalars(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query = 'LISTEN desired'"
                )
            ).all()
        assert killed == [True]
        store.put(project("shop"), namespace="shop")
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


def test_case_53_what_the_store_does_not_take_bounds_what_is_done(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    for n in range(60):
        store.put(project(f"ns-{n}"), namespace=f"ns-{n}")
    health = Health()
    with store.engine.connect() as idle, idle.begin():
        idle.execute(text("LOCK TABLE apply_state IN EXCLUSIVE MODE"))
        with applying(store, contrail, health=health, load_limit=5):
            until(lambda: contrail.counters["POST", "project"] >= 5)
            time.sleep(1.0)
            assert contrail.counters["POST", "project"] <= (UNRECORDED + 1) * 5
            idle.rollback()
            until_applied(store)
    assert contrail.counters["POST", "project"] == 60


def test_case_53_a_pool_without_connections_is_told_and_waited_for(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    engine = connect(DatabaseSettings(url=url, connect_timeout=0.3), application="applier", pool_size=2)
    health = Health()
    settings = settings_for(url, contrail.url)
    with AppliedInBackground(settings, health=health, engine=engine):
        until(lambda: not health.why_not_ready())
        taken = []
        with pytest.raises(PoolTimeout):
            while True:
                taken.append(engine.connect())
        pods = shop(store, "web-0", "web-1")
        until(lambda: "QueuePool limit" in health.why_not_ready().get("record", ""), told=health.why_not_ready)
        for each in taken:
            each.close()
        until_applied(store)
        until(lambda: not health.why_not_ready())
    engine.dispose()
    assert store.observed().keys() == {p.address.uuid for p in pods}
    assert contrail.counters["POST", "virtual-machine"] == 2


def test_case_57_a_store_of_the_release_before_is_waited_for_until_it_is_migrated(
    postgres_server: EmbeddedPostgres, contrail: ContrailSimulator
) -> None:
    url = postgres_server.ensure_database("half_migrated")
    engine = connect(DatabaseSettings(url=url), application="tests")
    try:
        with engine.begin() as connection:
            command.upgrade(_config(connection), "0001")
        old = DesiredStore(engine)
        old.put(*BOOTSTRAP)
        health = Health()
        with applying(old, contrail, health=health):
            until(lambda: "at revision 0001" in health.why_not_ready().get("store", ""), told=health.why_not_ready)
            assert contrail.counters.total() == 0
            migrate(engine)
            until_applied(old)
    finally:
        engine.dispose()
        postgres_server.drop_database("half_migrated")
