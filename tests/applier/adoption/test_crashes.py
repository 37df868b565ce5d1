"""Killed at any call and any statement, and run again, adoption ends as if it had not been killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from applier.adoption.adopting import Adoption
from applier.client import ContrailClient
from schemas.settings import ClusterSettings, ContrailSettings
from simulators.contrail.server import ContrailSimulator
from tests.applier.adoption.taking import adopt, all_objects
from tests.applier.incumbent import KubeManager
from tests.applier.kubernetes import KubernetesInStore, uid_of

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Points:
    """Counts calls and statements, before and after each; at the fatal one, all ends."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.passed = 0

    def pass_(self, *_: Any) -> None:
        """One more."""
        self.passed += 1
        if self.passed == self.fatal:
            raise Killed


class WatchedClient(ContrailClient):
    """A client whose calls pass points: before they are sent, and when they are answered."""

    points: Points

    def _call(self, *args: Any, **more: Any) -> Any:
        self.points.pass_()
        answer = super()._call(*args, **more)
        self.points.pass_()
        return answer


@contextlib.contextmanager
def watched(engine: Engine, points: Points) -> Iterator[None]:
    """Let statements and commits pass points."""
    names = ("before_cursor_execute", "after_cursor_execute", "commit")
    listener: Callable[..., None] = lambda *args: points.pass_()  # noqa: E731  (each event needs a callable of its own)
    for name in names:
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name in names:
            event.remove(engine, name, listener)


def run(kubernetes: KubernetesInStore, contrail: ContrailSimulator, fatal: int) -> tuple[bool, int]:
    """One adoption, killed at this point; returns whether it was, and how many points it passed."""
    points = Points(fatal)
    client = WatchedClient(ContrailSettings(urls=(contrail.url,)))
    client.points = points
    cluster = ClusterSettings(name=kubernetes.cluster)
    adoption = Adoption(client, kubernetes.engine, cluster=cluster, quiet=0.0)
    try:
        with watched(kubernetes.engine, points):
            adoption.adopt(adoption.look())
        return False, points.passed
    except Killed:
        return True, points.passed
    finally:
        client.close()


def ending(kubernetes: KubernetesInStore, contrail: ContrailSimulator) -> Any:
    """What there is afterwards: Contrail's objects, aliases, and what the applier is to do."""
    with kubernetes.engine.connect() as connection:
        aliases = connection.execute(
            text("SELECT uuid::text, contrail_uuid::text, contrail_fq_name, kept FROM adopted_object ORDER BY 1")
        ).all()
    states = {uuid: (state.status, state.reason) for uuid, state in kubernetes.desired.states().items()}
    router = contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    return all_objects(contrail), aliases, states, router.get("virtual_machine_refs")


def test_killed_at_every_call_and_statement(
    contrail: ContrailSimulator, predecessor: KubeManager, kubernetes: KubernetesInStore
) -> None:
    for namespace in ("default", "shop", "old"):
        predecessor.namespace(namespace)
    for name in ("web-0", "two-0", "gone-0"):
        there = predecessor.pod("shop", name, uid=uid_of("shop", name))
        if name == "two-0":
            predecessor.interface("shop", name, machine=there.machine)
    kubernetes.start("default", "shop")
    for name in ("web-0", "two-0"):
        kubernetes.pod("shop", name)
    contrail.snapshot()
    _, passed = run(kubernetes, contrail, 0)
    wanted = ending(kubernetes, contrail)
    assert {status for status, _ in wanted[2].values()} == {"pending", "dead"}
    killed = 0
    for fatal in range(1, passed + 1):
        contrail.restore()
        with kubernetes.engine.begin() as connection:
            connection.execute(text("DELETE FROM adopted_object"))
            connection.execute(
                text("UPDATE apply_state SET status = 'pending', reason = '', next_attempt_at = now(), last_error = ''")
            )
        died, _ = run(kubernetes, contrail, fatal)
        killed += died
        adopt(kubernetes, contrail)
        assert ending(kubernetes, contrail) == wanted, f"killed at point {fatal} of {passed}"
    assert killed == passed > 80
