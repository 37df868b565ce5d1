"""Rows that an adopted object serves: what is loaded, what is called, what is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from applier.aliases import as_known
from applier.outcome import Outcome, Verdict
from applier.record import record
from applier.results import result_of
from applier.rows import HELD_BACK, Alias, Result, Row, Status
from applier.settings import ApplierSettings
from applier.work import load
from schemas.contrail.objects import joined
from schemas.store.tables import SHARDS
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, NETWORK, pod, project
from tests.applier.test_writer import OTHER, Contrail, row, writer_of

WEB = pod("shop", "web-0")
NAME = ["default-domain", "k8s-shop", "web-0__there"]
KEPT = {"virtual_machine_interface_mac_addresses": {"mac_address": ["02:00:00:00:00:09"]}, "tag_refs": None}
ALIAS = Alias(WEB.interface.uuid, WEB.interface.type, joined(WEB.interface.fq_name), OTHER, ":".join(NAME), KEPT)
TAG = {"to": ["app=web"], "uuid": "t", "attr": None}


def adopted(*, absent: bool = False) -> Row:
    return as_known(row(WEB.interface, absent=absent), {WEB.interface.uuid: ALIAS})


def there(**more: Any) -> dict[str, Any]:
    """The interface as Contrail has it: as desired, but for what it keeps."""
    fields = {
        "uuid": OTHER,
        "fq_name": NAME,
        **WEB.interface.properties,
        **KEPT,
        "virtual_machine_refs": [{"to": list(WEB.machine.fq_name), "uuid": WEB.machine.uuid, "attr": None}],
        "virtual_network_refs": [{"to": list(NETWORK.fq_name), "uuid": NETWORK.uuid, "attr": None}],
        "tag_refs": [TAG],
    }
    return {WEB.interface.type: {**fields, **more}}


def test_an_adopted_object_is_looked_at_under_its_uuid_and_what_it_keeps_is_no_difference() -> None:
    contrail = Contrail((f"GET /virtual-machine-interface/{OTHER}", 200, there()))
    with writer_of(contrail) as writer:
        assert writer.apply(adopted()).outcome.verdict is Verdict.DONE
    assert contrail.writes == []


def test_what_differs_otherwise_is_written_to_it() -> None:
    contrail = Contrail(("GET ", 200, there(annotations=None)), (f"PUT /virtual-machine-interface/{OTHER}", 200, {}))
    with writer_of(contrail) as writer:
        assert writer.apply(adopted()).outcome.verdict is Verdict.DONE
    assert contrail.seen[-1][1]["virtual-machine-interface"].keys() == {"annotations"}


def test_one_that_is_gone_is_lost_and_not_made_under_its_uuid() -> None:
    contrail = Contrail(("GET ", 404, f"Unknown id: {OTHER}"))
    with writer_of(contrail) as writer:
        outcome = writer.apply(adopted()).outcome
    assert (outcome.verdict, "is gone from Contrail" in outcome.reason) == (Verdict.LOST, True)


def test_the_delete_goes_to_it() -> None:
    contrail = Contrail((f"DELETE /virtual-machine-interface/{OTHER}", 200, ""))
    with writer_of(contrail) as writer:
        assert writer.apply(adopted(absent=True)).outcome.verdict is Verdict.DONE


def test_what_is_lost_is_due_at_once_whatever_was_tried_before() -> None:
    tried = replace(adopted(), attempts=7, status="pending")
    result = result_of(tried, Outcome(Verdict.LOST, "gone"), settings=ApplierSettings(), jitter=0.0)
    assert (result.status, result.lost, result.delay, result.attempts) == (Status.PENDING, True, 0.0, 0)


def adopt(store: DesiredStore, uuid: str, contrail_uuid: str, name: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO adopted_object (uuid, cluster, contrail_uuid, contrail_fq_name) "
                "VALUES (:uuid, 'k8s', :there, :name)"
            ),
            {"uuid": uuid, "there": contrail_uuid, "name": name},
        )


def loaded(store: DesiredStore) -> dict[str, Row]:
    with store.engine.connect() as connection:
        return {r.uuid: r for r in load(connection, cluster=CLUSTER, shards=range(SHARDS)).rows}


@pytest.mark.postgres
def test_a_load_brings_rows_as_contrail_knows_them(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *WEB.objects, namespace="shop")
    assert all(found.alias is None for found in loaded(store).values())
    adopt(store, NETWORK.uuid, OTHER, joined(NETWORK.fq_name))
    rows = loaded(store)
    assert rows[NETWORK.uuid].contrail_uuid == OTHER
    assert [r["uuid"] for r in rows[WEB.address.uuid].body["references"] if r["type"] == "virtual-network"] == [OTHER]
    assert rows[HOME.uuid].alias is None


@pytest.mark.postgres
def test_a_lost_object_takes_its_alias_along_and_what_refers_to_it_is_written_again(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *WEB.objects, namespace="shop")
    adopt(store, NETWORK.uuid, OTHER, joined(NETWORK.fq_name))
    rows = loaded(store)
    record(store.engine, [Result(found, Status.APPLIED) for found in rows.values()])
    assert not store.unfinished()
    with store.engine.begin() as connection:  # as the audit leaves it when it finds it missing
        again = text("UPDATE apply_state SET status = 'pending' WHERE object_uuid = :uuid")
        connection.execute(again, {"uuid": NETWORK.uuid})
    recorded = record(store.engine, [Result(rows[NETWORK.uuid], Status.PENDING, "gone", lost=True)])
    assert recorded.freed
    states = store.states()
    assert states[NETWORK.uuid].applied_generation is None
    pending = {uuid for uuid, state in states.items() if state.status == "pending"}
    assert pending == {NETWORK.uuid, WEB.interface.uuid, WEB.address.uuid}
    assert loaded(store)[NETWORK.uuid].alias is None


@pytest.mark.postgres
def test_what_holds_an_object_is_named_by_its_row_also_where_it_was_adopted(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP)
    adopt(store, NETWORK.uuid, OTHER, joined(NETWORK.fq_name))
    rows = loaded(store)
    held = Result(rows[HOME.uuid], Status.BLOCKED, "409", 1, 1.0, holders=(("virtual-network", OTHER),))
    record(store.engine, [held])
    assert store.states()[HOME.uuid].reason == f"not deleted yet: held by virtual-network {joined(NETWORK.fq_name)}"


@pytest.mark.postgres
def test_an_alias_goes_with_its_row(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP)
    adopt(store, NETWORK.uuid, OTHER, joined(NETWORK.fq_name))
    store.remove(NETWORK)
    (going,) = [found for found in loaded(store).values() if found.absent]
    assert going.contrail_uuid == OTHER
    record(store.engine, [Result(going, Status.APPLIED)])
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM adopted_object")) == 0


@pytest.mark.postgres
def test_what_adoption_holds_back_is_not_let_go_by_a_result_that_was_under_way(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP)
    rows = loaded(store)
    with store.engine.begin() as connection:
        held = text("UPDATE apply_state SET status = 'dead', reason = :reason WHERE object_uuid = :uuid")
        connection.execute(held, {"uuid": NETWORK.uuid, "reason": f"{HELD_BACK}two of them"})
    record(store.engine, [Result(rows[NETWORK.uuid], Status.BLOCKED, "waits")])
    assert store.states()[NETWORK.uuid].status == "dead"
    record(store.engine, [Result(rows[NETWORK.uuid], Status.APPLIED)])
    assert store.states()[NETWORK.uuid].status == "applied"
