"""How the loop shares work out among its threads: over a real store, with a worker that only takes time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from applier.outcome import Outcome, Verdict
from applier.reconciler import Reconciler
from applier.rows import Row
from applier.settings import ApplierSettings
from applier.worker import Worked
from schemas.health import Health
from tests.applier.desired import CLUSTER, DesiredStore
from tests.applier.objects import BOOTSTRAP, pod, project
from tests.applier.running import until, until_applied

pytestmark = pytest.mark.postgres
DONE = Outcome(Verdict.DONE)
OBSERVED = {"address": "10.32.0.5"}


class Hands:
    """A worker that applies whatever it gets after a moment, and keeps count; `outcome` says what came of it."""

    url = "http://contrail:8082"

    def __init__(self, outcome: Callable[[Row], Any] = lambda row: Worked(row, DONE, OBSERVED)) -> None:
        self._outcome = outcome
        self._lock = threading.Lock()
        self._busy = 0
        self.most = 0
        self.order: list[str] = []

    def probe(self) -> Outcome:
        return DONE

    def apply(self, row: Row) -> Any:
        with self._work():
            self.order.append(row.uuid)
            return self._outcome(row)

    def read_addresses(self, rows: Sequence[Row]) -> list[Worked]:
        return [Worked(row, DONE, OBSERVED) for row in rows]

    @contextmanager
    def _work(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
        time.sleep(0.005)
        yield
        with self._lock:
            self._busy -= 1


@contextmanager
def reconciling(engine: Engine, hands: Hands, **settings: Any) -> Iterator[list[BaseException]]:
    """A loop while the block lasts; gives what it died of."""
    deaths: list[BaseException] = []
    worker: Any = hands
    loop = Reconciler(
        engine=engine, worker=worker, cluster=CLUSTER, settings=ApplierSettings(**settings), health=Health()
    )

    def run() -> None:
        try:
            loop.run()
        except Exception as error:
            deaths.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield deaths
    finally:
        loop.stop()
        thread.join(30.0)
        assert not thread.is_alive()


@pytest.fixture
def store(store_engine: Engine) -> DesiredStore:
    found = DesiredStore(store_engine)
    found.put(*BOOTSTRAP, project("shop"))
    return found


def test_no_more_calls_are_under_way_than_allowed_and_no_fewer_while_there_is_work(store: DesiredStore) -> None:
    hands = Hands(lambda row: Worked(row, DONE, unread=row.type == "instance-ip"))
    store.put(*(o for n in range(20) for o in pod("shop", f"web-{n}").objects), namespace="shop")
    with reconciling(store.engine, hands, concurrency=3):
        until_applied(store)
    assert hands.most == 3  # addresses are read besides
    assert len(hands.order) == len(set(hands.order)) == len(BOOTSTRAP) + 1 + 4 * 20


def test_a_thread_goes_on_in_the_order_of_need(store: DesiredStore) -> None:
    hands = Hands()
    pods = [pod("shop", f"web-{n}") for n in range(10)]
    store.put(*(o for one in pods for o in one.objects), namespace="shop")
    with reconciling(store.engine, hands, concurrency=4):
        until_applied(store)
    place = {uuid: number for number, uuid in enumerate(hands.order)}
    for one in pods:
        assert place[one.machine.uuid] < place[one.interface.uuid] < place[one.address.uuid]
        assert place[one.machine.uuid] < place[one.link.uuid]


def test_pods_are_finished_before_more_are_begun(store: DesiredStore) -> None:
    hands = Hands()
    pods = [pod("shop", f"web-{n}") for n in range(10)]
    with reconciling(store.engine, hands, concurrency=1):
        until_applied(store)
        store.put(*(o for one in pods for o in one.objects), namespace="shop")
        until_applied(store)
    begun = [hands.order.index(one.machine.uuid) for one in pods]
    ended = [max(hands.order.index(o.uuid) for o in one.objects) for one in pods]
    for one in range(10):
        others = sum(begun[one] < begun[other] < ended[one] for other in range(10))
        assert others == 0


def test_what_was_applied_before_the_end_is_recorded_and_nothing_else(store: DesiredStore) -> None:
    hands = Hands()
    store.put(*(pod("shop", f"web-{n}").machine for n in range(400)), namespace="shop")
    with reconciling(store.engine, hands, concurrency=2):
        until(lambda: len(hands.order) > 50)
    applied = {uuid for uuid, state in store.states().items() if state.status == "applied"}
    assert applied == set(hands.order)
    assert len(applied) < 400


def test_a_fault_of_ours_while_taking_note_ends_the_loop(store: DesiredStore) -> None:
    hands = Hands(lambda row: None)
    with reconciling(store.engine, hands) as deaths:
        until(lambda: deaths)
    assert isinstance(deaths[0], AttributeError)
