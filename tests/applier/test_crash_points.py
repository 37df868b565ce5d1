"""Case 70: the applier is killed at every API call and every statement, and the next run ends as if it had not been.

Three acts over objects of every type: made, changed, deleted. `make test` takes a sample of the points;
`CRASH_SWEEP_EVERY=1` takes every one, which lasts some ten minutes; `CRASH_SWEEP_FIRST` repeats a sample.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import pytest
from sqlalchemy import text

from schemas.contrail.objects import Desired
from simulators.contrail.server import ContrailSimulator
from tests.applier.crashing import API, DATABASE
from tests.applier.desired import DesiredStore
from tests.applier.everything import everything
from tests.applier.picture import Picture, differences, picture

pytestmark = [pytest.mark.postgres, pytest.mark.process]

EVERY = int(os.environ.get("CRASH_SWEEP_EVERY", "0"))
"""Distance of the points at which the applier is killed; 0: so that there are SAMPLE of them."""
SAMPLE = 8
TABLES = ("desired_object", "desired_edge", "apply_state", "observed_object")
FIRST = everything()
CHANGED = everything(changed=True)
OURS = frozenset(wanted.uuid for wanted in (*FIRST, *CHANGED))
HALF = 30


class Crasher:
    """Runs appliers that die where they are told."""

    def __init__(self, store: DesiredStore, contrail: ContrailSimulator) -> None:
        self._order = {"database": store.engine.url.render_as_string(hide_password=False), "contrail": contrail.url}

    def __enter__(self) -> Crasher:
        command = [sys.executable, "-m", "tests.applier.crashing"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60.0)

    def run(self, point: int = 0, *, concurrency: int = 2) -> dict[str, Any]:
        """One run; killed at this point, or 0: until all is done."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({**self._order, "point": point, "concurrency": concurrency}) + "\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said


@pytest.fixture
def crasher(store: DesiredStore, contrail: ContrailSimulator) -> Iterator[Crasher]:
    with Crasher(store, contrail) as crasher:
        yield crasher


class Stage:
    """Store and Contrail, to which the beginning of an act can be brought back again and again."""

    def __init__(self, store: DesiredStore, contrail: ContrailSimulator) -> None:
        self.store = store
        self.contrail = contrail

    def keep(self) -> None:
        self.contrail.snapshot()
        with self.store.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS kept CASCADE"))
            connection.execute(text("CREATE SCHEMA kept"))
            for table in TABLES:
                connection.execute(text(f"CREATE TABLE kept.{table} AS TABLE {table}"))

    def bring_back(self) -> None:
        self.contrail.restore()
        with self.store.engine.begin() as connection:
            connection.execute(text("TRUNCATE desired_object, observed_object CASCADE"))
            for table in TABLES:
                connection.execute(text(f"INSERT INTO {table} SELECT * FROM kept.{table}"))

    def ending(self) -> tuple[Picture, dict[str, Any]]:
        """What Contrail has, and what the store says of it."""
        states = {uuid: (s.status, s.applied_generation, s.absent) for uuid, s in self.store.states().items()}
        addresses = {o["uuid"]: o["instance_ip_address"] for o in self.contrail.objects("instance-ip")}
        public = [o for o in self.contrail.objects("floating-ip") if o["parent_type"] == "floating-ip-pool"]
        addresses |= {o["uuid"]: o["floating_ip_address"] for o in public}
        told = {uuid: body["address"] for uuid, body in self.store.observed().items()}
        assert told == addresses
        return picture(self.contrail, OURS), states


def put(store: DesiredStore, wanted: list[Desired]) -> None:
    """Want these, in two shards."""
    store.put(*wanted[:HALF])
    store.put(*wanted[HALF:], namespace="shop")


def make_all(store: DesiredStore) -> None:
    put(store, FIRST)


def change_all(store: DesiredStore) -> None:
    stays = {wanted.uuid for wanted in CHANGED}
    store.remove(*(wanted for wanted in FIRST if wanted.uuid not in stays))
    put(store, CHANGED)


def delete_all(store: DesiredStore) -> None:
    store.remove(*CHANGED)


Act = Callable[[DesiredStore], None]
ACTS: list[Act] = [make_all, change_all, delete_all]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_case_70_killed_at_every_call_and_every_statement(
    store: DesiredStore, contrail: ContrailSimulator, crasher: Crasher, act: Act
) -> None:
    stage = Stage(store, contrail)
    for earlier in ACTS[: ACTS.index(act)]:
        earlier(store)
        crasher.run()
    act(store)
    stage.keep()
    points = crasher.run()["points"]
    assert points[API] > 3 * len(FIRST) and points[DATABASE] > 50
    wanted, states = stage.ending()
    assert {status for status, _, _ in states.values()} <= {"applied"}
    assert bool(states) == (act is not delete_all)

    total = sum(points.values())
    every = EVERY or total // SAMPLE
    first = int(os.environ.get("CRASH_SWEEP_FIRST", random.randrange(every)))
    began, killed = time.monotonic(), 0
    for point in range(1 + first, total + 1, every):
        stage.bring_back()
        killed += crasher.run(point)["killed"]
        after = crasher.run()
        assert "unfinished" not in after["points"], f"killed at point {point}: {store.unfinished()}"
        found, found_states = stage.ending()
        assert not differences(found, wanted), f"killed at point {point}"
        assert found_states == states, f"killed at point {point}"
    print(
        f"{act.__name__}: {points[API]} points around calls, {points[DATABASE]} around statements; "
        f"killed at {killed}, every {every} from {first}, in {time.monotonic() - began:.0f} s"
    )
    assert killed
