"""References that Links add to objects of ours stay when those are written, and go with their Links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from applier.links import Beside, Links, beside, made_by_links
from applier.rows import Row
from schemas.contrail.objects import ContrailObject, Link, Reference, joined
from schemas.identity import object_uuid
from simulators.contrail.server import ContrailSimulator
from tests.applier.audit.world import World
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, NETWORK, annotations
from tests.applier.running import applying, until_applied

SEQUENCE = {"sequence": {"major": 0, "minor": 0}}


def policy(name: str) -> ContrailObject:
    fq_name = (*HOME.fq_name, name)
    uuid = object_uuid("k8s", "network-policy", name)
    properties = {"annotations": annotations()}
    return ContrailObject("network-policy", fq_name, uuid, "project", properties, parent_uuid=HOME.uuid)


OWN, OTHER, BY_NAME, BY_UUID = (policy(name) for name in ("own", "other", "by-name", "by-uuid"))


def link(target: ContrailObject, *, owner_uuid: str | None = None) -> Link:
    return Link(
        NETWORK.type, NETWORK.fq_name, target.type, target.fq_name, target.uuid, owner_uuid=owner_uuid, attr=SEQUENCE
    )


LINKS = (link(BY_NAME), link(BY_UUID, owner_uuid=NETWORK.uuid))


def network(*policies: ContrailObject, **properties: Any) -> ContrailObject:
    """The pod network under these policies."""
    references = (*NETWORK.references, *(Reference(p.type, p.fq_name, p.uuid, SEQUENCE) for p in policies))
    return replace(NETWORK, properties={**NETWORK.properties, **properties}, references=references)


def policies_of(contrail: ContrailSimulator) -> set[str]:
    found = contrail.find("virtual-network", *NETWORK.fq_name)
    assert found is not None
    return {ref["to"][-1] for ref in found.get("network_policy_refs") or ()}


def linked_network(store: DesiredStore) -> None:
    store.put(*BOOTSTRAP, network(OWN), OWN, OTHER, BY_NAME, BY_UUID, *LINKS)


def test_what_a_write_would_take_away_is_what_the_row_does_not_name() -> None:
    row = Row(NETWORK.uuid, 0, NETWORK.type, joined(NETWORK.fq_name), network(OWN).body(), 1)
    live = {
        "network_policy_refs": [
            {"to": list(OWN.fq_name), "uuid": OWN.uuid},
            {"to": list(OTHER.fq_name), "uuid": OTHER.uuid},
        ],
        "tag_refs": None,
        "routing_instance_refs": [{"to": ["ri"], "uuid": "r"}],  # of no field that we write
    }
    assert beside(row, live) == [Beside(NETWORK.type, joined(NETWORK.fq_name), OTHER.type, OTHER.uuid)]


@pytest.mark.postgres
def test_a_network_keeps_the_policies_that_links_add_whatever_is_written_to_it(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        linked_network(store)
        until_applied(store)
        assert policies_of(contrail) == {"own", "by-name", "by-uuid"}
        writes = contrail.counters["PUT", "virtual-network"]
        store.put(network(OWN, flood_unknown_unicast=True))
        until_applied(store)
        store.put(network(OTHER, flood_unknown_unicast=True))
        until_applied(store)
        assert contrail.counters["PUT", "virtual-network"] == writes + 2
        assert policies_of(contrail) == {"other", "by-name", "by-uuid"}
        store.put(network(flood_unknown_unicast=True))
        until_applied(store)
        assert policies_of(contrail) == {"by-name", "by-uuid"}


@pytest.mark.postgres
def test_an_equal_network_with_links_is_not_written(store: DesiredStore, contrail: ContrailSimulator) -> None:
    with applying(store, contrail):
        linked_network(store)
        until_applied(store)
        writes = contrail.counters["PUT", "virtual-network"]
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
        assert contrail.counters["PUT", "virtual-network"] == writes


@pytest.mark.postgres
def test_a_reference_goes_with_its_link_and_what_no_link_makes_is_taken_away(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    with applying(store, contrail):
        linked_network(store)
        until_applied(store)
        store.remove(LINKS[0])
        until_applied(store)
        assert policies_of(contrail) == {"own", "by-uuid"}
    contrail.ask(lambda state: state.refer(state[NETWORK.uuid], "network_policy_refs", BY_NAME.uuid, SEQUENCE))
    with applying(store, contrail):
        store.put(network(OWN, flood_unknown_unicast=True))
        until_applied(store)
        assert policies_of(contrail) == {"own", "by-uuid"}


@pytest.mark.postgres
def test_an_audit_takes_references_of_links_for_no_change_and_finds_others(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    world = World(store_engine, contrail)
    store = world.store.desired
    linked_network(store)
    world.apply()
    assert (world.audit(repair=True).left, world.findings()) == (0, {})
    world.contrail.ask(lambda state: state.refer(state[NETWORK.uuid], "network_policy_refs", OTHER.uuid, SEQUENCE))
    world.audit(repair=True)
    assert world.findings() == {f"virtual-network {joined(NETWORK.fq_name)}": "changed"}
    world.apply()
    assert policies_of(world.contrail) == {"own", "by-name", "by-uuid"}
    assert world.audit().left == 0


@pytest.mark.postgres
def test_a_target_that_was_adopted_is_found_under_the_uuid_that_it_has(
    store: DesiredStore, store_engine: Engine
) -> None:
    linked_network(store)
    theirs = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0009"
    with store_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO adopted_object VALUES (:uuid, 'k8s', :theirs, :name)"),
            {"uuid": BY_NAME.uuid, "theirs": theirs, "name": joined(BY_NAME.fq_name)},
        )
        found = Beside(NETWORK.type, joined(NETWORK.fq_name), BY_NAME.type, theirs)
        assert made_by_links(connection, [found, replace(found, target_uuid=OTHER.uuid)]) == {found}
    row = Row(NETWORK.uuid, 0, NETWORK.type, joined(NETWORK.fq_name), network(OWN).body(), 1)
    live = {"network_policy_refs": [{"to": list(BY_NAME.fq_name), "uuid": theirs}]}
    assert Links(store_engine).targets(row, live) == {theirs}
