"""Nothing waits for what is done already, whoever did it and whenever."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from applier.plan import Plan, plan
from applier.record import record
from applier.results import blocked_by
from applier.rows import Result, Row, Status
from applier.settings import ApplierSettings
from applier.work import Work, load
from schemas.contrail.objects import ContrailObject
from schemas.identity import shard_of
from schemas.store.tables import SHARDS
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, NETWORK, Pod, pod, project
from tests.applier.running import until

pytestmark = pytest.mark.postgres
SHOP = shard_of("shop", SHARDS)
LONG = ApplierSettings(backoff_first=60.0)


@pytest.fixture
def store(store_engine: Engine) -> DesiredStore:
    return DesiredStore(store_engine)


def due(store: DesiredStore, held: dict[str, int] | None = None) -> Work:
    with store.engine.connect() as connection:
        return load(connection, cluster=CLUSTER, shards=range(SHARDS), held=held)


def rows_of(work: Work) -> dict[str, Row]:
    return {row.uuid: row for row in work.rows}


def applied(*rows: Row) -> list[Result]:
    return [Result(row, Status.APPLIED) for row in rows]


def blocked(*rows: Row) -> list[Result]:
    return [blocked_by(row, "waits", settings=LONG, jitter=0.9) for row in rows]


def shop(store: DesiredStore) -> Pod:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *web.objects, namespace="shop")
    return web


def test_what_became_possible_before_it_was_recorded_as_blocked_is_due(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    others = [row for row in rows.values() if row.uuid not in {web.interface.uuid, web.address.uuid}]
    record(store.engine, applied(*others))  # by another applier, after we found the interface blocked
    found = record(store.engine, blocked(rows[web.interface.uuid], rows[web.address.uuid]))
    assert found.freed == {SHOP}
    assert rows_of(until(lambda: (work := due(store)).rows and work)).keys() == {web.interface.uuid}


def test_what_contrail_itself_makes_wait_keeps_its_back_off(store: DesiredStore) -> None:
    store.put(HOME)
    (row,) = due(store).rows
    found = record(store.engine, [Result(row, Status.BLOCKED, "quota", 1, 60.0)])
    assert not found.freed


def test_what_is_blocked_stays_so_while_any_blocker_is_left(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    record(store.engine, applied(rows[web.machine.uuid]))  # project and network are still to come
    assert not record(store.engine, blocked(rows[web.interface.uuid])).freed


def test_recording_as_blocked_awaits_a_commit_under_way_on_what_blocks(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    record(store.engine, applied(*(rows[o.uuid] for o in (*BOOTSTRAP, project("shop")))))
    freed: list[frozenset[int]] = []
    late = threading.Thread(
        target=lambda: freed.append(record(store.engine, blocked(rows[web.interface.uuid])).freed), daemon=True
    )
    with store.engine.begin() as rival:
        rival.execute(
            text("UPDATE apply_state SET status = 'applied', applied_generation = 1 WHERE object_uuid = :uuid"),
            {"uuid": web.machine.uuid},
        )
        late.start()
        until(lambda: waiting_for_a_lock(store))
    late.join(20.0)
    assert freed == [{SHOP}]


def test_a_delete_that_waits_for_the_rest_of_a_pod_is_due_when_that_went_before(store: DesiredStore) -> None:
    web = shop(store)
    record(store.engine, applied(*due(store).rows))
    store.remove(*web.objects)
    rows = rows_of(due(store))
    record(store.engine, applied(rows[web.link.uuid], rows[web.address.uuid]))
    found = record(store.engine, blocked(rows[web.interface.uuid], rows[web.machine.uuid]))
    assert found.freed == {SHOP}
    assert rows_of(until(lambda: (work := due(store)).rows and work)).keys() == {web.interface.uuid}


def test_an_address_that_waits_for_its_link_is_due_when_the_link_is_gone(store: DesiredStore) -> None:
    web = shop(store)
    record(store.engine, applied(*due(store).rows))
    store.remove(web.link, web.address)
    rows = rows_of(due(store))
    record(store.engine, [Result(rows[web.link.uuid], Status.PENDING, "no answer", 1, 60.0)])
    work = due(store)
    planned = plan(work.rows, work.edges, work.neighbours)
    assert [found.row.uuid for found in planned.blocked] == [web.address.uuid]
    assert not record(store.engine, blocked(rows[web.address.uuid])).freed
    assert record(store.engine, applied(rows[web.link.uuid])).freed == {SHOP}
    assert rows_of(due(store)).keys() == {web.address.uuid}


def test_a_new_holder_of_a_name_is_due_when_the_old_one_went_before(store: DesiredStore) -> None:
    old = pod("shop", "web-0").machine
    new = pod("shop", "web-0", uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001").machine
    store.put(old, namespace="shop")
    record(store.engine, applied(*due(store).rows))
    store.remove(old)
    store.put(new, namespace="shop")
    rows = rows_of(due(store))
    record(store.engine, applied(rows[old.uuid]))
    assert record(store.engine, blocked(rows[new.uuid])).freed == {SHOP}


def test_whatever_the_plan_blocks_is_not_released(store: DesiredStore) -> None:
    web, old = shop(store), pod("shop", "old-0")
    store.put(*old.objects, namespace="shop")
    everything = rows_of(due(store))
    left = {NETWORK.uuid, web.interface.uuid, web.address.uuid}
    record(store.engine, applied(*(row for row in everything.values() if row.uuid not in left)))
    store.remove(old.machine, old.link, old.interface)
    rows = rows_of(due(store))
    record(store.engine, [Result(rows[u], Status.FAILED, "no", 1, 60.0) for u in (NETWORK.uuid, old.link.uuid)])
    work = due(store)
    planned = plan(work.rows, work.edges, work.neighbours).blocked
    waiting = (web.interface, web.address, old.machine, old.interface)
    assert {found.row.uuid for found in planned} == {wanted.uuid for wanted in waiting}
    assert not record(store.engine, blocked(*(found.row for found in planned))).freed


def waiting_for_a_lock(store: DesiredStore) -> bool:
    with store.engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(connection.scalar(text(query)))


def planned(work: Work) -> Plan:
    return plan(work.rows, work.edges, work.neighbours)


def later(first: ContrailObject) -> ContrailObject:
    """A project that is to be written after that object, as it is wanted then."""
    return replace(project("later"), after=(first.uuid,))


def test_what_comes_after_another_object_waits_for_each_new_state_of_it(store: DesiredStore) -> None:
    first, changed = project("first"), replace(project("first"), properties={"display_name": "changed"})
    store.put(first, later(first), namespace="shop")
    rows = rows_of(due(store))
    record(store.engine, applied(rows[first.uuid]))
    assert not planned(due(store)).blocked
    store.put(changed, namespace="shop")
    [found] = planned(due(store, held={first.uuid: 2})).blocked  # by another applier: not among the rows
    assert (found.row.uuid, found.reason) == (later(first).uuid, f"waits for project {':'.join(first.fq_name)}")
    assert not record(store.engine, blocked(found.row)).freed
    second = rows_of(due(store))[first.uuid]
    assert second.in_place
    assert record(store.engine, applied(second)).freed == {SHOP}
    assert not planned(due(store)).blocked


def test_what_waits_for_a_state_that_was_applied_meanwhile_is_due(store: DesiredStore) -> None:
    first = project("first")
    store.put(first, later(first), namespace="shop")
    rows = rows_of(due(store))
    record(store.engine, applied(rows[first.uuid]))
    assert record(store.engine, blocked(rows[later(first).uuid])).freed == {SHOP}


def test_what_goes_is_known_to_that_which_had_to_stand_first(store: DesiredStore) -> None:
    first, changed = project("first"), replace(project("first"), properties={"display_name": "changed"})
    store.put(first, later(first), namespace="shop")
    record(store.engine, applied(*due(store).rows))
    store.remove(later(first))
    store.put(changed, namespace="shop")
    assert [step.row.uuid for step in planned(due(store)).steps] == [later(first).uuid, first.uuid]


def test_what_comes_after_something_that_nobody_asks_for_waits_until_somebody_does(store: DesiredStore) -> None:
    first = project("first")
    store.put(later(first), namespace="shop")
    [found] = planned(due(store)).blocked
    assert found.reason == f"waits for object {first.uuid}"
    assert not record(store.engine, blocked(found.row)).freed
    store.put(first, namespace="shop")
    row = rows_of(due(store))[first.uuid]
    assert record(store.engine, applied(row)).freed == {SHOP}
    assert not planned(due(store)).blocked
