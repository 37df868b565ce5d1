"""Objects that cannot go on for now, or for good, and all others that do: cases 64, 66, 72 and 79."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import requests
from sqlalchemy import text

from schemas.contrail.objects import ContrailObject, Reference
from schemas.identity import object_uuid
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, CLUSTER, HOME, IPAM, NETWORK, Pod, annotations, pod, project
from tests.applier.running import applying, until, until_applied
from tests.applier.shop import fields_of, post, put_pods, shop

pytestmark = [pytest.mark.postgres, pytest.mark.process]


def test_case_64_a_foreign_holder_of_a_delete_is_named_and_waited_for(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        foreign = post(
            contrail,
            "instance-ip",
            fq_name=["foreign"],
            virtual_network_refs=[{"to": list(NETWORK.fq_name), "uuid": NETWORK.uuid}],
            virtual_machine_interface_refs=[{"to": list(web.interface.fq_name), "uuid": web.interface.uuid}],
        )
        store.remove(*web.objects)
        state = until(lambda: (s := store.states().get(web.interface.uuid)) and s.status == "blocked" and s)
        assert state.reason == f"not deleted yet: held by instance-ip {foreign} (not in the store)"
        until(lambda: store.states()[web.machine.uuid].status == "blocked")
        requests.delete(f"{contrail.url}/instance-ip/{foreign}", timeout=5)
        until(lambda: web.machine.uuid not in store.states(), told=store.unfinished)
    assert contrail.count("virtual-machine") == 0


def test_case_64_objects_that_need_each_other_are_reported_and_not_spun_on(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    shop(store, "web-0")
    one, two = pod("shop", "one"), pod("shop", "two")
    store.put(one.interface, two.interface, namespace="shop")
    with store.engine.begin() as connection:
        for a, b in ((one, two), (two, one)):
            connection.execute(
                text("INSERT INTO desired_edge VALUES (:a, :b, 'ref')"), {"a": a.interface.uuid, "b": b.interface.uuid}
            )
    with applying(store, contrail, backoff_limit=30.0, backoff_first=5.0):
        until(lambda: {store.states()[p.interface.uuid].status for p in (one, two)} == {"blocked"})
        until(lambda: len(store.unfinished()) == 2, told=store.unfinished)
        before = contrail.counters.total()
        assert "need each other" in store.states()[one.interface.uuid].reason
        time.sleep(0.5)
        assert contrail.counters.total() == before


def test_case_66_a_refused_object_is_parked_and_the_rest_goes_on(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    text_ = "Bad property in create: Error validating property x"
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/virtual-networks", None, status=400, text=text_))
    bad = ContrailObject(
        "virtual-network",
        (*HOME.fq_name, "bad"),
        object_uuid(CLUSTER, "virtual-network", "bad"),
        "project",
        {"annotations": annotations()},
        parent_uuid=HOME.uuid,
    )
    others = [project(f"ns-{n}") for n in range(20)]
    store.put(HOME, bad)
    for other in others:
        store.put(other, namespace=other.fq_name[-1])
    with applying(store, contrail, tries=3):
        until(lambda: store.states()[bad.uuid].status == "dead", told=store.unfinished)
        until(lambda: len(store.unfinished()) == 1, told=store.unfinished)
        state = store.states()[bad.uuid]
        assert (state.attempts, state.reason) == (3, f"Contrail answered 400: {text_}")
        asked = contrail.counters["POST", "virtual-network"]
        assert asked == 3
        contrail.faults.clear()
        store.put(ContrailObject(**{**fields_of(bad), "properties": {"annotations": annotations(fixed="yes")}}))
        until_applied(store)  # a new generation is a new chance


def test_case_72_addresses_come_back_last_of_all(store: DesiredStore, contrail: ContrailSimulator) -> None:
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", None, status=500, text="hiccup"))
        store.remove(*web.objects)
        until(lambda: (s := store.states().get(web.link.uuid)) and s.status == "failed")
        time.sleep(0.3)
        assert contrail.count("instance-ip") == 1
        contrail.faults.clear()
        until_applied(store)
    assert contrail.count("instance-ip") == 0


def test_case_79_pods_wait_for_an_address_and_get_it_when_one_is_freed(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    small = ContrailObject(
        **{
            **fields_of(IPAM),
            "properties": {
                **IPAM.properties,
                "ipam_subnets": {"subnets": [{"subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 29}}]},
            },
        }
    )
    pods = [pod("shop", f"web-{n}") for n in range(6)]
    store.put(HOME, small, NETWORK)
    put_pods(store, *pods)
    with applying(store, contrail):
        until(lambda: len(store.observed()) == 4)
        waiting = until(lambda: [p for p in pods if store.states()[p.address.uuid].status == "blocked"])
        until(lambda: len([p for p in pods if store.states()[p.address.uuid].status == "blocked"]) == 2)
        assert "has exhausted subnet" in store.states()[waiting[0].address.uuid].reason
        time.sleep(1.0)
        assert "dead" not in store.statuses().values()
        lucky = next(p for p in pods if p.address.uuid in store.observed())
        store.remove(*lucky.objects)
        until(lambda: len(store.observed()) == 4 and lucky.address.uuid not in store.observed())
        store.remove(*next(p for p in pods if p.address.uuid in store.observed()).objects)
        until_applied(store)
    assert len(store.observed()) == 4


@pytest.mark.parametrize("share", ["same-network", "same-addresses"])
def test_case_79_an_address_that_is_freed_is_given_to_who_waits_at_once(
    store: DesiredStore, contrail: ContrailSimulator, share: str
) -> None:
    one = {"allocation_pools": [{"start": "10.32.0.4", "end": "10.32.0.4"}]}
    subnet = {"subnet": {"ip_prefix": "10.32.0.0", "ip_prefix_len": 29}, **one}
    small = replace(IPAM, properties={**IPAM.properties, "ipam_subnets": {"subnets": [subnet]}})
    other = replace(NETWORK, fq_name=(*HOME.fq_name, "other"), uuid=object_uuid(CLUSTER, "virtual-network", "other"))
    store.put(HOME, small, NETWORK, other)
    first, second = shop_of_two(store, other if share == "same-addresses" else NETWORK)
    # The next attempt that nobody asks for would be after a quarter of a minute at the soonest.
    with applying(store, contrail, backoff_first=30.0, backoff_limit=60.0):
        put_pods(store, first)
        until(lambda: first.address.uuid in store.observed(), told=store.unfinished)
        put_pods(store, second)
        until(lambda: store.states()[second.address.uuid].status == "blocked", told=store.unfinished)
        assert "has exhausted subnet" in store.states()[second.address.uuid].reason
        store.remove(*first.objects)
        until(lambda: second.address.uuid in store.observed(), within=5.0, told=store.unfinished)
        until_applied(store, within=5.0)


def shop_of_two(store: DesiredStore, network: ContrailObject) -> tuple[Pod, Pod]:
    """Two pods, the second one in this network."""
    found = Reference("virtual-network", network.fq_name, network.uuid)

    def moved(wanted: ContrailObject) -> ContrailObject:
        kept = (r for r in wanted.references if r.type != "virtual-network")
        return replace(wanted, references=(*kept, found))

    second = pod("shop", "second")
    return pod("shop", "first"), replace(second, interface=moved(second.interface), address=moved(second.address))


def test_case_79_quota_that_is_freed_is_given_to_who_waits_at_once(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    limited = project("shop")
    limited = replace(limited, properties={**limited.properties, "quota": {"virtual_machine_interface": 1}})
    first, second = pod("shop", "first"), pod("shop", "second")
    store.put(*BOOTSTRAP, limited)
    with applying(store, contrail, backoff_first=30.0, backoff_limit=60.0):
        store.put(*first.objects)
        until(lambda: first.address.uuid in store.observed(), told=store.unfinished)
        store.put(*second.objects)
        until(lambda: store.states()[second.interface.uuid].status == "blocked", told=store.unfinished)
        assert store.states()[second.interface.uuid].reason == (
            "Contrail answered 412: quota limit (1) exceeded for resource virtual_machine_interface"
        )
        store.remove(*first.objects)
        until(lambda: second.address.uuid in store.observed(), within=5.0, told=store.unfinished)


def test_case_79_quota_is_waited_for(store: DesiredStore, contrail: ContrailSimulator) -> None:
    shop(store, "web-0")
    page = "<html><body><pre>quota limit (1) exceeded for resource virtual_machine_interface</pre></body></html>"
    contrail.faults.add(Fault(Trouble.STATUS, "POST", "/virtual-machine-interfaces", None, status=412, text=page))
    (web,) = [pod("shop", "web-0")]
    with applying(store, contrail, tries=2):
        until(lambda: store.states()[web.interface.uuid].attempts >= 4)
        state = store.states()[web.interface.uuid]
        assert state.status == "blocked"
        assert state.reason == (
            "Contrail answered 412: quota limit (1) exceeded for resource virtual_machine_interface"
        )
        contrail.faults.clear()
        until_applied(store)


def test_an_object_of_somebody_else_is_reported_and_never_touched(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    foreign = post(contrail, "project", fq_name=["default-domain", "k8s-shop"], parent_type="domain")
    (web,) = shop(store, "web-0")
    with applying(store, contrail):
        state = until(lambda: (s := store.states()[project("shop").uuid]).status == "failed" and s)
        assert f"uuid {foreign} holds the name, and is not ours" in state.reason
        until(lambda: store.states()[web.interface.uuid].status == "blocked")
        assert contrail.counters["PUT", "project"] == contrail.counters["DELETE", "project"] == 0
        requests.delete(f"{contrail.url}/project/{foreign}", timeout=5)  # a person decides
        until_applied(store)
