"""A cluster is taken over: nothing of a running pod is cut, and from then on store and Contrail agree."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from cni.address_store import PostgresAddresses
from cni.addresses import usable
from cni.interface import interface_of
from cni.requests import Pod
from schemas.settings import DatabaseSettings
from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import addresses, adopt, look, uuids, verdicts, writes
from tests.applier.incumbent import KubeManager, PodThere
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres
NAMESPACES = ("default", "kube-system", "shop")
KEPT_TYPES = ("project", "network-ipam", "virtual-network", "network-policy", "security-group")


def made(manager: KubeManager) -> dict[str, PodThere]:
    """Namespaces and three pods, as the predecessor made them."""
    for namespace in NAMESPACES:
        manager.namespace(namespace, uid=uid_of("", namespace))
    pods = {
        name: manager.pod("shop", name, uid=uid_of("shop", name), node=node, app="web")
        for name, node in (("web-0", "node-1"), ("web-1", "node-2"), ("db-0", "node-1"))
    }
    manager.service("shop", "web", uid=uid_of("shop", "service web"), backend=pods["web-0"])
    manager.network_policy("shop", "let-in")
    return pods


def told(kubernetes: KubernetesInStore, *pods: str) -> None:
    """What the store has heard of the same cluster."""
    kubernetes.start(*NAMESPACES)
    for name in pods:
        kubernetes.pod("shop", name, node="node-2" if name == "web-1" else "node-1")


def test_a_dry_run_changes_nothing_and_tells_all(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    pods = made(predecessor)
    told(kubernetes, "web-0", "web-1")
    before = writes(contrail)
    outlook = look(kubernetes, contrail)
    assert writes(contrail) == before
    with kubernetes.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM adopted_object")) == 0
    found = verdicts(outlook)
    for name in ("web-0", "web-1"):
        there = pods[name]
        assert [found[uuid] for uuid in (there.machine, there.interface, there.address)] == ["kept"] * 3
    gone = pods["db-0"]
    assert [found[uuid] for uuid in (gone.machine, gone.interface, gone.address)] == ["removed"] * 3
    for type_ in ("loadbalancer", "loadbalancer-listener", "loadbalancer-pool", "loadbalancer-member", "floating-ip"):
        assert [found[uuid] for uuid in uuids(contrail, type_)] == ["left alone"]
    ours = {o["uuid"] for o in contrail.objects("firewall-policy")}
    assert {found[uuid] for uuid in ours} == {"left alone"}
    assert set(verdicts(outlook, "project").values()) == {"kept"}
    assert not outlook.judgement.held


def test_every_running_pod_keeps_its_interface_its_address_and_its_tags(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    pods = made(predecessor)
    told(kubernetes, "web-0", "web-1")
    running = [pods["web-0"], pods["web-1"]]
    before = addresses(contrail)
    tagged = {o["uuid"]: o["tag_refs"] for o in contrail.objects("virtual-machine-interface") if o.get("tag_refs")}
    macs = {
        o["uuid"]: o["virtual_machine_interface_mac_addresses"] for o in contrail.objects("virtual-machine-interface")
    }
    kinds = {type_: uuids(contrail, type_) for type_ in KEPT_TYPES}
    _, adopted = adopt(kubernetes, contrail)
    assert not adopted.failures
    deletes = {what: n for (method, what), n in contrail.counters.items() if method == "DELETE"}
    assert deletes == {"instance-ip": 1, "virtual-machine-interface": 1, "virtual-machine": 1}  # of db-0
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    assert {what: n for (method, what), n in contrail.counters.items() if method == "DELETE"} == deletes
    for there in running:
        assert addresses(contrail)[there.address] == before[there.address]
    assert {type_: uuids(contrail, type_) for type_ in KEPT_TYPES} == kinds
    now = {o["uuid"]: o for o in contrail.objects("virtual-machine-interface")}
    for there in running:
        worn = now[there.interface]["tag_refs"]
        assert [each for each in worn if each in tagged[there.interface]] == tagged[there.interface]
        ours = {each["to"][0] for each in worn if each not in tagged[there.interface]}
        assert ours == {"application=k8s.shop", "label=k8s.namespace=shop", "label=k8s.pod"}
        assert now[there.interface]["virtual_machine_interface_mac_addresses"] == macs[there.interface]
        assert now[there.interface]["virtual_machine_refs"][0]["uuid"] == there.machine
    assert len(contrail.objects("virtual-machine")) == 2
    assert contrail.count("loadbalancer") == contrail.count("loadbalancer-member") == 1


def test_what_the_cni_and_people_read_is_what_contrail_has(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    pods = made(predecessor)
    told(kubernetes, "web-0", "web-1")
    adopt(kubernetes, contrail)
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    with kubernetes.engine.connect() as connection:
        rows = {r.pod: r for r in connection.execute(text("SELECT * FROM pod_address"))}
    network = contrail.find("virtual-network", *predecessor.pod_network)
    assert network is not None
    interfaces = {o["uuid"]: o for o in contrail.objects("virtual-machine-interface")}
    for name in ("web-0", "web-1"):
        row, there = rows[name], pods[name]
        assert (row.state, row.reason, row.linked) == ("ready", "", True)
        assert (str(row.interface_uuid), str(row.machine_uuid)) == (there.interface, there.machine)
        assert str(row.network_uuid) == network["uuid"]
        assert row.address == addresses(contrail)[there.address]
        assert [row.mac] == interfaces[there.interface]["virtual_machine_interface_mac_addresses"]["mac_address"]


def test_a_new_sandbox_of_an_adopted_pod_gets_the_interface_that_it_had(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    there = made(predecessor)["web-0"]
    told(kubernetes, "web-0")
    adopt(kubernetes, contrail)
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    settings = DatabaseSettings(url=kubernetes.engine.url.render_as_string(hide_password=False))
    store = PostgresAddresses(settings, cluster="k8s", node="node-1")
    try:
        pod = Pod("shop", "web-0", uid_of("shop", "web-0"))
        interface = interface_of(usable(store.addresses(pod), pod, "eth0", "node-1")["eth0"], "eth0", 1500)
    finally:
        store.close()
    assert (interface.interface_uuid, interface.machine_uuid) == (there.interface, there.machine)
    assert str(interface.addresses[0].ip.ip) == addresses(contrail)[there.address]
    assert interface.mac == f"02:{there.interface[:2]}:{there.interface[2:4]}:{there.interface[4:6]}:" + (
        f"{there.interface[6:8]}:{there.interface[9:11]}"
    )


def test_store_and_contrail_agree_afterwards_and_stay_so(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    pods = made(predecessor)
    told(kubernetes, "web-0", "web-1")
    adopt(kubernetes, contrail)
    store = kubernetes.desired
    with applying(store, contrail):
        until_applied(store)
        before = writes(contrail)
        with kubernetes.engine.begin() as connection:  # as if everything had to be looked at again
            connection.execute(
                text(
                    "UPDATE apply_state SET status = 'pending' WHERE object_uuid IN "
                    "(SELECT uuid FROM desired_object WHERE type <> 'link')"
                )
            )
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
        assert writes(contrail) == before
        # A pod that comes: its network, namespace and group are adopted ones.
        kubernetes.pod("shop", "web-2")
        until_applied(store)
        (fresh,) = [o for o in contrail.objects("virtual-machine-interface") if "web-2__" in o["fq_name"][-1]]
        assert fresh["virtual_network_refs"][0]["uuid"] == predecessor.find("virtual-network", *predecessor.pod_network)
        # A pod that goes takes what was adopted with it.
        kubernetes.remove_pod("shop", "web-1")
        there = pods["web-1"]
        until(lambda: there.machine not in uuids(contrail, "virtual-machine"), told=store.unfinished)
        assert there.interface not in uuids(contrail, "virtual-machine-interface")
        assert there.address not in uuids(contrail, "instance-ip")
        until(lambda: len(store.states()) == len(kubernetes_rows(kubernetes)))
    with kubernetes.engine.connect() as connection:
        left = {str(u) for u in connection.scalars(text("SELECT contrail_uuid FROM adopted_object"))}
    assert there.interface not in left
    assert pods["web-0"].interface in left


def kubernetes_rows(kubernetes: KubernetesInStore) -> list[str]:
    with kubernetes.engine.connect() as connection:
        return list(connection.scalars(text("SELECT uuid::text FROM desired_object WHERE NOT absent")))


def test_run_again_it_finds_nothing_to_do(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    made(predecessor)
    told(kubernetes, "web-0", "web-1")
    first, done = adopt(kubernetes, contrail)
    assert done.aliases == len([t for t in first.judgement.takeovers if t.alias])
    before = writes(contrail)
    second, again = adopt(kubernetes, contrail)
    assert (again.aliases, again.removed, writes(contrail)) == (0, (), before)
    assert verdicts(second).items() <= verdicts(first).items()
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    third, last = adopt(kubernetes, contrail)
    assert (last.aliases, last.removed) == (0, ())
    assert {t.changes for t in third.judgement.takeovers} == {()}
