"""An audit that is killed anywhere leaves nothing half-done: the next ones end where an undisturbed one does.

It is killed at one place after the other, over one and the same store and Contrail, each time a little later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from sqlalchemy import event

from applier.audit.calls import Calls
from tests.applier.audit.test_drift import put
from tests.applier.audit.test_prune import orphaned
from tests.applier.audit.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


class Killed(BaseException):
    """Stands for the process that ends."""


@contextmanager
def at_statement(world: World, number: int) -> Iterator[None]:
    """Die before the statement of this number is sent."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise Killed

    event.listen(world.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(world.engine, "before_cursor_execute", count)


@contextmanager
def at_call(world: World, number: int) -> Iterator[None]:
    """Die when the call of this number was answered, before anything came of that."""
    attempt, seen = Calls.attempt, 0

    def counted(self: Calls, call: object, ask: object) -> object:
        nonlocal seen
        answer = attempt(self, call, ask)  # type: ignore[arg-type]
        seen += 1
        if seen == number:
            raise Killed
        return answer

    Calls.attempt = counted  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Calls.attempt = attempt  # type: ignore[method-assign]


@pytest.mark.parametrize(("dying", "stride"), [(at_statement, 7), (at_call, 3)])
def test_killed_anywhere_the_next_audits_end_where_an_undisturbed_one_does(
    world: World, dying: Callable[[World, int], Iterator[None]], stride: int
) -> None:
    pod = orphaned(world)
    every = {item["uuid"] for type_ in ("virtual-machine", "instance-ip") for item in world.contrail.objects(type_)}
    other = world.store.pod("shop", "other-0")
    put(world, "virtual-machine", other[0].uuid, server_type="virtual-server")
    assert requests.delete(f"{world.contrail.url}/instance-ip/{other[2].uuid}", timeout=5).ok
    number, killed = 1, 0
    while True:
        try:
            with dying(world, number):  # type: ignore[attr-defined]
                world.audit(repair=True, prune=True, page_size=100)
            break
        except Killed:
            killed, number = killed + 1, number + stride
    assert killed > 10
    world.apply()
    report = world.audit(repair=True, prune=True)
    assert (report.left, report.counts.drift, report.counts.orphans) == (0, 0, 0)
    assert world.has(*pod) == [False] * 3
    assert world.has(*other) == [True] * 3
    there = {item["uuid"] for type_ in ("virtual-machine", "instance-ip") for item in world.contrail.objects(type_)}
    assert there == every - {each.uuid for each in pod}
    assert world.findings() == {}
    repairs = world.rows("SELECT sum(repairs) AS repairs FROM audit_finding WHERE problem <> 'orphan' GROUP BY uuid")
    assert {row.repairs for row in repairs} == {1}
