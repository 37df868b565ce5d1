"""Loading work from a real store, and recording what came of it."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import Engine, text

from applier.plan import plan
from applier.record import record
from applier.rows import Result, Row, Status
from applier.shards import Shards
from applier.work import Work, load
from schemas.identity import shard_of
from schemas.store.tables import SHARDS
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, IPAM, NETWORK, Pod, pod, project
from tests.applier.running import until

pytestmark = pytest.mark.postgres
ALL = range(SHARDS)


@pytest.fixture
def store(store_engine: Engine) -> DesiredStore:
    return DesiredStore(store_engine)


def due(store: DesiredStore, *, held: dict[str, int] | None = None, limit: int = 1000) -> Work:
    with store.engine.connect() as connection:
        return load(connection, cluster=CLUSTER, shards=ALL, held=held, limit=limit)


def rows_of(work: Work) -> dict[str, Row]:
    return {row.uuid: row for row in work.rows}


def applied(*rows: Row) -> list[Result]:
    return [Result(row, Status.APPLIED) for row in rows]


def finish(store: DesiredStore) -> None:
    record(store.engine, applied(*due(store).rows))


def shop(store: DesiredStore) -> Pod:
    """A pod and all that it needs, put into the store."""
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *web.objects, namespace="shop")
    return web


def test_loads_what_is_due_with_its_edges(store: DesiredStore) -> None:
    web = shop(store)
    work = due(store)
    assert rows_of(work).keys() == {o.uuid for o in (*BOOTSTRAP, project("shop"), *web.objects)}
    order = [step.row.uuid for step in plan(work.rows, work.edges, work.neighbours).steps]
    for later, earlier in (
        (web.interface, web.machine),
        (web.address, web.interface),
        (web.interface, NETWORK),
        (NETWORK, IPAM),
        (IPAM, HOME),
        (web.link, web.machine),
    ):
        assert order.index(earlier.uuid) < order.index(later.uuid)


def test_applied_work_is_not_loaded_again(store: DesiredStore) -> None:
    shop(store)
    finish(store)
    work = due(store)
    assert not work.rows
    assert work.next_due is None


def test_a_new_generation_is_loaded_with_the_one_that_was_applied(store: DesiredStore) -> None:
    web = shop(store)
    finish(store)
    changed = pod("shop", "web-0", labels='{"app": "web"}')
    store.put(*changed.objects, namespace="shop")
    (row,) = due(store).rows
    assert (row.uuid, row.generation, row.applied_generation) == (web.machine.uuid, 2, 1)


def test_what_is_held_is_left_out_but_not_its_newer_generation(store: DesiredStore) -> None:
    store.put(HOME)
    assert not due(store, held={HOME.uuid: 1}).rows
    store.remove(HOME)
    (row,) = due(store, held={HOME.uuid: 1}).rows
    assert row.absent
    assert row.generation == 2


def test_other_clusters_and_other_shards_are_not_ours(store: DesiredStore) -> None:
    shop(store)
    with store.engine.connect() as connection:
        assert not load(connection, cluster="other", shards=ALL).rows
        shard = shard_of("shop", SHARDS)
        others = [s for s in ALL if s != shard]
        assert all(row.shard != shard for row in load(connection, cluster=CLUSTER, shards=others).rows)


def test_what_due_work_needs_comes_along_beyond_the_limit(store: DesiredStore) -> None:
    shop(store)
    with store.engine.begin() as connection:  # the children first, as bad luck may have it
        connection.execute(
            text(
                "UPDATE apply_state SET next_attempt_at = now() - interval '1 hour' FROM desired_object d "
                "WHERE d.uuid = object_uuid AND d.type = 'instance-ip'"
            )
        )
    work = due(store, limit=1)
    planned = plan(work.rows, work.edges, work.neighbours)
    assert work.more
    assert not planned.blocked
    assert planned.steps[-1].row.type == "instance-ip"


def test_case_72_an_address_is_given_back_after_the_node_let_go_of_the_port(store: DesiredStore) -> None:
    web = shop(store)
    finish(store)
    store.remove(*web.objects)
    work = due(store)
    order = [step.row.uuid for step in plan(work.rows, work.edges, work.neighbours).steps]
    assert order == [o.uuid for o in (web.link, web.address, web.interface, web.machine)]
    (link,) = [row for row in work.rows if row.uuid == web.link.uuid]
    record(store.engine, [Result(link, Status.PENDING, "no answer", 1, 60.0)])
    work = due(store)
    planned = plan(work.rows, work.edges, work.neighbours)
    assert not planned.steps
    (reason,) = [b.reason for b in planned.blocked if b.row.uuid == web.address.uuid]
    assert reason.startswith("waits for the deletion of link from virtual-router")


def test_work_that_is_not_due_blocks_by_name(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    record(store.engine, [Result(rows[web.machine.uuid], Status.FAILED, "quota", 1, delay=60.0)])
    work = due(store)
    planned = plan(work.rows, work.edges, work.neighbours)
    reasons = {blocked.row.uuid: blocked.reason for blocked in planned.blocked}
    assert reasons[web.interface.uuid] == "waits for virtual-machine k8s__shop__web-0"
    assert work.next_due is not None and 50 < work.next_due <= 60


def test_a_result_counts_only_for_its_generation(store: DesiredStore) -> None:
    store.put(HOME)
    (row,) = due(store).rows
    store.remove(HOME)
    found = record(store.engine, applied(row))
    assert (found.stored, found.stale) == (0, 1)
    assert store.states()[HOME.uuid].status == "pending"


def test_rows_that_are_gone_go_for_good(store: DesiredStore) -> None:
    web = shop(store)
    finish(store)
    store.remove(*web.objects)
    finish(store)
    assert not store.states().keys() & {o.uuid for o in web.objects}
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM desired_edge")) == 3  # the network's and its parents'


def test_a_row_that_came_back_meanwhile_stays(store: DesiredStore) -> None:
    store.put(HOME)
    finish(store)
    store.remove(HOME)
    (row,) = due(store).rows
    store.put(HOME)
    assert record(store.engine, applied(row)).stale == 1
    (back,) = due(store).rows
    assert (back.absent, back.generation) == (False, 3)


def test_failures_are_recorded_with_reason_attempts_and_time(store: DesiredStore) -> None:
    store.put(HOME)
    (row,) = due(store).rows
    record(store.engine, [Result(row, Status.FAILED, "Contrail answered 400: no", 3, delay=30.0)])
    state = store.states()[HOME.uuid]
    assert (state.status, state.attempts, state.reason) == ("failed", 3, "Contrail answered 400: no")
    assert state.applied_generation is None
    assert not due(store).rows


def test_success_clears_the_reason_and_keeps_the_last_error(store: DesiredStore) -> None:
    store.put(HOME)
    (row,) = due(store).rows
    record(store.engine, [Result(row, Status.FAILED, "no", 1, delay=0.0)])
    finish(store)
    state = store.states()[HOME.uuid]
    assert (state.status, state.attempts, state.reason, state.last_error) == ("applied", 0, "", "no")
    assert state.applied_generation == 1


def test_dead_rows_are_left_alone(store: DesiredStore) -> None:
    store.put(HOME)
    (row,) = due(store).rows
    record(store.engine, [Result(row, Status.DEAD, "no", 8)])
    work = due(store)
    assert not work.rows
    assert work.next_due is None


def test_addresses_are_recorded_once_and_told(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    body = {"address": "10.47.255.252", "prefix_len": 12}
    result = Result(rows[web.address.uuid], Status.APPLIED, observation=body)
    with store.engine.connect() as listener:
        listener.exec_driver_sql("LISTEN observed")
        listener.commit()
        record(store.engine, [result])
        record(store.engine, [result])
        driver = listener.connection.driver_connection
        assert driver is not None
        until(lambda: driver.poll() or driver.notifies)
        assert {n.channel for n in driver.notifies} == {"observed"}
    assert store.observed() == {web.address.uuid: body}


def test_an_address_goes_with_its_object(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    record(store.engine, [Result(rows[web.address.uuid], Status.APPLIED, observation={"address": "10.47.255.252"})])
    store.remove(web.address)
    finish(store)
    assert store.observed() == {}


def test_a_delete_that_ends_when_its_object_was_made_anew_leaves_it_in_doubt(store: DesiredStore) -> None:
    machine = pod("shop", "web-0").machine
    store.put(machine, namespace="shop")
    finish(store)
    store.remove(machine)
    going = rows_of(due(store))[machine.uuid]
    store.put(machine, namespace="shop")
    assert not rows_of(due(store))[machine.uuid].in_place
    finish(store)
    assert not due(store).rows
    record(store.engine, applied(going))  # by another applier, whose call took long
    (again,) = due(store).rows
    assert not again.in_place


def test_what_waited_for_a_row_is_due_when_it_is_done(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    waiting = [Result(rows[o.uuid], Status.BLOCKED, "waits", 9, 60.0) for o in (web.interface, web.address)]
    record(store.engine, waiting)
    found = record(store.engine, applied(rows[web.machine.uuid]))
    assert found.freed == {shard_of("shop", SHARDS)}
    now_due = rows_of(due(store))
    assert web.interface.uuid in now_due
    assert web.address.uuid not in now_due


def test_a_new_holder_of_a_name_is_due_when_the_old_one_is_gone(store: DesiredStore) -> None:
    old = pod("shop", "web-0").machine
    new = pod("shop", "web-0", uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001").machine
    store.put(old, namespace="shop")
    finish(store)
    store.remove(old)
    store.put(new, namespace="shop")
    rows = rows_of(due(store))
    steps = [step.row.uuid for step in plan(tuple(rows.values())).steps]
    assert steps == [old.uuid, new.uuid]
    record(store.engine, [Result(rows[new.uuid], Status.BLOCKED, "waits", 1, 60.0)])
    record(store.engine, applied(rows[old.uuid]))
    assert rows_of(due(store)).keys() == {new.uuid}


def test_the_leaving_holder_of_a_name_is_known_although_it_is_not_due(store: DesiredStore) -> None:
    old = pod("shop", "web-0").machine
    new = pod("shop", "web-0", uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001").machine
    store.put(old, namespace="shop")
    finish(store)
    store.remove(old)
    (row,) = due(store).rows
    record(store.engine, [Result(row, Status.BLOCKED, "held", 1, 60.0)])
    store.put(new, namespace="shop")
    work = due(store)
    (blocked,) = plan(work.rows, work.edges, work.neighbours).blocked
    assert blocked.reason == "waits until the earlier virtual-machine k8s__shop__web-0 is deleted"


def test_holders_of_a_delete_are_named(store: DesiredStore) -> None:
    web = shop(store)
    rows = rows_of(due(store))
    foreign = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0009"
    holders = (("virtual-machine-interface", web.interface.uuid), ("logical-router", foreign))
    record(store.engine, [Result(rows[web.machine.uuid], Status.BLOCKED, "409", 1, 1.0, holders=holders)])
    assert store.states()[web.machine.uuid].reason == (
        f"not deleted yet: held by virtual-machine-interface {':'.join(web.interface.fq_name)}, "
        f"logical-router {foreign} (not in the store)"
    )


def test_case_55_recording_twice_changes_nothing(store: DesiredStore) -> None:
    web = shop(store)
    finish(store)
    store.remove(web.link)
    results = applied(*due(store).rows)
    assert record(store.engine, results).stored == 1
    before = store.states()
    assert record(store.engine, results).stored == 0
    assert store.states() == before


def test_case_54_two_writers_of_the_same_rows_both_end(store: DesiredStore) -> None:
    pods = [pod("shop", f"web-{n}") for n in range(40)]
    store.put(*(p.machine for p in pods), namespace="shop")
    rows = due(store).rows
    failures: list[BaseException] = []

    def write(ordered: list[Row]) -> None:
        try:
            for n in range(15):
                with store.engine.begin() as connection:
                    for row in ordered:  # the translator's order is not ours: deadlocks are the rule here
                        connection.execute(
                            text("UPDATE apply_state SET reason = :n WHERE object_uuid = :u"),
                            {"n": str(n), "u": row.uuid},
                        )
        except Exception as error:
            if "deadlock" not in str(error):
                failures.append(error)

    other = threading.Thread(target=write, args=(sorted(rows, key=lambda r: r.uuid, reverse=True),))
    other.start()
    for _ in range(15):
        record(store.engine, [Result(row, Status.FAILED, "no", 1, 0.0) for row in rows])
    other.join(60.0)
    assert not other.is_alive()
    assert not failures


def test_case_71_a_shard_has_one_holder_and_passes_on_when_it_ends(store_engine: Engine) -> None:
    first = Shards(store_engine, cluster=CLUSTER, interval=0.0)
    second = Shards(store_engine, cluster=CLUSTER, interval=0.0)
    with first.session():
        pass
    with second.session():
        assert first.held == frozenset(ALL)
        assert second.held == frozenset()
    first.close()
    # The server frees the locks when it notices that the session is gone, which is soon but not at once.
    deadline = time.monotonic() + 10
    while second.held != frozenset(ALL) and time.monotonic() < deadline:
        with second.session():
            pass
    assert second.held == frozenset(ALL)
    second.close()


def test_appliers_share_shards_and_clusters_do_not_meet(store_engine: Engine) -> None:
    half = Shards(store_engine, cluster=CLUSTER, most=8)
    rest = Shards(store_engine, cluster=CLUSTER, most=16)
    other = Shards(store_engine, cluster="other")
    for shards in (half, rest, other):
        with shards.session():
            pass
    assert len(half.held) == 8
    assert half.held | rest.held == frozenset(ALL)
    assert not half.held & rest.held
    assert other.held == frozenset(ALL)
    for shards in (half, rest, other):
        shards.close()


def test_case_52_lost_session_means_lost_shards(store_engine: Engine) -> None:
    shards = Shards(store_engine, cluster=CLUSTER, interval=0.0)
    with shards.session() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with store_engine.connect() as killer:
        killer.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        killer.commit()
    with pytest.raises(Exception, match="could not take shards"), shards.session() as connection:
        connection.execute(text("SELECT 1"))
    assert shards.held == frozenset()
    with shards.session():
        assert shards.held == frozenset(ALL)
    shards.close()
