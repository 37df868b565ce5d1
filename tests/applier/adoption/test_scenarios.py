"""Adoption where something stands in the way: other clusters, doubts, features that nobody translates, accidents."""

from __future__ import annotations

import uuid as uuids
from typing import Any

import pytest
import requests
from sqlalchemy import text

from applier.adoption.recording import alone
from schemas.errors import StoreUnavailable
from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import adopt, adoption, look, verdicts, writes
from tests.applier.adoption.taking import uuids as all_uuids
from tests.applier.incumbent import DOMAIN, KubeManager
from tests.applier.kubernetes import KubernetesInStore, uid_of
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres
TYPES = (
    "project",
    "network-ipam",
    "virtual-network",
    "network-policy",
    "security-group",
    "virtual-machine",
    "virtual-machine-interface",
    "instance-ip",
    "loadbalancer",
    "firewall-policy",
    "firewall-rule",
    "application-policy-set",
)


def cluster(manager: KubeManager, *pods: str) -> None:
    for namespace in ("default", "kube-system", "shop"):
        manager.namespace(namespace)
    for name in pods:
        manager.pod("shop", name, uid=uid_of(manager.cluster, name))


def tell(kubernetes: KubernetesInStore, *pods: str) -> None:
    kubernetes.start("default", "kube-system", "shop")
    for name in pods:
        kubernetes.pod("shop", name, uid=uid_of(kubernetes.cluster, name))


def everything_but(contrail: ContrailSimulator, cluster: str) -> dict[str, Any]:
    """All objects by uuid but those that carry the cluster's mark or names, and what refers to them changes with."""
    return {
        o["uuid"]: (o["fq_name"], o.get("annotations"), o["id_perms"]["last_modified"])
        for type_ in TYPES
        for o in contrail.objects(type_)
        if {"key": "cluster", "value": cluster} not in (o.get("annotations") or {}).get("key_value_pair", ())
    }


def fresh_interfaces(kubernetes: KubernetesInStore, contrail: ContrailSimulator) -> set[str]:
    """Interfaces that the applier made itself."""
    return all_uuids(contrail, "virtual-machine-interface") & kubernetes.desired.states().keys()


def test_another_cluster_and_other_tenants_are_never_touched(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0", "gone-0")
    other = KubeManager(contrail.url, cluster="k8s-a", pods="10.128.0.0/12")
    other.bootstrap()
    cluster(other, "web-0", "gone-0")
    tenant = other.make("project", DOMAIN, "k8s-accounting", parent_type="domain")
    other.make("virtual-network", DOMAIN, "k8s-accounting", "k8s-default-pod-network", parent_type="project")
    other.close()
    tell(kubernetes, "web-0")
    theirs = {u: o for u, o in everything_but(contrail, "k8s").items() if "k8s-a" in str(o)}
    assert len(theirs) > 15
    outlook, adopted = adopt(kubernetes, contrail)
    assert len(adopted.removed) == 3
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    now = everything_but(contrail, "k8s")
    assert {uuid: now.get(uuid) for uuid in theirs} == theirs
    assert tenant not in verdicts(outlook)
    assert not theirs.keys() & verdicts(outlook).keys()
    second = KubernetesInStore(kubernetes.engine, cluster="k8s-a", pods="10.128.0.0/12")
    tell(second, "web-0")
    _, later = adopt(second, contrail)
    assert len(later.removed) == 3
    assert not later.failures


def test_an_ambiguous_pod_is_untouched_and_gets_no_third_interface(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0", "web-1")
    first = predecessor.find("virtual-machine", "k8s__shop__web-0")
    second = predecessor.interface("shop", "web-0", machine=first)
    tell(kubernetes, "web-0", "web-1")
    before = all_uuids(contrail, "virtual-machine-interface")
    outlook, adopted = adopt(kubernetes, contrail)
    assert verdicts(outlook)[second] == "ambiguous"
    assert not adopted.failures
    store = kubernetes.desired
    (held,) = outlook.judgement.held
    with applying(store, contrail):
        until(lambda: {s.status for s in store.states().values()} <= {"applied", "dead", "blocked"})
        assert all_uuids(contrail, "virtual-machine-interface") == before
        assert store.states()[held].status == "dead"
        assert "several interfaces" in store.states()[held].reason
        # A person deletes the one that is not in use, and runs it again.
        requests.delete(f"{contrail.url}/virtual-machine-interface/{second}", timeout=5.0).raise_for_status()
        adopt(kubernetes, contrail)
        until_applied(store)
    assert all_uuids(contrail, "virtual-machine-interface") == before - {second}


def test_a_pod_in_a_network_of_its_own_stays_there_untouched(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor)
    predecessor.namespace("vault", isolated=True)
    network = [DOMAIN, "k8s-vault", "k8s-vault-pod-network"]
    pod = predecessor.pod("vault", "safe-0", uid=uid_of("k8s", "safe-0"), network=network)
    tell(kubernetes)
    kubernetes.namespace("vault")
    kubernetes.pod("vault", "safe-0", uid=uid_of("k8s", "safe-0"))
    outlook, _ = adopt(kubernetes, contrail)
    found = verdicts(outlook)
    assert (found[pod.machine], found[pod.interface], found[pod.address]) == ("kept", "left alone", "left alone")
    store = kubernetes.desired
    with applying(store, contrail):
        until(lambda: {s.status for s in store.states().values()} <= {"applied", "dead", "blocked"})
    (interface,) = contrail.objects("virtual-machine-interface")
    assert interface["uuid"] == pod.interface
    assert interface["virtual_network_refs"][0]["to"] == network


def test_an_isolated_namespace_is_taken_over_with_its_network_and_its_pods(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor)
    predecessor.namespace("vault", isolated=True)
    network = predecessor.find("virtual-network", DOMAIN, "k8s-vault", "k8s-vault-pod-network")
    name = [DOMAIN, "k8s-vault", "k8s-vault-pod-network"]
    pod = predecessor.pod("vault", "safe-0", uid=uid_of("k8s", "safe-0"), network=name)
    (address,) = contrail.objects("instance-ip")
    tell(kubernetes)
    kubernetes.namespace("vault", isolated=True)
    kubernetes.pod("vault", "safe-0", uid=uid_of("k8s", "safe-0"))
    outlook, _ = adopt(kubernetes, contrail)
    found = verdicts(outlook)
    assert {found[each] for each in (network, pod.machine, pod.interface, pod.address)} == {"kept"}
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    (interface,) = contrail.objects("virtual-machine-interface")
    assert (interface["uuid"], interface["virtual_network_refs"][0]["to"]) == (pod.interface, name)
    (after,) = contrail.objects("instance-ip")
    assert after["instance_ip_address"] == address["instance_ip_address"]
    assert network in all_uuids(contrail, "virtual-network")


def test_what_is_left_of_namespaces_and_pods_goes_and_makes_room(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor)
    predecessor.namespace("old")
    project = predecessor.find("project", DOMAIN, "k8s-old")
    earlier = predecessor.pod("shop", "db-0", uid=str(uuids.uuid4()))
    tell(kubernetes, "db-0")
    outlook, adopted = adopt(kubernetes, contrail)
    assert not adopted.failures
    found = verdicts(outlook)
    assert (found[project], found[earlier.machine], found[earlier.address]) == ("removed", "replaced", "removed")
    router = contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    assert not router.get("virtual_machine_refs")
    assert project not in all_uuids(contrail, "project")
    with applying(kubernetes.desired, contrail):
        until_applied(kubernetes.desired)
    assert all_uuids(contrail, "virtual-machine") == {uid_of("k8s", "db-0")}


def test_an_applier_that_runs_already_says_so_and_goes_on_with_what_is_adopted(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes, "web-0")
    store = kubernetes.desired
    with applying(store, contrail):
        until(lambda: any("python -m applier adopt" in reason for reason in store.reasons()), told=store.reasons)
        assert not fresh_interfaces(kubernetes, contrail)
        _, adopted = adopt(kubernetes, contrail)
        assert adopted.aliases
        until_applied(store)
    assert not fresh_interfaces(kubernetes, contrail)


@pytest.mark.parametrize("type_", ["virtual-machine-interface", "project"])
def test_an_adopted_object_that_is_gone_is_made_anew_under_our_own_uuid(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore, type_: str
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes, "web-0")
    adopt(kubernetes, contrail)
    store = kubernetes.desired
    with applying(store, contrail):
        until_applied(store)
        if type_ == "project":
            contrail.reset()
        else:
            for each in ("instance-ip", type_):
                (uuid,) = all_uuids(contrail, each)
                requests.delete(f"{contrail.url}/{each}/{uuid}", timeout=5.0).raise_for_status()
        with kubernetes.engine.begin() as connection:  # as the audit does when it finds them missing
            connection.execute(text("UPDATE apply_state SET status = 'pending', next_attempt_at = now()"))
            connection.execute(text("SELECT pg_notify('desired', '')"))
        until_applied(store)
    (interface,) = contrail.objects("virtual-machine-interface")
    assert interface["uuid"] in store.states()
    with kubernetes.engine.connect() as connection:
        adopted = {str(u) for u in connection.scalars(text("SELECT uuid FROM adopted_object"))}
        (row,) = connection.execute(text("SELECT * FROM pod_address"))
    assert interface["uuid"] not in adopted
    assert bool(adopted) is (type_ != "project")
    assert (row.state, str(row.interface_uuid)) == ("ready", interface["uuid"])
    (address,) = contrail.objects("instance-ip")
    assert row.address == address["instance_ip_address"]


def test_a_store_that_is_made_anew_from_the_log_adopts_the_same_again(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes, "web-0")
    adopt(kubernetes, contrail)
    store = kubernetes.desired
    with applying(store, contrail):
        until_applied(store)
        kubernetes.pod("shop", "web-1", uid=uid_of("k8s", "web-1"))  # of our own
        until_applied(store)
    aliases = text("SELECT uuid::text, contrail_uuid::text FROM adopted_object ORDER BY 1")
    with kubernetes.engine.begin() as connection:
        before = connection.execute(aliases).all()
        connection.execute(text("TRUNCATE desired_object, observed_object, k8s_resource, watch_epoch CASCADE"))
    anew = KubernetesInStore(kubernetes.engine)
    tell(anew, "web-0", "web-1")
    objects = {type_: all_uuids(contrail, type_) for type_ in TYPES}
    with applying(store, contrail):  # it takes nothing by itself, and makes nothing beside it
        until(lambda: {s.status for s in store.states().values()} & {"failed"})
        _, adopted = adopt(anew, contrail)
        until_applied(store)
    assert not adopted.removed
    with kubernetes.engine.connect() as connection:
        assert connection.execute(aliases).all() == before
    assert {type_: all_uuids(contrail, type_) for type_ in TYPES} == objects


def test_the_store_is_relied_on_only_when_it_knows_all(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    before = writes(contrail)
    with pytest.raises(StoreUnavailable, match="knows nothing of cluster 'k8s'"):
        look(kubernetes, contrail)
    tell(kubernetes, "web-0")
    kubernetes.epoch("Pod", state="listing")
    with pytest.raises(StoreUnavailable, match="listing of Pod is not complete"):
        look(kubernetes, contrail)
    kubernetes.epoch("Pod")
    with kubernetes.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO consumer_offset VALUES ('translator', 't', 1, 5, 'v'), ('translator', 'other', 2, 5, 'v')"
            )
        )
    with pytest.raises(StoreUnavailable, match="heard nothing of Namespace on partition 1"):
        look(kubernetes, contrail)
    with kubernetes.engine.begin() as connection:
        connection.execute(text("DELETE FROM watch_epoch WHERE kind = 'Node'"))
    with pytest.raises(StoreUnavailable, match="no listing of Node"):
        look(kubernetes, contrail)
    assert writes(contrail) == before


def test_a_listing_that_began_before_they_were_made_removes_nothing(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes)
    kubernetes.epoch("Pod", seconds=0.0)
    outlook = look(kubernetes, contrail)
    assert "removed" not in verdicts(outlook).values()
    with kubernetes.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO dead_letter (cluster, stage, topic, partition, at_offset, error_class, error) "
                "VALUES ('k8s', 'decode', 't', 0, 7, 'UndecodableRecord', 'x')"
            )
        )
    kubernetes.epoch("Pod")
    assert "removed" not in verdicts(look(kubernetes, contrail)).values()


def test_a_predecessor_that_still_writes_is_noticed(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes, "web-0")
    with adoption(kubernetes, contrail, quiet=60.0) as it:
        assert "is contrail-kube-manager still running?" in it.look().busy
    assert not look(kubernetes, contrail).busy


def test_what_changed_since_it_was_looked_at_is_not_removed(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "gone-0", "back-0", "other-0")
    tell(kubernetes)
    with adoption(kubernetes, contrail) as it:
        outlook = it.look()
        kubernetes.pod("shop", "back-0", uid=uid_of("k8s", "back-0"))
        machine = predecessor.find("virtual-machine", "k8s__shop__other-0")
        mark = {"field": "annotations", "operation": "set", "position": "cluster"}
        update = {**mark, "value": {"key": "cluster", "value": "another"}}
        predecessor.call("prop-collection-update", {"uuid": machine, "updates": [update]})
        adopted = it.adopt(outlook)
    failures = {removed.live.label: removed.failure for removed in adopted.removed if removed.failure}
    assert "needed by now" in failures["virtual-machine k8s__shop__back-0"]
    assert "changed meanwhile" in failures["virtual-machine k8s__shop__other-0"]
    assert all_uuids(contrail, "virtual-machine") == {uid_of("k8s", "back-0"), uid_of("k8s", "other-0")}
    interfaces = {o["fq_name"][-1].partition("__")[0] for o in contrail.objects("virtual-machine-interface")}
    assert interfaces == {"back-0", "other-0"}


def test_an_address_that_does_not_stay_is_told(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    cluster(predecessor, "web-0")
    tell(kubernetes, "web-0")
    with adoption(kubernetes, contrail) as it:
        outlook = it.look()
        (address,) = contrail.objects("instance-ip")
        requests.delete(f"{contrail.url}/instance-ip/{address['uuid']}", timeout=5.0).raise_for_status()
        adopted = it.adopt(outlook)
    (failure,) = adopted.failures
    assert failure.endswith(f"had address {address['instance_ip_address']}, has none, as it is gone")


def test_two_adoptions_of_one_cluster_do_not_run_at_once(kubernetes: KubernetesInStore) -> None:
    with (
        alone(kubernetes.engine, "k8s"),
        pytest.raises(StoreUnavailable, match="another `adopt`"),
        alone(kubernetes.engine, "k8s"),
    ):
        pass
    # The server ends the first one's session, and with it the lock, in its own time.
    until(lambda: _can_adopt(kubernetes, "k8s", "k8s-a"))


def _can_adopt(kubernetes: KubernetesInStore, one: str, other: str) -> bool:
    try:
        with alone(kubernetes.engine, one), alone(kubernetes.engine, other):
            return True
    except StoreUnavailable:
        return False
