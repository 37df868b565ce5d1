"""Case 71: two appliers at once. Who lost its shards without knowing does no harm, however long it slept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from applier.client import ContrailClient
from applier.owners import Owners
from applier.plan import plan
from applier.record import record
from applier.rows import Result, Status
from applier.shards import Shards
from applier.work import load
from applier.writer import OwnerMark, Writer
from schemas.contrail.objects import ContrailObject
from schemas.settings import ContrailSettings
from schemas.store.tables import SHARDS
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, CLUSTER, annotations, pod, project
from tests.applier.running import applying, until, until_applied

pytestmark = [pytest.mark.postgres, pytest.mark.process]
READS = {("POST", "fqname-to-id"), ("POST", "list-bulk-collection")}


def projects(state: str, count: int) -> list[ContrailObject]:
    """Projects that tell their generation by an annotation; their names sort in the order in which they are applied."""
    made = [project(f"ns-{n:02}") for n in range(count)]
    return [
        ContrailObject(p.type, p.fq_name, p.uuid, p.parent_type, {"annotations": annotations(state=state)})
        for p in made
    ]


def states_in(contrail: ContrailSimulator) -> list[str]:
    """What the annotation of every project of ours says."""
    found = []
    for o in contrail.objects("project"):
        pairs = (o.get("annotations") or {}).get("key_value_pair") or ()
        found += [pair["value"] for pair in pairs if pair["key"] == "state"]
    return found


def writes(contrail: ContrailSimulator) -> int:
    """Calls so far that change something."""
    return sum(n for call, n in contrail.counters.items() if call[0] != "GET" and call not in READS)


@contextmanager
def taken_from_the_holder(store: DesiredStore) -> Iterator[Shards]:
    """All shards, after the database ended the session that held them: as by an administrator or a fail-over."""
    shards = Shards(store.engine, cluster=CLUSTER, interval=0.0)
    try:
        for _ in range(50):
            with store.engine.begin() as connection:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2")
                )
            with shards.session():
                if len(shards.held) == SHARDS:
                    break
        assert len(shards.held) == SHARDS
        yield shards
    finally:
        shards.close()


def apply_by_hand(store: DesiredStore, contrail: ContrailSimulator, shards: Shards) -> int:
    """What another applier does that holds the shards now; returns how many objects it applied."""
    client = ContrailClient(ContrailSettings(urls=(contrail.url,)))
    writer = Writer(client, owners=Owners(client), mark=OwnerMark("k8s", CLUSTER))
    with shards.session() as connection:
        work = load(connection, cluster=CLUSTER, shards=shards.held)
    steps = plan(work.rows, work.edges, work.neighbours).steps
    for step in steps:
        assert writer.apply(step.row).outcome.verdict == "done"
        record(store.engine, [Result(step.row, Status.APPLIED)])
    client.close()
    return len(steps)


def test_case_71_who_lost_its_shards_sends_nothing_that_waited(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    store.put(*projects("first", 8))
    with applying(store, contrail, concurrency=1, takeover_interval=0.05):
        until_applied(store)
        contrail.faults.add(Fault(Trouble.LATENCY, "PUT", "/project/", 1, seconds=1.5))
        store.put(*projects("second", 8))
        until(lambda: not contrail.faults.waiting)
        with taken_from_the_holder(store) as shards:
            store.put(*projects("third", 8))
            assert apply_by_hand(store, contrail, shards) == 8
            assert states_in(contrail) == ["third"] * 8
            # The call that was under way is done last, and Contrail has an older generation by it ...
            until(lambda: "second" in states_in(contrail), within=5.0)
            # ... which its sender cannot prevent, but tells.
            until(lambda: len(store.unfinished()) == 1, told=store.unfinished)
            time.sleep(0.2)
            assert states_in(contrail).count("second") == 1
        until(lambda: states_in(contrail) == ["third"] * 8, told=lambda: states_in(contrail))
        until_applied(store)
    assert contrail.counters["PUT", "project"] == 1 + 8 + 1


def test_case_73_a_late_delete_does_not_free_the_address_of_a_pod_that_lives_again(
    store: DesiredStore, contrail: ContrailSimulator
) -> None:
    web = pod("shop", "web-0")
    store.put(*BOOTSTRAP, project("shop"), *web.objects)
    with applying(store, contrail, concurrency=1, takeover_interval=0.05):
        until_applied(store)
        before = store.observed()[web.address.uuid]
        contrail.faults.add(Fault(Trouble.LATENCY, "POST", "/ref-update", 1, seconds=1.0))
        store.remove(*web.objects)  # unlinked first, which takes long; the deletes wait for that
        until(lambda: not contrail.faults.waiting)
        with taken_from_the_holder(store) as shards:
            store.put(*web.objects)
            apply_by_hand(store, contrail, shards)
            until(lambda: store.unfinished() == [f"link {':'.join(web.link.fq_name)}: pending "], told=store.unfinished)
        until_applied(store)
    assert not [call for call in contrail.counters if call[0] == "DELETE"]
    assert store.observed() == {web.address.uuid: before}
    (router,) = contrail.objects("virtual-router")
    assert [ref["uuid"] for ref in router["virtual_machine_refs"]] == [web.machine.uuid]


@contextmanager
def process(store: DesiredStore, contrail: ContrailSimulator, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m applier run`, killed at the end."""
    environ = {
        **os.environ,
        "CONTRAIL_KUBE_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
        "CONTRAIL_KUBE_CONTRAIL_URLS": contrail.url,
        "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "ERROR",
        **{f"CONTRAIL_KUBE_APPLIER_{name.upper()}": str(value) for name, value in settings.items()},
    }
    with subprocess.Popen([sys.executable, "-m", "applier", "run"], env=environ) as started:
        try:
            yield started
        finally:
            started.send_signal(signal.SIGCONT)
            started.kill()


def holders(store: DesiredStore) -> int:
    """Sessions that hold shards."""
    with store.engine.connect() as connection:
        return int(
            connection.scalar(
                text("SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2")
            )
            or 0
        )


def test_case_71_who_slept_beyond_its_lease_wakes_up_and_does_no_harm(store: DesiredStore) -> None:
    with ContrailSimulator(latency=0.05) as contrail:
        store.put(*projects("first", 40))
        with process(store, contrail, lease=1.0, concurrency=2) as sleeper:
            until(lambda: contrail.counters["POST", "project"] >= 4)
            sleeper.send_signal(signal.SIGSTOP)
            until(lambda: holders(store) == 0, within=10.0)
            with applying(store, contrail):
                until_applied(store)
                store.put(*projects("second", 30))
                store.remove(*projects("first", 40)[30:])
                until_applied(store)
                before = writes(contrail)
                sleeper.send_signal(signal.SIGCONT)
                time.sleep(1.0)
                until_applied(store)
                # A thread that fell asleep between the question and the call may send one, and others repair it.
                assert writes(contrail) - before <= 2
            assert states_in(contrail) == ["second"] * 30


def test_case_71_two_appliers_at_once_make_nothing_twice(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    for namespace, count in (("shop", 30), ("red", 10), ("green", 10), ("blue", 10)):
        pods = [pod(namespace, f"web-{n}") for n in range(count)]
        store.put(project(namespace), *(o for p in pods for o in p.objects), namespace=namespace)
    with applying(store, contrail, max_shards=8), applying(store, contrail, max_shards=8):
        until_applied(store)
    made = contrail.counters
    assert made["POST", "virtual-machine"] == contrail.count("virtual-machine") == 60
    assert made["POST", "instance-ip"] == contrail.count("instance-ip") == 60
    assert len({body["address"] for body in store.observed().values()}) == 60


def test_case_71_another_applier_takes_over_within_seconds(store: DesiredStore, contrail: ContrailSimulator) -> None:
    store.put(*BOOTSTRAP)
    with applying(store, contrail) as first:
        until_applied(store)
        with applying(store, contrail):
            first.applier.stop()
            web = pod("shop", "web-0")
            store.put(project("shop"), *web.objects, namespace="shop")
            until_applied(store, within=5.0)
