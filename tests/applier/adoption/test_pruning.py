"""What adoption leaves alone, the audit leaves alone too, with pruning switched on."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import adopt, all_objects, verdicts
from tests.applier.audit.world import World
from tests.applier.incumbent import DOMAIN, KubeManager
from tests.applier.kubernetes import uid_of
from tests.applier.running import applying, until

pytestmark = pytest.mark.postgres


def test_the_audit_prunes_nothing_that_adoption_left_alone_and_finds_no_drift(
    contrail: ContrailSimulator, predecessor: KubeManager, store_engine: Engine
) -> None:
    for namespace in ("default", "shop"):
        predecessor.namespace(namespace)
    predecessor.namespace("vault", isolated=True)
    network = [DOMAIN, "k8s-vault", "k8s-vault-pod-network"]
    web = predecessor.pod("shop", "web-0", uid=uid_of("shop", "web-0"), app="web")
    two = predecessor.pod("shop", "two-0", uid=uid_of("shop", "two-0"))
    predecessor.interface("shop", "two-0", machine=two.machine)
    predecessor.pod("vault", "safe-0", uid=uid_of("vault", "safe-0"), network=network)
    predecessor.service("shop", "web", uid=uid_of("shop", "service web"), backend=web)
    predecessor.network_policy("shop", "let-in")
    world = World(store_engine, contrail)
    world.store.start("default", "shop", "vault")
    for namespace, name in (("shop", "web-0"), ("shop", "two-0"), ("vault", "safe-0")):
        world.store.pod(namespace, name)
    for kind in ("Service", "NetworkPolicy", "VncSecurityPolicy"):  # as if watchers told of these as well
        world.store.epoch(kind)
    outlook, _ = adopt(world.store, contrail)
    assert "removed" not in verdicts(outlook).values()
    store = world.store.desired
    with applying(store, contrail):
        until(lambda: {s.status for s in store.states().values()} <= {"applied", "dead", "blocked"})
    before = all_objects(contrail)
    world.audit()
    world.age(3600)
    report = world.audit(prune=True, repair=True, deletion_budget=1000, deletion_share=1.0)
    assert report.pruned == 0
    assert all_objects(contrail) == before
    found = world.drift()
    assert {row.problem for row in found} <= {"orphan", "foreign"}
    kept = {row.type: row.reason for row in found if row.problem == "orphan"}
    assert "the store wants no loadbalancer at all" in kept["loadbalancer"]
    assert "Namespace//vault is there" in kept["virtual-network"]
    assert "Pod/" in kept["virtual-machine-interface"]
