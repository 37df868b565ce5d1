"""Case 69: two clusters on one Contrail. What is the other's is neither changed nor deleted, whatever is audited."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from console.postgres import EmbeddedPostgres
from schemas.contrail.types import TYPES
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from simulators.contrail.server import ContrailSimulator
from tests.applier.audit.test_drift import delete
from tests.applier.audit.world import World
from tests.rigs.fixtures_postgres import TEMPLATE

pytestmark = pytest.mark.postgres


@pytest.fixture
def other_engine(postgres_server: EmbeddedPostgres) -> Iterator[Engine]:
    """A second store."""
    name = f"other_{uuid.uuid4().hex[:12]}"
    engine = connect(DatabaseSettings(url=postgres_server.ensure_database(name, template=TEMPLATE)), application="b")
    yield engine
    engine.dispose()
    postgres_server.drop_database(name)


def owned(contrail: ContrailSimulator, world: World) -> dict[str, Any]:
    """Everything in Contrail that carries a cluster's mark, whole but for when it was changed."""
    found = {}
    for type_ in sorted(TYPES.keys() - {"config-root"}):
        for item in contrail.objects(type_):
            if world.mark.is_on(item):
                found[item["uuid"]] = {name: value for name, value in item.items() if not name.endswith("back_refs")}
    return found


NAMES = [(("a", "a"), ("b", "b")), (("k8s", "k8s"), ("k8s-a", "k8s")), (("k8s", "ours"), ("k8s-a", "theirs"))]


@pytest.mark.parametrize(("ours", "theirs"), NAMES)
def test_case_69_neither_cluster_touches_the_others_objects(
    store_engine: Engine,
    other_engine: Engine,
    contrail: ContrailSimulator,
    ours: tuple[str, str],
    theirs: tuple[str, str],
) -> None:
    first = World(store_engine, contrail, cluster=ours[0], owner=ours[1])
    second = World(other_engine, contrail, cluster=theirs[0], owner=theirs[1], pods="10.128.0.0/12")
    pods = first.pods("web-0", "web-1")
    others = second.pods("api-0", "api-1", namespace="bank")
    before = owned(contrail, second)
    assert len(before) > 15

    first.forget(*pods[0])  # an orphan of ours, and one of theirs that is for them to judge
    second.forget(*others[0])
    delete(first, "instance-ip", pods[1][2].uuid)  # and drift of ours
    for _ in range(2):
        first.audit(repair=True, prune=True)
        first.age(3600)
    first.audit(repair=True, prune=True)
    first.apply()

    assert first.has(*pods[0], *pods[1]) == [False] * 3 + [True] * 3
    assert owned(contrail, second) == before
    assert first.audit().left == 0
    second.audit()
    assert set(second.findings().values()) == {"orphan"}
    assert len(second.findings()) == 3


def test_case_69_a_name_that_both_clusters_want_is_given_to_the_first_and_taken_by_none(
    store_engine: Engine, other_engine: Engine, contrail: ContrailSimulator
) -> None:
    first = World(store_engine, contrail, cluster="k8s")
    second = World(other_engine, contrail, cluster="k8s-a", pods="10.128.0.0/12")
    first.pods("web-0", namespace="a-shop")  # project k8s-a-shop
    before = owned(contrail, first)
    second.store.start()
    second.apply()
    second.store.namespace("shop")  # project k8s-a-shop as well
    with second.applying():
        pass
    for _ in range(2):
        second.audit(repair=True, prune=True, observation_distance=0.0)
    assert owned(contrail, first) == before
    assert first.audit().left == 0


def test_case_69_two_clusters_in_one_store_are_audited_apart(store_engine: Engine, contrail: ContrailSimulator) -> None:
    first = World(store_engine, contrail, cluster="a", owner="a")
    second = World(store_engine, contrail, cluster="b", owner="b", pods="10.128.0.0/12")
    first.pods("web-0")
    others = second.pods("api-0", namespace="bank")
    delete(second, "instance-ip", others[0][2].uuid)
    assert first.audit(repair=True, prune=True).left == 0
    assert first.findings() == {}
    assert second.audit().counts.missing == 1
    assert list(second.findings().values()) == ["missing"]
