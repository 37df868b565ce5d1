"""The store in PostgreSQL keeps the contract, with a constant number of statements, and wakes the applier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg2.extensions
import pytest
from sqlalchemy import Engine, text

from schemas.errors import StoreMismatch, StoreUnavailable
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from tests.translator.facts import begin, end, gone, namespace, node, pod
from tests.translator.rows import PostgresBackend
from tests.translator.store_contract import StoreContract
from tests.translator.world import World
from translator.postgres import PostgresStore
from translator.postgres_session import PostgresSession
from translator.store import Session

T = TypeVar("T")

pytestmark = pytest.mark.postgres


@pytest.fixture
def backend(store_engine: Engine) -> Iterator[PostgresBackend]:
    """An empty store."""
    store = PostgresStore(store_engine, "k8s")
    yield PostgresBackend(store, store_engine)
    store.close()


class TestPostgresStore(StoreContract):
    """The contract, in PostgreSQL."""


def test_the_applier_hears_of_the_shards_at_commit(backend: PostgresBackend, store_engine: Engine) -> None:
    world = World(backend.store, with_settings=True)
    with store_engine.connect() as listener:
        listener.execution_options(isolation_level="AUTOCOMMIT").execute(text("LISTEN desired"))
        world.tell(namespace(), node(), pod("web-0"))
        listener.execute(text("SELECT 1"))
        driver = listener.connection.dbapi_connection
        assert driver is not None
        (heard,) = driver.notifies  # type: ignore[attr-defined]
        # Tags belong to the whole cluster.
        shards = {row[3] for row in backend.dump()["objects"].values() if row[2] in ("shop", "")}
        assert heard.channel == "desired"
        assert set(map(int, heard.payload.split(","))) == shards
        driver.notifies.clear()  # type: ignore[attr-defined]
        world.tell(pod("web-0", 2, ready=True))
        listener.execute(text("SELECT 1"))
        assert not driver.notifies  # type: ignore[attr-defined]


def test_what_is_wanted_again_before_its_delete_is_confirmed_is_not_on_record_as_there(
    backend: PostgresBackend, store_engine: Engine
) -> None:
    """The applier may have deleted it by then, and not have told: it looks, and what needs it waits."""
    applied = text("SELECT object_uuid FROM apply_state WHERE applied_generation IS NOT NULL")
    world = World(backend.store, with_settings=True)
    world.tell(namespace(), node(), pod("web-0"), pod("web-1"))
    backend.apply()
    with store_engine.connect() as connection:
        before = set(connection.scalars(applied))
    world.tell(gone("web-0", 2))
    world.tell(pod("web-0", 3), pod("web-1", 3, node="n2"))
    with store_engine.connect() as connection:
        doubted = before - set(connection.scalars(applied))
        names = set(
            connection.scalars(text("SELECT fq_name FROM desired_object WHERE uuid = ANY(:u)"), {"u": [*doubted]})
        )
    assert {name.partition("__")[2] for name in names if name.startswith("k8s__")} == {"shop__web-0"}
    assert len(doubted) >= 3 and not any("web-1" in name for name in names)


class CountingCursor(psycopg2.extensions.cursor):
    """A cursor that counts what it sends."""

    sent = 0

    def execute(self, *arguments: Any) -> None:
        """One statement, or one script."""
        self.sent += 1
        super().execute(*arguments)

    def copy_expert(self, *arguments: Any) -> None:
        """One COPY."""
        self.sent += 1
        super().copy_expert(*arguments)


def test_the_number_of_statements_does_not_grow_with_the_batch(store_engine: Engine) -> None:
    store = CountedStore(store_engine)
    world = World(store, with_settings=True)
    world.tell(namespace(), node(), node("n2", 2))
    sent = []
    version = 10
    for size in (3, 300):
        for fields in ({}, {"phase": "Failed"}, {"phase": "Failed", "ready": True}):
            names = [f"web-{size}-{number}" for number in range(size)]
            version += size
            world.tell(*(pod(name, version + n, node=f"n{n % 2 + 1}", **fields) for n, name in enumerate(names)))
            sent.append(store.sent)
    store.close()
    assert sent[:3] == sent[3:]
    assert max(sent) < 25


class CountedStore(PostgresStore):
    """Counts what the last transaction sent."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, "k8s")
        self.sent = 0

    def run(self, work: Callable[[Session], T]) -> T:
        """Run the work over a counting cursor."""

        def counted(cursor: Any) -> T:
            counting = cursor.connection.cursor(cursor_factory=CountingCursor)
            result = work(PostgresSession(counting, "k8s"))
            self.sent = counting.sent
            return result

        return self._retry("count statements", counted)


def test_case_52_a_connection_that_the_server_ended_is_replaced(backend: PostgresBackend, store_engine: Engine) -> None:
    world = World(backend.store, with_settings=True)
    with store_engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    records = world.publisher.records([namespace()])
    with pytest.raises(StoreUnavailable, match="could not store a batch"):
        world.take(records)
    world.take(records)
    assert "Namespace//shop" in backend.dump()["resources"]


def test_a_database_that_was_never_migrated_is_named(postgres_server) -> None:  # type: ignore[no-untyped-def]
    url = postgres_server.ensure_database("bare")
    engine = connect(DatabaseSettings(url=url), application="tests")
    try:
        with pytest.raises(StoreMismatch, match="not migrated"):
            World(PostgresStore(engine, "k8s"))
    finally:
        engine.dispose()
        postgres_server.drop_database("bare")


def test_odd_texts_come_back_as_they_went(backend: PostgresBackend) -> None:
    odd = "back\\slash \t tab \n line \r 'quote' \"double\" {json} % \\N ä 🙂 \x1f"
    world = World(backend.store, with_settings=True)
    world.tell(namespace(), pod("web-0", 2, labels={"a": odd}, annotations={odd: odd}))
    world.tell(pod("web-0", 3, labels={"a": odd, "b": odd}, annotations={odd: odd}))
    body = backend.dump()["resources"]["Pod/shop/web-0"][3]
    assert body["labels"] == {"a": odd, "b": odd}
    assert body["annotations"] == {odd: odd}
    broken = world.publisher.raw(odd.encode(), 0, odd.encode())
    world.take([broken])
    assert len(backend.dump()["letters"]) == 1


def test_the_translators_role_is_enough(database_url: str, store_engine: Engine) -> None:
    with store_engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS test_translator"))
        connection.execute(text("CREATE ROLE test_translator LOGIN IN ROLE contrail_kube_translator"))
    engine = connect(DatabaseSettings(url=database_url.replace("postgres@", "test_translator@")), application="tests")
    store = PostgresStore(engine, "k8s")
    try:
        world = World(store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0", 2), begin("Pod", 2))
        world.tell(pod("web-0", 3, node="not/a/name"), node(version=3, address="192.168.7.7"))
        world.take([world.publisher.raw(b"garbage", 0)])
        world.tell(end("Pod", 2), pod("web-1", 4, epoch=2))
        world.tell(pod("web-1", 5, node="n2", epoch=2))
        assert store.counts()["absent"] == 5
    finally:
        store.close()
        engine.dispose()
        _drop_role(store_engine, "test_translator")


def _drop_role(engine: Engine, role: str) -> None:
    """Once the server has ended the role's sessions: until then they have temporary tables of their own."""
    deadline = time.monotonic() + 10
    left = text("SELECT count(*) FROM pg_stat_activity WHERE usename = :role")
    with engine.connect() as connection:
        while connection.execute(left, {"role": role}).scalar():
            connection.rollback()
            assert time.monotonic() < deadline, f"sessions of {role} do not end"
            time.sleep(0.01)
    with engine.begin() as connection:
        connection.execute(text(f"DROP ROLE {role}"))
