"""From the store to a simulated Contrail and back: addresses, updates, deletes, and the calls that they cost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import requests
from sqlalchemy import text

from schemas.contrail.objects import Reference
from schemas.health import Health
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, NETWORK, Pod, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres


def writes(contrail: ContrailSimulator) -> int:
    """Requests so far that change something."""
    return sum(
        count
        for (method, what), count in contrail.counters.items()
        if method in ("PUT", "DELETE") or (method == "POST" and what not in ("fqname-to-id", "list-bulk-collection"))
    )


def put_pods(store: DesiredStore, *pods: Pod, namespace: str = "shop") -> None:
    store.put(project(namespace), *(o for p in pods for o in p.objects), namespace=namespace)


def routed(contrail: ContrailSimulator) -> set[str]:
    """Virtual-machines that node-1 is to have."""
    router = contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    return {ref["uuid"] for ref in router.get("virtual_machine_refs") or ()}


def test_a_pod_gets_its_objects_its_address_and_its_node(store: DesiredStore, contrail: ContrailSimulator) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    put_pods(store, web)
    with applying(store, contrail):
        until_applied(store)
    assert store.observed()[web.address.uuid] == {
        "address": "10.47.255.252",
        "prefix_len": 12,
        "gateway": "10.47.255.254",
        "dns": "10.47.255.253",
        "subnet_uuid": contrail.objects("instance-ip")[0]["subnet_uuid"],
        "family": 4,
    }
    assert routed(contrail) == {web.machine.uuid}
    interface = contrail.find("virtual-machine-interface", *web.interface.fq_name)
    assert interface is not None
    assert (
        interface["virtual_machine_interface_mac_addresses"]
        == (web.interface.properties["virtual_machine_interface_mac_addresses"])
    )


def test_the_pods_that_the_cni_asks_for_are_ready(store: DesiredStore, contrail: ContrailSimulator) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    put_pods(store, web)
    with store.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO k8s_resource (cluster, kind, namespace, name, api_version, uid, resource_version, epoch,
                                          body, digest, topic, partition, at_offset)
                VALUES ('k8s', 'Pod', 'shop', 'web-0', 'v1', :uid, '1', 1, '{"node_name": "node-1"}', '', 't', 0, 1)
            """),
            {"uid": web.machine.uuid},
        )
        for wanted in web.objects:
            connection.execute(
                text("INSERT INTO desired_source VALUES (:uuid, 'k8s', 'Pod/shop/web-0', '')"), {"uuid": wanted.uuid}
            )
    with applying(store, contrail):
        until_applied(store)
    with store.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM pod_address")).one()
    assert (row.state, row.reason, row.linked, row.address, row.prefix_len) == (
        "ready",
        "",
        True,
        "10.47.255.252",
        12,
    )


def test_a_pod_costs_at_most_five_calls(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    store.put(project("shop"), namespace="shop")
    pods = [pod("shop", f"web-{n}") for n in range(40)]
    with applying(store, contrail):
        until_applied(store)
        put_pods(store, pods[0])  # the node, the network and the IPAM are looked up once
        until_applied(store)
        before = contrail.counters
        put_pods(store, *pods[1:])
        until_applied(store)
        made = contrail.counters - before
    assert len(store.observed()) == 40
    assert made["POST", "virtual-machine"] == made["POST", "virtual-machine-interface"] == 39
    assert made["POST", "instance-ip"] == made["POST", "ref-update"] == 39
    assert made.total() <= 39 * 5
    assert made.total() - 39 * 4 == made["POST", "list-bulk-collection"]


def test_a_label_change_is_one_write(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    put_pods(store, pod("shop", "web-0"))
    with applying(store, contrail):
        until_applied(store)
        before = writes(contrail)
        put_pods(store, pod("shop", "web-0", labels='{"app": "web"}'))
        until_applied(store)
        assert writes(contrail) == before + 1
    machine = contrail.find("virtual-machine", "k8s__shop__web-0")
    assert machine is not None
    assert {"key": "labels", "value": '{"app": "web"}'} in machine["annotations"]["key_value_pair"]


def test_case_62_equal_objects_are_not_written(store: DesiredStore, contrail: ContrailSimulator) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    put_pods(store, web)
    with applying(store, contrail):
        until_applied(store)
        before = writes(contrail)
        with store.engine.begin() as connection:  # as if every record of success had been lost
            connection.execute(
                text("UPDATE apply_state SET status = 'pending' WHERE object_uuid <> :link"), {"link": web.link.uuid}
            )
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
        assert writes(contrail) == before


def test_deleting_everything_leaves_nothing(store: DesiredStore, contrail: ContrailSimulator) -> None:
    untouched = {t: contrail.count(t) for t in ("project", "network-ipam", "virtual-network")}
    pods = [pod("shop", f"web-{n}") for n in range(10)]
    everything = (*BOOTSTRAP, project("shop"), *(o for p in pods for o in p.objects))
    store.put(*BOOTSTRAP)
    put_pods(store, *pods)
    with applying(store, contrail):
        until_applied(store)
        store.remove(*everything)
        until(lambda: not store.states(), told=store.unfinished)
    assert store.observed() == {}
    assert {t: contrail.count(t) for t in untouched} == untouched
    for type_ in ("virtual-machine", "virtual-machine-interface", "instance-ip"):
        assert contrail.count(type_) == 0
    assert routed(contrail) == set()


def test_a_recreated_pod_of_the_same_name_takes_over_the_name(store: DesiredStore, contrail: ContrailSimulator) -> None:
    old = pod("shop", "web-0")
    new = pod("shop", "web-0", uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001")
    store.put(*BOOTSTRAP)
    put_pods(store, old)
    with applying(store, contrail):
        until_applied(store)
        store.remove(*old.objects)
        put_pods(store, new)
        until_applied(store)
    (machine,) = contrail.objects("virtual-machine")
    assert machine["uuid"] == new.machine.uuid
    assert store.observed().keys() == {new.address.uuid}
    assert routed(contrail) == {new.machine.uuid}


def test_a_pod_recreated_several_times_while_the_applier_is_away(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    lives = [pod("shop", "web-0", uid=f"0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a000{n}") for n in range(4)]
    store.put(*BOOTSTRAP)
    put_pods(store, lives[0])
    with applying(store, contrail):
        until_applied(store)
    for before, after in pairwise(lives):
        store.remove(*before.objects)
        put_pods(store, after)
    with applying(store, contrail):
        until_applied(store)
    assert [m["uuid"] for m in contrail.objects("virtual-machine")] == [lives[-1].machine.uuid]


def test_case_37_created_and_deleted_before_anything_happened(store: DesiredStore, contrail: ContrailSimulator) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    put_pods(store, web)
    store.remove(*web.objects)
    with applying(store, contrail):
        until_applied(store)
    assert contrail.count("virtual-machine") == 0
    assert not store.states().keys() & {o.uuid for o in web.objects}


def test_a_reference_that_is_dropped_is_taken_out_before_its_target_goes(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    web = pod("shop", "web-0")
    other = replace(
        NETWORK, fq_name=(*NETWORK.fq_name[:-1], "other"), uuid="22222222-2222-4222-8222-222222222222", references=()
    )
    other = replace(other, properties={"annotations": other.properties["annotations"]})
    both = replace(
        web.interface,
        references=(*web.interface.references, Reference("virtual-network", other.fq_name, other.uuid)),
    )
    store.put(*BOOTSTRAP, other)
    store.put(project("shop"), web.machine, both, namespace="shop")
    with applying(store, contrail):
        until_applied(store)
        store.put(web.interface, namespace="shop")
        store.remove(other)
        until_applied(store)
    assert contrail.find("virtual-network", *other.fq_name) is None


def test_a_pod_before_its_namespace_waits_and_goes_on(store: DesiredStore, contrail: ContrailSimulator) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP)
    store.put(*web.objects, namespace="shop")
    with applying(store, contrail):
        until(lambda: store.states()[web.interface.uuid].status == "blocked")
        reason = store.states()[web.interface.uuid].reason
        assert "Parent ['default-domain', 'k8s-shop'] type project does not exist" in reason
        assert store.states()[web.address.uuid].reason.startswith("waits for virtual-machine-interface ")
        store.put(project("shop"), namespace="shop")
        until_applied(store)
    assert web.address.uuid in store.observed()


def test_a_node_that_registers_later_gets_its_pods(store: DesiredStore, contrail: ContrailSimulator) -> None:
    late = pod("shop", "late", node="node-9", node_address="192.0.2.9")
    store.put(*BOOTSTRAP)
    put_pods(store, late)
    with applying(store, contrail):
        until(lambda: store.states()[late.link.uuid].status == "blocked")
        assert store.states()[late.link.uuid].reason == "virtual-router of node node-9 is not registered in Contrail"
        until(lambda: late.address.uuid in store.observed())
        register(contrail, "node-9")
        until_applied(store)


def register(contrail: ContrailSimulator, node: str) -> None:
    """What a provisioner of nodes does."""
    name = ["default-global-system-config", node]
    body = {"virtual-router": {"fq_name": name, "parent_type": "global-system-config"}}
    assert requests.post(f"{contrail.url}/virtual-routers", json=body, timeout=5).status_code == 200


def test_new_work_is_begun_while_old_work_is_slow(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    put_pods(store, pod("shop", "first"))
    slow = pod("shop", "slow")
    with applying(store, contrail, read_timeout=30.0):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/virtual-machine-interfaces", seconds=3.0))
        put_pods(store, slow)
        until(lambda: not contrail.faults.waiting)
        quick = [pod("shop", f"quick-{n}") for n in range(5)]
        put_pods(store, *quick)
        until(lambda: {p.address.uuid for p in quick} <= store.observed().keys(), within=2.0)
        assert slow.address.uuid not in store.observed()
        until_applied(store)


def test_health_follows_contrail_and_the_store(store: DesiredStore, contrail: ContrailSimulator) -> None:
    health = Health()
    store.put(*BOOTSTRAP)
    with applying(store, contrail, health=health):
        until_applied(store)
        until(lambda: not health.why_not_ready())
        contrail.stop()
        put_pods(store, pod("shop", "web-0"))
        reason = until(lambda: health.why_not_ready().get("contrail"))
        assert contrail.url in reason and "Connection refused" in reason
        contrail.start()
        until_applied(store)
        assert not health.why_not_ready()
