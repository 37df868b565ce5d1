"""Public floating-ips: what address Contrail chose is read back, many at a time, and is asked for again."""

from __future__ import annotations

import pytest
import requests
from sqlalchemy import text

from applier.observe import ADDRESS, needs_address
from applier.rows import Row
from schemas.contrail.objects import ContrailObject, Reference
from schemas.identity import object_uuid
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, NETWORK, annotations, pod, project
from tests.applier.running import applying, until, until_applied

POOL = ContrailObject(
    "floating-ip-pool",
    (*NETWORK.fq_name, "public"),
    object_uuid("k8s", "floating-ip-pool", "public"),
    "virtual-network",
    {"annotations": annotations()},
    parent_uuid=NETWORK.uuid,
)


def floating_ip(name: str, **properties: str) -> ContrailObject:
    uuid = object_uuid("k8s", "floating-ip", name)
    marks = annotations(kind="Service", namespace="shop", name=name)
    return ContrailObject(
        "floating-ip",
        (*POOL.fq_name, f"{name}__{uuid}"),
        uuid,
        "floating-ip-pool",
        {"annotations": marks, "floating_ip_traffic_direction": "ingress", **properties},
        (Reference("project", HOME.fq_name, HOME.uuid),),
        parent_uuid=POOL.uuid,
    )


def row(wanted: ContrailObject, **more: bool) -> Row:
    return Row(wanted.uuid, 0, wanted.type, ":".join(wanted.fq_name), wanted.body(), 1, **more)


def test_only_an_address_that_contrail_chooses_is_read_back() -> None:
    assert needs_address(row(floating_ip("web")))
    assert not needs_address(row(floating_ip("web"), absent=True))
    assert not needs_address(row(floating_ip("web", floating_ip_address="10.32.0.9")))
    of_a_service = row(floating_ip("web"))
    of_a_service.body["parent_type"] = "instance-ip"  # type: ignore[index]
    assert not needs_address(of_a_service)
    assert set(ADDRESS) == {"instance-ip", "floating-ip"}


def listings(contrail: ContrailSimulator) -> int:
    return contrail.counters.get(("POST", "list-bulk-collection"), 0)


@pytest.mark.postgres
def test_many_addresses_are_read_with_few_calls_and_none_for_those_that_were_asked_for(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    chosen = [floating_ip(f"web-{number}") for number in range(20)]
    asked = floating_ip("asked", floating_ip_address="10.40.0.9")
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP, POOL)
    with applying(store, contrail, address_linger=0.2):
        until_applied(store)
        before = listings(contrail)
        store.put(project("shop"), *web.objects, *chosen, asked, namespace="shop")
        until_applied(store)
    observed = store.observed()
    assert observed.keys() == {web.address.uuid, *(each.uuid for each in chosen)}
    live = {each["uuid"]: each["floating_ip_address"] for each in contrail.objects("floating-ip")}
    assert {each.uuid: live[each.uuid] for each in chosen} == {
        each.uuid: observed[each.uuid]["address"] for each in chosen
    }
    assert observed[chosen[0].uuid]["family"] == 4
    assert live[asked.uuid] == "10.40.0.9"
    assert listings(contrail) - before <= 6, "of both types, several at a time"


@pytest.mark.postgres
def test_a_floating_ip_that_was_lost_gets_the_address_that_it_had(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    first, second = floating_ip("first"), floating_ip("second")
    store.put(*BOOTSTRAP, POOL)
    with applying(store, contrail):
        until_applied(store)
        for each in (first, second):
            store.put(each)
            until_applied(store)
        addresses = {uuid: body["address"] for uuid, body in store.observed().items()}
        for each in (second, first):  # freed in this order, they would be given out the other way round
            assert requests.delete(f"{contrail.url}/floating-ip/{each.uuid}", timeout=5).status_code == 200
        with store.engine.begin() as connection:
            connection.execute(
                text("UPDATE apply_state SET status = 'pending', next_attempt_at = now() WHERE object_uuid = :uuid"),
                [{"uuid": each.uuid} for each in (first, second)],
            )
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until(lambda: len(contrail.objects("floating-ip")) == 2)
        until_applied(store)
    assert {uuid: body["address"] for uuid, body in store.observed().items()} == addresses
    live = {each["uuid"]: each["floating_ip_address"] for each in contrail.objects("floating-ip")}
    assert live == addresses


@pytest.mark.postgres
def test_an_address_that_an_older_version_did_not_read_is_read_at_the_start(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    web = floating_ip("web")
    store.put(*BOOTSTRAP, POOL, web)
    with applying(store, contrail):
        until_applied(store)
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM observed_object"))
    made = contrail.counters.get(("POST", "floating-ips"), 0)
    with applying(store, contrail):
        until(lambda: web.uuid in store.observed())
        until_applied(store)
    assert contrail.counters.get(("POST", "floating-ips"), 0) == made
