"""How fast the whole pipeline is: from the log to committed rows, applied objects and readable addresses.

    python -m benchmarks.pipeline [--pods N] [--burst N] [--seconds S] [--runs R] [--rates 20,200] [--latency MS]

Every process is the product's own (`python -m translator`, `python -m applier`), PostgreSQL is real and durable,
the bus is the log directory, and the Contrail config API is the simulator in a process of its own; all of them
share this machine's cores with the benchmark. Throughput: a finished log is worked off. Latency: events of many
overlapping pod lives (created, scheduled, running, ready, ending, gone) are published at a steady rate while
everything runs; every event is timed from its publication to the commit of its rows (seen by the consumer's offset),
and every pod from being scheduled to its address in `pod_address`, both seen by polling. Burst: so many scheduled
pods at one moment.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import Engine, text

from benchmarks.synthetic import records
from console.ports import free_port
from console.postgres import EmbeddedPostgres
from schemas.bus.log import LogProducer
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey, partition_of
from schemas.records import NamespaceRecord, NodeAddress, NodeRecord, PodRecord, Record
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from tests.rigs.services import Services, services

PARTITIONS = 4
NAMESPACES = 20
NODES = 10
TOPIC = "k8s.changes.k8s"
POLL = 0.002
SOURCE = Source(cluster="k8s", watcher="benchmark")


@dataclass(slots=True)
class Site:
    """One fresh pipeline: log directory, store, simulated API, and the services over them."""

    producer: LogProducer
    engine: Engine
    api: str
    running: Services
    environment: dict[str, str]
    revision: int = 0

    def publish(self, key: ResourceKey, body: Record | None, op: Op = Op.UPSERT) -> int:
        """One event into the log (not flushed); returns its partition."""
        self.revision += 1
        version = str(self.revision)
        return self._put(
            partition_of(key, PARTITIONS),
            change(op=op, epoch=1, key=key, uid=uid_of(key), resource_version=version, source=SOURCE, body=body),
        )

    def mark(self, op: Op, kind: str) -> None:
        """A snapshot marker into every partition."""
        for partition in range(PARTITIONS):
            self._put(partition, marker(op=op, epoch=1, kind=kind, partition=partition, source=SOURCE))

    def prepare(self) -> None:
        """Namespaces and nodes, and the nodes' virtual-routers; the snapshot of pods is empty."""
        for number in range(NODES):
            name, address = f"node-{number}", f"192.0.2.{number + 1}"
            router = {
                "fq_name": ["default-global-system-config", name],
                "parent_type": "global-system-config",
                "virtual_router_ip_address": address,
            }
            answer = requests.post(f"{self.api}/virtual-routers", json={"virtual-router": router}, timeout=10)
            answer.raise_for_status()
        for kind in ("Namespace", "Node", "Pod"):
            self.mark(Op.SNAPSHOT_BEGIN, kind)
            if kind == "Namespace":
                for number in range(NAMESPACES):
                    self.publish(ResourceKey("Namespace", "", f"team-{number}"), NamespaceRecord(), Op.READ)
            if kind == "Node":
                for number in range(NODES):
                    body = NodeRecord(addresses=(NodeAddress("InternalIP", f"192.0.2.{number + 1}"),))
                    self.publish(ResourceKey("Node", "", f"node-{number}"), body, Op.READ)
            self.mark(Op.SNAPSHOT_END, kind)
        self.producer.flush(30)

    def pod(self, number: int, stage: str = "scheduled") -> int:
        """One event of a pod's life into the log (not flushed); returns its partition."""
        key = pod_key(number)
        if stage == "gone":
            return self.publish(key, None, Op.DELETE)
        body = PodRecord(
            labels={"app": f"app-{number % 40}"},
            node_name="" if stage == "created" else f"node-{number % NODES}",
            phase="Pending" if stage in ("created", "scheduled") else "Running",
            ready=stage == "ready",
            deleting=stage == "ending",
        )
        return self.publish(key, body)

    def start(self, *modules: str) -> None:
        """Start services."""
        for module in modules:
            self.running.start(module, self.environment)

    def scalar(self, statement: str) -> int:
        """One number from the store."""
        with self.engine.connect() as connection:
            return int(connection.scalar(text(statement)) or 0)

    def committed(self) -> int:
        """Offsets that the translator has committed, over all partitions."""
        return self.scalar("SELECT sum(next_offset) FROM consumer_offset")

    def unapplied(self) -> int:
        """Whether there are objects that Contrail does not have yet: 1 or 0, cheaper than to count them."""
        return self.scalar("SELECT count(*) FROM (SELECT FROM apply_state WHERE status <> 'applied' LIMIT 1) one")

    def _put(self, partition: int, event: ChangeEvent) -> int:
        self.producer.publish(partition, str(event.key).encode(), encode(event))
        return partition


@contextmanager
def site(latency: int = 0) -> Iterator[Site]:
    """A fresh pipeline with nothing in it; the services are not started. The API takes `latency` ms to answer."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        postgres = stack.enter_context(EmbeddedPostgres())
        database = postgres.ensure_database("benchmark")
        engine = connect(DatabaseSettings(url=database), application="benchmark")
        stack.callback(engine.dispose)
        migrate(engine)
        producer = LogProducer(folder / "log", TOPIC, PARTITIONS)
        stack.callback(producer.close)
        running = stack.enter_context(services(folder))
        port = free_port()
        simulator = {"CONTRAIL_KUBE_SIMULATOR_PORT": str(port), "CONTRAIL_KUBE_SIMULATOR_LATENCY": str(latency / 1000)}
        running.start("simulators.contrail", simulator)
        api = f"http://127.0.0.1:{port}"
        running.wait("the simulator", lambda: answers(api))
        environment = {
            "CONTRAIL_KUBE_BUS_DIRECTORY": str(folder / "log"),
            "CONTRAIL_KUBE_DATABASE_URL": database,
            "CONTRAIL_KUBE_CONTRAIL_URLS": api,
            "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "WARNING",
        }
        yield Site(producer, engine, api, running, environment)


def answers(api: str) -> bool:
    """Whether the API is up."""
    try:
        return requests.get(f"{api}/domains", timeout=1).ok
    except requests.RequestException:
        return False


def timed(running: Services, what: str, done: Callable[[], bool]) -> float:
    """Seconds until it is done."""
    begun = time.monotonic()
    running.wait(what, done, seconds=600)
    return time.monotonic() - begun


def committed_per_second(lives: int) -> float:
    """Events/s from a finished log of pod lives (created, scheduled, running, ready, ending, gone) to the store."""
    with site() as here:
        log = records(pods=lives, partitions=PARTITIONS)
        for record in log:
            here.producer.publish(record.partition, record.key or b"", record.value)
        here.producer.flush(60)
        here.start("translator")
        here.running.wait("the first commit", lambda: here.committed() > 0, seconds=60)
        already = here.committed()
        seconds = timed(here.running, "the log's end", lambda: here.committed() == len(log))
        return (len(log) - already) / seconds


def applied_per_second(pods: int) -> tuple[float, float]:
    """Objects/s, and Contrail calls per pod, from a finished log of scheduled pods to objects in the API."""
    with ready_site() as here:
        objects, calls = here.scalar("SELECT count(*) FROM desired_object"), total_calls(here.api)
        for number in range(pods):
            here.pod(number)
        here.producer.flush(60)
        seconds = timed(
            here.running,
            "all pods applied",
            lambda: (
                here.unapplied() == 0
                and here.scalar("SELECT count(*) FROM observed_object WHERE type = 'instance-ip'") == pods
            ),
        )
        made = here.scalar("SELECT count(*) FROM desired_object") - objects
        return made / seconds, (total_calls(here.api) - calls) / pods


def total_calls(api: str) -> int:
    """Requests that the simulated API has answered (without this one's kind)."""
    counters = requests.get(f"{api}/_simulator/counters", timeout=10).json()
    return sum(int(count) for count in counters.values())


LIFE = (("created", 0.0), ("scheduled", 0.05), ("running", 1.0), ("ready", 1.5), ("ending", 5.0), ("gone", 5.2))
"""A pod's life: its events, with the seconds after its creation."""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from publication: of every event to its commit, of every pod scheduled to its address."""

    committed: list[float]
    readable: list[float]


def latencies(rate: int, seconds: int, latency: int) -> Latencies:
    """Publish events of pod lives at a steady rate, each flushed at once, and time them."""
    lives = rate * seconds // len(LIFE)
    due = sorted((number * len(LIFE) / rate + at, number, stage) for number in range(lives) for stage, at in LIFE)
    with ready_site(latency) as here:
        watch = Watch(here)
        begun = time.monotonic()
        for at, number, stage in due:
            while time.monotonic() < begun + at:
                watch.look()
            watch.publish(number, stage)
        here.running.wait("the last events", watch.finished, seconds=120)
        return Latencies(watch.committed, watch.readable)


def burst(pods: int, latency: int) -> Latencies:
    """Publish so many scheduled pods at one moment, and time them."""
    with ready_site(latency) as here:
        watch = Watch(here)
        for number in range(pods):
            watch.publish(number, "scheduled", flush=number == pods - 1)
        here.running.wait("the last address", watch.finished, seconds=300)
        return Latencies(watch.committed, watch.readable)


@contextmanager
def ready_site(latency: int = 0) -> Iterator[Site]:
    """A pipeline that has done its bootstrap and waits for pods."""
    with site(latency) as here:
        here.prepare()
        here.start("translator", "applier")
        here.running.wait("bootstrap", lambda: here.committed() > 0 and here.unapplied() == 0, seconds=60)
        yield here


class Watch:
    """Times events from their publication to their commit, and pods to their readable address."""

    def __init__(self, here: Site) -> None:
        self._here = here
        self._connection = here.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        offsets = self._connection.execute(text("SELECT partition, next_offset FROM consumer_offset"))
        self._next = {row.partition: row.next_offset for row in offsets}
        self._uncommitted: dict[int, list[tuple[int, float]]] = {partition: [] for partition in range(PARTITIONS)}
        self._unreadable: dict[str, float] = {}
        self.committed: list[float] = []
        self.readable: list[float] = []

    def publish(self, number: int, stage: str, *, flush: bool = True) -> None:
        """Publish one event of a pod."""
        at = time.monotonic()
        partition = self._here.pod(number, stage)
        if flush:
            self._here.producer.flush(10)
        self._uncommitted[partition].append((self._next[partition], at))
        self._next[partition] += 1
        if stage == "scheduled":
            self._unreadable[uid_of(pod_key(number))] = at

    def look(self) -> None:
        """Ask once for both, and rest for the poll's period."""
        if any(self._uncommitted.values()):
            for row in self._connection.execute(text("SELECT partition, next_offset FROM consumer_offset")):
                self._settle(row.partition, row.next_offset)
        if self._unreadable:
            oldest = list(self._unreadable)[:100]
            found = self._connection.scalars(
                text("SELECT pod_uid FROM pod_address WHERE pod_uid = ANY(:uids) AND state = 'ready'"), {"uids": oldest}
            ).all()
            now = time.monotonic()
            self.readable += [1000 * (now - self._unreadable.pop(uid)) for uid in found]
        time.sleep(POLL)

    def finished(self) -> bool:
        """Whether everything has been timed."""
        self.look()
        return not self._unreadable and not any(self._uncommitted.values())

    def _settle(self, partition: int, next_offset: int) -> None:
        now = time.monotonic()
        waiting = self._uncommitted[partition]
        while waiting and waiting[0][0] < next_offset:
            self.committed.append(1000 * (now - waiting.pop(0)[1]))


def pod_key(number: int) -> ResourceKey:
    """Key of a pod of the benchmark."""
    return ResourceKey("Pod", f"team-{number % NAMESPACES}", f"app-{number}")


def uid_of(key: ResourceKey) -> str:
    """Uid of a resource of the benchmark."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(key)))


def percentiles(values: list[float]) -> str:
    """p50 and p99, milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:6.0f} ms   p99 {cuts[98]:6.0f} ms   ({len(values)} timed)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=2000, help="pods of one throughput run")
    parser.add_argument("--burst", type=int, default=300, help="pods that come at one moment; 0: none")
    parser.add_argument("--seconds", type=int, default=30, help="length of one latency run")
    parser.add_argument("--runs", type=int, default=3, help="throughput runs, of which the median is printed; 0: none")
    parser.add_argument("--rates", default="20,200", help="events per second of the latency runs")
    parser.add_argument("--latency", type=int, default=0, help="ms that the API takes to answer, but for throughput")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    if options.runs:
        print_throughput(options.pods, options.runs)
    print(f"API answers after {options.latency} ms")
    for rate in (int(part) for part in options.rates.split(",")):
        found = latencies(rate, options.seconds, options.latency)
        print(f"{rate:4d} events/s  to committed row      {percentiles(found.committed)}")
        print(f"{rate:4d} events/s  to readable address   {percentiles(found.readable)}")
    if options.burst:
        print_burst(options.burst, options.latency)


def print_throughput(pods: int, runs: int) -> None:
    """Measure finished logs, and print medians."""
    events = [committed_per_second(pods) for _ in range(runs)]
    print(f"log to committed rows   {statistics.median(events):8.0f} events/s   (median of {runs})")
    applied = [applied_per_second(pods) for _ in range(runs)]
    print(f"log to applied objects  {statistics.median(a for a, _ in applied):8.0f} objects/s")
    print(f"Contrail calls per pod  {statistics.median(c for _, c in applied):8.2f}")


def print_burst(pods: int, latency: int) -> None:
    """Measure pods that come at one moment, and print it."""
    at_once = burst(pods, latency)
    pods_per_second = 1000 * pods / max(at_once.readable)
    print(f"burst of {pods} pods   to readable address   {percentiles(at_once.readable)}")
    print(f"burst of {pods} pods   {pods_per_second:.0f} pods/s")


if __name__ == "__main__":
    main()
