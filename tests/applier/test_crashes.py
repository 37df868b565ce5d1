"""Case 70: the applier dies at any point, and the next run ends in the same objects, none doubled, none left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, Pod, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = pytest.mark.postgres
STEP = 4
"""Calls between two places at which a run is cut off; test_crash_points.py takes every one."""
TYPES = ("project", "network-ipam", "virtual-network", "virtual-machine", "virtual-machine-interface", "instance-ip")


def put_pods(store: DesiredStore, *pods: Pod) -> None:
    store.put(*BOOTSTRAP)
    store.put(project("shop"), *(o for p in pods for o in p.objects), namespace="shop")


def picture(contrail: ContrailSimulator) -> dict[str, Any]:
    """What Contrail has, without what differs from run to run (times, addresses in another order)."""
    router = contrail.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    found: dict[str, Any] = {"linked": sorted(ref["uuid"] for ref in router.get("virtual_machine_refs") or ())}
    for type_ in TYPES:
        # Uuids of what the server makes by itself differ from run to run.
        found[type_] = sorted(
            (o["fq_name"], _pairs(o), o["uuid"] if _pairs(o) else "") for o in contrail.objects(type_)
        )
    addresses = [o["instance_ip_address"] for o in contrail.objects("instance-ip")]
    assert len(set(addresses)) == len(addresses)
    return found


def _pairs(fields: dict[str, Any]) -> list[tuple[str, str]]:
    pairs = (fields.get("annotations") or {}).get("key_value_pair") or ()
    return sorted((pair["key"], pair["value"]) for pair in pairs)


def forget(store: DesiredStore) -> None:
    """As if no result had ever been recorded: the most that a crash can take from the store."""
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE apply_state SET status = 'pending', applied_generation = NULL, attempts = 0, "
                "next_attempt_at = now()"
            )
        )
        connection.execute(text("DELETE FROM observed_object"))


def clear(store: DesiredStore, contrail: ContrailSimulator) -> None:
    contrail.faults.clear()
    contrail.reset()
    with store.engine.begin() as connection:
        connection.execute(text("TRUNCATE desired_object, observed_object CASCADE"))


def fail_after(contrail: ContrailSimulator, calls: int, *, done: bool) -> None:
    """The first calls go well; of all others the connection is cut, of the first one after the work is `done`."""
    if calls:
        contrail.faults.add(Fault(Trouble.LATENCY, "", "/", calls))
    if done:
        contrail.faults.add(Fault(Trouble.DROP_AFTER, "", "/", 1))
    contrail.faults.add(Fault(Trouble.DROP_BEFORE, "", "/", None))


def run_until_cut(store: DesiredStore, contrail: ContrailSimulator) -> bool:
    """One run that ends when calls are cut off, or with all work done; returns whether it was cut off."""
    with applying(store, contrail, concurrency=3):
        until(lambda: not store.unfinished() or len(contrail.faults.waiting) == 1)
        return bool(store.unfinished())


def test_case_70_cut_off_in_the_middle_of_creating_and_nothing_recorded(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    pods = [pod("shop", "web-0"), pod("shop", "web-1")]
    put_pods(store, *pods)
    with applying(store, contrail):
        until_applied(store)
    wanted = picture(contrail)
    for calls in range(0, 100, STEP):
        clear(store, contrail)
        put_pods(store, *pods)
        fail_after(contrail, calls, done=True)
        cut = run_until_cut(store, contrail)
        contrail.faults.clear()
        forget(store)
        with applying(store, contrail):
            until_applied(store)
        assert picture(contrail) == wanted, f"cut off after {calls} calls"
        assert store.observed().keys() == {p.address.uuid for p in pods}
        if not cut:
            break
    assert calls > 12, "it ended before it reached the last calls"


def test_case_70_cut_off_in_the_middle_of_updating_and_deleting(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    stays, goes = pod("shop", "web-0"), pod("shop", "web-1")
    changed = pod("shop", "web-0", labels='{"app": "new"}')
    again = pod("shop", "web-1", uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001")
    put_pods(store, changed, again)
    with applying(store, contrail):
        until_applied(store)
    wanted = picture(contrail)
    for calls in range(0, 100, STEP):
        clear(store, contrail)
        put_pods(store, stays, goes)
        with applying(store, contrail):
            until_applied(store)
        store.remove(*goes.objects)
        put_pods(store, changed, again)
        fail_after(contrail, calls, done=True)
        cut = run_until_cut(store, contrail)
        contrail.faults.clear()
        with applying(store, contrail):
            until_applied(store)
        assert picture(contrail) == wanted, f"cut off after {calls} calls"
        assert store.observed().keys() == {stays.address.uuid, again.address.uuid}
        if not cut:
            break
    assert calls > 8, "it ended before it reached the last calls"


@contextmanager
def process(store: DesiredStore, contrail: ContrailSimulator) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m applier run`, killed at the end if it still runs."""
    environ = {
        **os.environ,
        "CONTRAIL_KUBE_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
        "CONTRAIL_KUBE_CONTRAIL_URLS": contrail.url,
        "CONTRAIL_KUBE_APPLIER_TAKEOVER_INTERVAL": "0.1",
        "CONTRAIL_KUBE_APPLIER_BACKOFF_FIRST": "0.05",
        "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "WARNING",
    }
    with subprocess.Popen([sys.executable, "-m", "applier", "run"], env=environ) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()


@pytest.mark.slow
def test_case_70_killed_again_and_again(store: DesiredStore) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    old = [pod("shop", f"web-{n}") for n in range(40)]
    new = [pod("shop", f"web-{n}", labels='{"app": "new"}') for n in range(20)]
    with ContrailSimulator(nodes={"node-1": "192.0.2.1"}, latency=0.005) as contrail:
        put_pods(store, *old)
        for round_ in range(6):
            if round_ == 3:
                store.remove(*(o for p in old[20:] for o in p.objects))
                put_pods(store, *new)
            before = contrail.counters.total()
            with process(store, contrail) as applier:
                enough = before + chance.randrange(1, 60)
                while contrail.counters.total() < enough and store.unfinished():
                    time.sleep(0.001)
                applier.send_signal(signal.SIGKILL)
                applier.wait(10.0)
        with process(store, contrail):
            until_applied(store, within=30.0)
        survived = picture(contrail)
        contrail.reset()
        forget(store)
        with applying(store, contrail):
            until_applied(store)
        assert survived == picture(contrail)
        assert len(survived["virtual-machine"]) == 20


def test_case_99_told_to_stop_it_ends_what_it_began_and_exits_with_zero(store: DesiredStore) -> None:
    put_pods(store, *(pod("shop", f"web-{n}") for n in range(50)))
    with ContrailSimulator(nodes={"node-1": "192.0.2.1"}, latency=0.02) as contrail:
        with process(store, contrail) as applier:
            until(lambda: contrail.counters.total() > 30)
            began = time.monotonic()
            applier.send_signal(signal.SIGTERM)
            assert applier.wait(30.0) == 0
            assert time.monotonic() - began < 10.0
        made = {o["uuid"] for type_ in TYPES for o in contrail.objects(type_)}
        states = store.states()
        ours = made & states.keys()
        assert ours
        # Only an instance-ip may be made and not recorded: when its address was not read any more.
        assert {states[uuid].type for uuid in ours if states[uuid].status != "applied"} <= {"instance-ip"}
        assert store.unfinished()
