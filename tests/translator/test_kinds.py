"""Every kind of the bus is kept as a row, whether there is a translation for it or not; in both stores."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import Engine

from schemas.events import ChangeEvent, Op
from schemas.records import RECORD_OF_KIND
from tests.schemas.examples import EVENTS
from tests.translator.facts import SOURCE, begin, end, namespace
from tests.translator.rows import Backend, MemoryBackend, PostgresBackend
from tests.translator.world import World
from translator.postgres import PostgresStore
from translator.resource import key_of
from translator.translate.registry import TRANSLATIONS

NOT_TRANSLATED = sorted(RECORD_OF_KIND.keys() - TRANSLATIONS.keys())
CLUSTER_SCOPED = {"IngressClass", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy"}


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> Iterator[MemoryBackend | PostgresBackend]:
    """Either store, empty."""
    if request.param == "memory":
        yield MemoryBackend()
        return
    engine: Engine = request.getfixturevalue("store_engine")
    store = PostgresStore(engine, "k8s")
    yield PostgresBackend(store, engine)
    store.close()


def told(kind: str, *, op: Op = Op.UPSERT, version: int = 5, epoch: int = 1) -> ChangeEvent:
    """An event about an object of the kind, with the body of its example."""
    # The last one: the first of an AdminNetworkPolicy names domains, which is put aside.
    [*_, body] = [event.body for event in EVENTS.values() if type(event.body) is RECORD_OF_KIND[kind]]
    return msgspec.structs.replace(
        EVENTS["service"],
        kind=kind,
        op=op,
        epoch=epoch,
        resource_version=str(version),
        namespace="" if kind in CLUSTER_SCOPED else "shop",
        uid=f"uid-{kind}",
        source=SOURCE,
        body=None if op is Op.DELETE else body,
    )


def key(kind: str) -> str:
    """The text key of what `told` tells of."""
    return key_of(kind, "" if kind in CLUSTER_SCOPED else "shop", "cart")


def test_every_kind_becomes_a_row_and_none_of_these_an_object(backend: Backend) -> None:
    world = World(backend.store, with_settings=True)
    before = backend.dump()
    summary = world.tell(*[told(kind) for kind in NOT_TRANSLATED])
    after = backend.dump()
    assert {kind for kind in NOT_TRANSLATED if key(kind) not in after["resources"]} == set()
    assert not summary.changes
    for table in ("objects", "sources", "edges", "diffs", "letters", "reads"):
        assert after[table] == before[table], table


def test_every_record_comes_back_from_the_store_as_it_went(backend: Backend) -> None:
    events = {kind: told(kind) for kind in NOT_TRANSLATED}
    World(backend.store).tell(*events.values())
    for kind, event in events.items():
        [found] = backend.store.run(lambda session, kind=kind: session.listing(kind, None))  # type: ignore[misc]
        assert found.body == event.body


def test_each_kind_has_snapshots_and_deletes_of_its_own(backend: Backend) -> None:
    world = World(backend.store)
    world.tell(namespace())
    for kind in NOT_TRANSLATED:
        world.tell(begin(kind, 1), told(kind, op=Op.READ), end(kind, 1))
    world.tell(begin("Service", 2), end("Service", 2))
    world.tell(told("Ingress", op=Op.DELETE, version=6))
    left = set(backend.dump()["resources"])
    assert left == {"Namespace//shop"} | {key(kind) for kind in NOT_TRANSLATED} - {key("Service"), key("Ingress")}


def test_a_kind_whose_crd_is_absent_has_no_epoch_and_loses_nothing(backend: Backend) -> None:
    optional = "NetworkAttachmentDefinition"
    world = World(backend.store)
    world.tell(begin(optional, 1), told(optional, op=Op.READ), end(optional, 1))
    before = backend.dump()
    # The CRD has gone: no marker of the kind any more, while the snapshots of the others go on.
    for epoch in (2, 3):
        world.tell(*[begin(kind, epoch) for kind in ("Pod", "Service")], *[end(k, epoch) for k in ("Pod", "Service")])
    after = backend.dump()
    assert after["resources"] == before["resources"]
    assert {place: row for place, row in after["epochs"].items() if optional in place} == before["epochs"]
