"""How fast the applier is: objects per second beside a bare loop of the same requests, latency per pod, a warm start.

    python -m benchmarks.apply [--pods N] [--runs R] [--concurrency C] [--latencies 0,2,20] [--work 2]
                               [--rate PODS_PER_SECOND] [--applied OBJECTS]

The applier runs as its own process over a real, durable PostgreSQL; the simulated config API is a process too, and
all share this machine's cores. So the CPU seconds of each process are printed beside the speed: where an API that
answers at once leaves no core idle, their sums say how fast both can be. Each run measures applier and bare loop one
after the other; the ratio is taken within a run, and medians over the runs. Latency is from the commit of a pod's
desired objects to its address in the store, with an API that takes the longest of the latencies for each answer.
The real API is one process that works about 2 ms on a request while all others wait: that is `--work`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, text

from benchmarks.bare_loop import bare_loop
from benchmarks.contrail_site import NAMESPACES, Site, site, until
from benchmarks.cpu import used
from benchmarks.warm_start import print_warm_start
from console.postgres import EmbeddedPostgres
from tests.applier.desired import DesiredStore
from tests.applier.objects import Pod, pod

OBJECTS = 4
"""Objects of a pod: virtual-machine, virtual-machine-interface, instance-ip, and the link from its node."""
POLL = 0.002
_UNFINISHED = "status <> 'applied'"


def main(arguments: Sequence[str]) -> int:
    """Run it and print the figures."""
    options = _options(arguments)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print(f"load before {os.getloadavg()[0]:.1f}; concurrency {options.concurrency}, medians of {options.runs} runs")
    latencies = [int(part) for part in options.latencies.split(",")]
    with EmbeddedPostgres(durable=True) as server:
        apis = [Api(latency) for latency in latencies] + ([Api(0, options.work)] if options.work else [])
        for api in apis:
            pods = max(50, options.pods // (1 + api.latency // 4 + api.work))
            _print_speed(api, pods, [_speed(server, n, options, pods, api) for n in range(options.runs)])
        if options.rate:
            slowest = max(latencies)
            waits = [_latencies(server, n, options, slowest) for n in range(options.runs)]
            p50, p99 = (statistics.median(_percentile(w, q) for w in waits) for q in (0.50, 0.99))
            print(f"API {slowest} ms, {options.rate} pods/s: pod to address {p50:.0f} ms p50, {p99:.0f} ms p99")
        if options.applied:
            print_warm_start(server, objects=options.applied, concurrency=options.concurrency)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply", description="Measure the applier.")
    parser.add_argument("--pods", type=int, default=3000, help="fewer of a slow API (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--latencies", default="0,2,20", help="ms that the API takes to answer (default: %(default)s)")
    parser.add_argument("--work", type=int, default=2, help="ms per request, one after another; 0: none (%(default)s)")
    parser.add_argument("--rate", type=int, default=20, help="pods per second for the latency; 0: none (%(default)s)")
    parser.add_argument("--seconds", type=int, default=15, help="how long pods come (default: %(default)s)")
    parser.add_argument("--applied", type=int, default=100_000, help="objects of the warm start; 0: none (%(default)s)")
    return parser.parse_args(arguments)


@dataclass(frozen=True, slots=True)
class Api:
    """Milliseconds that each answer takes, at the same time for all, and milliseconds of work, one by one."""

    latency: int
    work: int = 0

    def __str__(self) -> str:
        return f"{self.work} ms for one request after another" if self.work else f"{self.latency} ms"


@dataclass(frozen=True, slots=True)
class Speed:
    """One run: objects/s of the applier and of both bare loops, calls per pod, CPU seconds of each by process."""

    applied: float
    bare: float
    plain: float
    calls: float
    applied_cpu: Mapping[str, float]
    bare_cpu: Mapping[str, float]


def _print_speed(api: Api, pods: int, runs: Sequence[Speed]) -> None:
    applied, bare, plain, calls = (
        statistics.median(getattr(run, what) for run in runs) for what in ("applied", "bare", "plain", "calls")
    )
    ratio = statistics.median(run.applied / run.bare for run in runs)
    plain_ratio = statistics.median(run.applied / run.plain for run in runs)
    print(
        f"API {api}, {pods} pods: {applied:.0f} objects/s, bare loop {bare:.0f} objects/s, "
        f"ratio {ratio:.2f}; with requests.Session {plain:.0f} objects/s, ratio {plain_ratio:.2f}; "
        f"{calls:.2f} calls per pod"
    )
    for who, measured in (
        ("applier", [run.applied_cpu for run in runs]),
        ("bare loop", [run.bare_cpu for run in runs]),
    ):
        per_thousand = {
            name: statistics.median(cpu[name] for cpu in measured) * 1000 / (OBJECTS * pods) for name in measured[0]
        }
        total = sum(per_thousand.values())
        parts = ", ".join(f"{name} {seconds:.3f}" for name, seconds in sorted(per_thousand.items()))
        most = (os.cpu_count() or 1) * 1000 / total
        print(f"    CPU s per 1,000 objects, {who}: {parts}; together {total:.3f}: at most {most:.0f} objects/s here")


def _speed(server: EmbeddedPostgres, run: int, options: argparse.Namespace, count: int, api: Api) -> Speed:
    pods = [pod(f"ns-{n % NAMESPACES}", f"pod-{n}") for n in range(count)]
    with site(server, f"speed_{run}", concurrency=options.concurrency, latency=api.latency, work=api.work) as here:
        with here.apply():
            here.bootstrap()
        _put(here.store, pods)
        before = sum(here.calls().values())
        with here.apply():
            until(here.is_ready)
            seconds, applied_cpu = _timed(here, lambda: _release_and_wait(here))
        calls = sum(here.calls().values()) - before - 1  # without the probe
    with site(server, f"bare_{run}", concurrency=options.concurrency, latency=api.latency, work=api.work) as here:
        with here.apply():
            here.bootstrap()
        bare, bare_cpu = _timed(here, lambda: bare_loop(here, pods, reads=calls - OBJECTS * count))
    with site(server, f"plain_{run}", concurrency=options.concurrency, latency=api.latency, work=api.work) as here:
        with here.apply():
            here.bootstrap()
        plain = bare_loop(here, pods, reads=calls - OBJECTS * count, plain=True)
    objects = OBJECTS * count
    return Speed(objects / seconds, objects / bare, objects / plain, calls / count, applied_cpu, bare_cpu)


def _timed(here: Site, work: Callable[[], float]) -> tuple[float, dict[str, float]]:
    before = here.cpu()
    seconds = work()
    return seconds, used(before, here.cpu())


def _release_and_wait(here: Site) -> float:
    began = time.monotonic()
    _release(here.store.engine)
    here.wait()
    return time.monotonic() - began


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


def _latencies(server: EmbeddedPostgres, run: int, options: argparse.Namespace, latency: int) -> list[float]:
    """Milliseconds from commit to address, one per pod."""
    with (
        site(server, f"latency_{run}", concurrency=options.concurrency, latency=latency) as here,
        here.apply(),
    ):
        here.bootstrap()
        for namespace in range(NAMESPACES):  # networks and nodes are looked up once
            here.store.put(*pod(f"ns-{namespace}", "first").objects, namespace=f"ns-{namespace}")
        here.wait()
        return list(_paced(here, options.rate, options.rate * options.seconds))


def _paced(here: Site, rate: int, count: int) -> Iterator[float]:
    waiting: dict[str, float] = {}
    begun = time.monotonic()
    sent = 0
    with here.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while sent < count or waiting:
            while sent < count and time.monotonic() >= begun + sent / rate:
                new = pod(f"ns-{sent % NAMESPACES}", f"paced-{sent}")
                here.store.put(*new.objects, namespace=f"ns-{sent % NAMESPACES}")
                waiting[new.address.uuid] = time.monotonic()
                sent += 1
            query = text("SELECT uuid::text FROM observed_object WHERE uuid = ANY(CAST(:uuids AS uuid[]))")
            for uuid in connection.scalars(query, {"uuids": list(waiting)}).all() if waiting else ():
                yield (time.monotonic() - waiting.pop(uuid)) * 1000
            time.sleep(POLL)


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
