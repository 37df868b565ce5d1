"""What a Contrail API says to the applier, as the users of Kubernetes read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from schemas.contrail.objects import ContrailObject, Desired, Reference
from schemas.identity import object_uuid
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, HOME, IPAM, NETWORK, annotations, pod, project
from tests.applier.running import applying, until
from watchers.feedback.problem_store import ProblemStore

pytestmark = pytest.mark.postgres

SMALL_IPAM = replace(
    IPAM,
    fq_name=(*HOME.fq_name, "small-ipam"),
    uuid=object_uuid("k8s", "network-ipam", "small"),
    properties={
        **IPAM.properties,
        "ipam_subnets": {"subnets": [{"subnet": {"ip_prefix": "203.0.113.0", "ip_prefix_len": 29}}]},
    },
)
PUBLIC = replace(
    NETWORK,
    fq_name=(*HOME.fq_name, "public"),
    uuid=object_uuid("k8s", "virtual-network", "public"),
    references=(Reference("network-ipam", SMALL_IPAM.fq_name, SMALL_IPAM.uuid, {"ipam_subnets": []}),),
)
POOL = ContrailObject(
    "floating-ip-pool",
    (*PUBLIC.fq_name, "pool"),
    object_uuid("k8s", "floating-ip-pool", "public"),
    "virtual-network",
    {"annotations": annotations()},
    parent_uuid=PUBLIC.uuid,
)


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    with ContrailSimulator(nodes={"node-1": "192.0.2.1"}) as simulator:
        yield simulator


def floating_ip(name: str, *, pool: tuple[str, ...] = POOL.fq_name, **properties: str) -> ContrailObject:
    uuid = object_uuid("k8s", "floating-ip", name)
    return ContrailObject(
        "floating-ip",
        (*pool, f"{name}__{uuid}"),
        uuid,
        "floating-ip-pool",
        {"annotations": annotations(kind="Service", namespace="shop", name=name), **properties},
        (Reference("project", HOME.fq_name, HOME.uuid),),
        parent_uuid=POOL.uuid if pool == POOL.fq_name else None,
    )


def test_case_79_what_is_used_up_taken_or_missing_has_a_reason_of_its_own(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    store = DesiredStore(store_engine)
    poor = replace(
        project("poor"), properties={"annotations": annotations(), "quota": {"virtual_machine_interface": 0}}
    )
    ours: dict[str, tuple[Desired, ...]] = {
        "Pod/poor/web-0": pod("poor", "web-0").objects,
        "Pod/shop/web-0": pod("shop", "web-0", node="node-9", node_address="192.0.2.9").objects,
        "Service/shop/lost": (floating_ip("lost", pool=("default-domain", "admin", "public", "pool")),),
        **{f"Service/shop/many-{n}": (floating_ip(f"many-{n}"),) for n in range(6)},
        "Service/shop/taken": (floating_ip("taken", floating_ip_address="203.0.113.6"),),
    }
    store.put(*BOOTSTRAP, SMALL_IPAM, PUBLIC, POOL, poor, project("shop"))
    problems = ProblemStore(store_engine, "k8s")

    def reasons() -> dict[str, str]:
        return {each.resource: each.reason for each in problems.problems(100)[0]}

    with applying(store, contrail):
        for resource, objects in ours.items():
            store.put(*objects)
            with store_engine.begin() as connection:
                connection.execute(
                    text("INSERT INTO desired_source VALUES (:uuid, 'k8s', :resource, '')"),
                    [{"uuid": each.uuid, "resource": resource} for each in objects],
                )
        wanted = {
            "Pod/poor/web-0": "QuotaExceeded",
            "Pod/shop/web-0": "NodeNotInContrail",
            "Service/shop/lost": "NotInContrail",
        }
        until(lambda: wanted.items() <= reasons().items(), told=reasons)
        until(lambda: {"AddressesExhausted", "AddressInUse"} <= set(reasons().values()), told=reasons)
        assert "floating-ip" in next(m.message for m in problems.problems(100)[0] if m.reason == "AddressesExhausted")
        store.remove(*(each for name, many in ours.items() if name.startswith("Service/") for each in many))
        until(lambda: set(reasons()) == {"Pod/poor/web-0", "Pod/shop/web-0"}, told=reasons)
