"""How fast the applier is: objects per second beside a bare loop of the same requests, calls and latency per pod.

    python -m benchmarks.apply [--pods N] [--runs R] [--concurrency C] [--rate PODS_PER_SECOND] [--latency MS]

The applier runs as its own process over a real, durable PostgreSQL; the simulated config API is a process too. The
bare loop sends what the applier sends (same bodies, same number of address reads) from as many threads, and does
nothing else: no store, no order, no record. Latency is from the commit of a pod's desired objects to its address
in the store, with an API that takes `--latency` for each answer. Medians over the runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from sqlalchemy import Engine, text

from applier.client import ContrailClient
from applier.observe import ADDRESS_FIELDS
from console.postgres import EmbeddedPostgres
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Link
from schemas.settings import ContrailSettings, DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, Pod, pod, project

NAMESPACES = 8
POLL = 0.002
_UNFINISHED = "status <> 'applied'"


def main(arguments: Sequence[str]) -> int:
    """Run it and print the figures."""
    options = _options(arguments)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"load before {os.getloadavg()[0]:.1f}; concurrency {options.concurrency}, medians of {options.runs} runs")
    with EmbeddedPostgres(durable=True) as server:
        for latency, pods in ((0, options.pods), (options.latency, options.pods // 4)):
            _print_speed(latency, pods, [_speed(server, n, options, pods, latency) for n in range(options.runs)])
        waits = [_latencies(server, n, options) for n in range(options.runs)]
    p50, p99 = (statistics.median(_percentile(w, q) for w in waits) for q in (0.50, 0.99))
    print(f"API {options.latency} ms, {options.rate} pods/s: pod to address {p50:.0f} ms p50, {p99:.0f} ms p99")
    return 0


def _print_speed(latency: int, pods: int, speeds: Sequence[tuple[float, float, float]]) -> None:
    applied, bare, calls = (statistics.median(values) for values in zip(*speeds, strict=True))
    ratio = statistics.median(speed / loop for speed, loop, _ in speeds)
    print(
        f"API {latency} ms, {pods} pods: {applied:.0f} objects/s, bare loop {bare:.0f} objects/s, "
        f"ratio {ratio:.2f}, {calls:.2f} calls per pod"
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply", description="Measure the applier.")
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rate", type=int, default=20, help="pods per second for the latency (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="how long pods come (default: %(default)s)")
    parser.add_argument(
        "--latency", type=int, default=20, help="ms that the API takes to answer (default: %(default)s)"
    )
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class Site:
    """A fresh store and a fresh API; `apply` starts the applier."""

    store: DesiredStore
    database: str
    api: str
    concurrency: int

    @contextmanager
    def apply(self) -> Iterator[None]:
        """The applier as a process of its own, while the block lasts."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CONTRAIL_KUBE_")},
            "CONTRAIL_KUBE_DATABASE_URL": self.database,
            "CONTRAIL_KUBE_CONTRAIL_URLS": self.api,
            "CONTRAIL_KUBE_APPLIER_CONCURRENCY": str(self.concurrency),
            "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "WARNING",
        }
        process = subprocess.Popen([sys.executable, "-m", "applier", "run"], env=environment)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def bootstrap(self) -> None:
        """Network and namespaces, applied."""
        self.store.put(*BOOTSTRAP)
        for namespace in range(NAMESPACES):
            self.store.put(project(f"ns-{namespace}"), namespace=f"ns-{namespace}")
        self.wait()

    def wait(self) -> None:
        """Return when nothing is left to do."""
        while _scalar(self.store.engine, "SELECT count(*) FROM apply_state WHERE status <> 'applied'"):
            time.sleep(0.01)

    def calls(self) -> int:
        """Requests that the API has answered."""
        return sum(requests.get(f"{self.api}/_simulator/counters", timeout=10).json().values())


@contextmanager
def _site(server: EmbeddedPostgres, name: str, *, concurrency: int, latency: int = 0) -> Iterator[Site]:
    url = server.ensure_database(name)
    engine = connect(DatabaseSettings(url=url), application="benchmark")
    migrate(engine)
    command = [sys.executable, "-m", "simulators.contrail", "--port", "0", "--node", "node-1=192.0.2.1"]
    command += ["--latency", str(latency)] if latency else []
    with ExitStack() as stack:
        stack.callback(server.drop_database, name)
        stack.callback(engine.dispose)
        api = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(api.terminate)
        assert api.stdout is not None
        yield Site(DesiredStore(engine), url, api.stdout.readline().split()[-1], concurrency)


def _speed(
    server: EmbeddedPostgres, run: int, options: argparse.Namespace, count: int, latency: int
) -> tuple[float, float, float]:
    """Objects/s of the applier and of the bare loop (address reads are made, and not counted), calls per pod."""
    pods = [pod(f"ns-{n % NAMESPACES}", f"pod-{n}") for n in range(count)]
    with _site(server, f"speed_{run}", concurrency=options.concurrency, latency=latency) as site:
        with site.apply():
            site.bootstrap()
        _put(site.store, pods)
        before = site.calls()
        with site.apply():
            time.sleep(2.0)  # it has started, and found nothing due
            began = time.monotonic()
            _release(site.store.engine)
            site.wait()
            seconds = time.monotonic() - began
        calls = site.calls() - before
    with _site(server, f"bare_{run}", concurrency=options.concurrency, latency=latency) as site:
        with site.apply():
            site.bootstrap()
        bare = _bare(site, pods, reads=calls - 4 * count)
    return 4 * count / seconds, 4 * count / bare, calls / count


def _put(store: DesiredStore, pods: Sequence[Pod]) -> None:
    """Pods that wait to be released: they are put one by one, and shall all be there when the clock starts."""
    for namespace in range(NAMESPACES):
        mine = [o for n, p in enumerate(pods) if n % NAMESPACES == namespace for o in p.objects]
        store.put(*mine, namespace=f"ns-{namespace}")
    with store.engine.begin() as connection:
        connection.execute(
            text(f"UPDATE apply_state SET next_attempt_at = now() + interval '1 hour' WHERE {_UNFINISHED}")
        )


def _release(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE apply_state SET next_attempt_at = now() WHERE {_UNFINISHED}"))
        connection.execute(text("SELECT pg_notify('desired', '')"))


def _bare(site: Site, pods: Sequence[Pod], *, reads: int) -> float:
    """Seconds for the same requests from as many threads and nothing besides."""
    client = ContrailClient(ContrailSettings(urls=(site.api,)), pool_size=site.concurrency)
    name = {"type": "virtual-router", "fq_name": ["default-global-system-config", "node-1"]}
    router = requests.post(f"{site.api}/fqname-to-id", json=name, timeout=10).json()["uuid"]
    chunk = max(1, len(pods) // max(1, reads))

    def send(number: int) -> None:
        wanted = pods[number]
        for one in wanted.objects:
            _send(client, one, router)
        if number % chunk == chunk - 1:
            uuids = [p.address.uuid for p in pods[number - chunk + 1 : number + 1]]
            client.read_many("instance-ip", fields=ADDRESS_FIELDS, uuids=uuids)

    began = time.monotonic()
    with ThreadPoolExecutor(site.concurrency) as pool:
        list(pool.map(send, range(len(pods))))
    seconds = time.monotonic() - began
    client.close()
    return seconds


def _send(client: ContrailClient, one: ContrailObject | Link, router: str) -> None:
    if isinstance(one, Link):
        answer = client.ref_update(wire.ref_update(one, router, wire.ADD))
    else:
        answer = client.create(one.type, wire.create_fields(one))
    assert answer.ok, answer


def _latencies(server: EmbeddedPostgres, run: int, options: argparse.Namespace) -> list[float]:
    """Milliseconds from commit to address, one per pod."""
    with (
        _site(server, f"latency_{run}", concurrency=options.concurrency, latency=options.latency) as site,
        site.apply(),
    ):
        site.bootstrap()
        for namespace in range(NAMESPACES):  # networks and nodes are looked up once
            site.store.put(*pod(f"ns-{namespace}", "first").objects, namespace=f"ns-{namespace}")
        site.wait()
        return list(_paced(site, options.rate, options.rate * options.seconds))


def _paced(site: Site, rate: int, count: int) -> Iterator[float]:
    waiting: dict[str, float] = {}
    begun = time.monotonic()
    sent = 0
    with site.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while sent < count or waiting:
            while sent < count and time.monotonic() >= begun + sent / rate:
                new = pod(f"ns-{sent % NAMESPACES}", f"paced-{sent}")
                site.store.put(*new.objects, namespace=f"ns-{sent % NAMESPACES}")
                waiting[new.address.uuid] = time.monotonic()
                sent += 1
            query = text("SELECT uuid::text FROM observed_object WHERE uuid = ANY(CAST(:uuids AS uuid[]))")
            for uuid in connection.scalars(query, {"uuids": list(waiting)}).all() if waiting else ():
                yield (time.monotonic() - waiting.pop(uuid)) * 1000
            time.sleep(POLL)


def _scalar(engine: Engine, query: str) -> Any:
    with engine.connect() as connection:
        return connection.scalar(text(query))


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
