"""How fast the watchers list, decode, suppress and publish, on one core.

    python -m benchmarks.watch [--pods N] [--rounds R] [--kafka HOST:PORT | --kafka rig]

Pods of about 7 kB come from a server in a process of its own, each event a chunk of its own as the API server sends
them, over plain HTTP (TLS costs more, and is the library's). `null` is a producer that forgets: what is measured
is ours. Latency is from the server's write to the record being durable in a log directory. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kubernetes.client import Configuration

from benchmarks import facts, objects
from benchmarks.pod_server import event, pod, serving
from schemas.bus.log import LogProducer
from schemas.bus.port import Producer
from schemas.health import Health
from tests.rigs.kafka_broker import KafkaBroker
from watchers.kinds import Kind, endpoint_slice, network_policy, service, workload
from watchers.kinds import pod as pods
from watchers.service import run as run_service
from watchers.settings import WatchersSettings

LATENCY_EVENTS = 200
LATENCY_RATE = 50.0


class _Noting:
    """A Producer around another (or none) that notes when a record with a key is durable."""

    topic = "k8s.changes.k8s"
    partitions = 4

    def __init__(self, inner: Producer | None, noted: Callable[[list[bytes]], None]) -> None:
        self._inner, self._noted, self._values = inner, noted, list[bytes]()

    def publish(
        self, partition: int, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        if self._inner:
            self._inner.publish(partition, key, value, headers)
        self._values.append(value or b"")

    def flush(self, timeout: float) -> None:
        if self._inner:
            self._inner.flush(timeout)
        self._noted(self._values)
        self._values = []

    def close(self) -> None:
        if self._inner:
            self._inner.close()


@contextmanager
def _watching(port: int, directory: Path, open_producer: Callable[[], Producer]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=lambda: run_service(
            WatchersSettings(epoch_file=str(directory / "epochs.json"), streamed_lists=False),
            cluster="k8s",
            load=lambda: Configuration(host=f"http://127.0.0.1:{port}"),
            open_producer=open_producer,
            stop=stop,
            health=Health(),
            kinds=(pods.KIND,),
        )
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the whole service: seconds are of the clock, rates are per CPU second of its process."""

    snapshot_seconds: float
    snapshot_rate: float
    unchanged_rate: float
    changed_rate: float
    grown_bytes: int


def watched(count: int) -> Run:
    """A snapshot of `count` pods, then a storm of unchanged and one of changed ones, published to null."""
    seen: set[bytes] = set()
    arrived = threading.Condition()

    def noted(values: list[bytes]) -> None:
        with arrived:
            seen.update(mark for mark in (b"snapshot_end", b"done") if any(mark in value for value in values))
            arrived.notify_all()

    def spent(mark: bytes, began: float) -> float:
        with arrived:
            assert arrived.wait_for(lambda: mark in seen, 120), mark
            seen.clear()
        return time.process_time() - began

    with serving(count) as (pipe, port), TemporaryDirectory() as directory:
        before, began, clock = _resident(), time.process_time(), time.monotonic()
        with _watching(port, Path(directory), lambda: _Noting(None, noted)):
            rates = [count / spent(b"snapshot_end", began)]
            seconds = time.monotonic() - clock
            for label in ("", "x"):
                pipe.send((count, label))
                pipe.recv()
                rates.append(count / spent(b"done", time.process_time()))
            grown = _resident() - before
    return Run(seconds, rates[0], rates[1], rates[2], grown)


def latency() -> list[float]:
    """Seconds from the server's write to the record being durable in a log directory, of events at a low rate."""
    seen: list[float] = []

    def noted(values: list[bytes]) -> None:
        now = time.monotonic()
        for value in values:
            if (at := value.find(b"sent")) >= 0:  # an Avro map: the key, the length of the value doubled, the value
                seen.append(now - float(value[at + 5 : at + 5 + value[at + 4] // 2]))

    with serving(10) as (pipe, port), TemporaryDirectory() as name:
        directory = Path(name)
        log = directory / "log"
        with _watching(port, directory, lambda: _Noting(LogProducer(log, "k8s.changes.k8s", 4), noted)):
            time.sleep(0.5)
            for number in range(LATENCY_EVENTS):
                pipe.send(number)
                time.sleep(1 / LATENCY_RATE)
            time.sleep(0.5)
    assert len(seen) == LATENCY_EVENTS, len(seen)
    return sorted(seen)


def _resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__)
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kafka", default="", help="a broker to measure the producer against; rig: the tests' own")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"a pod is {len(event(0, version=1))} bytes; medians of {options.rounds} rounds")
    runs = [watched(options.pods) for _ in range(options.rounds)]
    print(
        f"snapshot of {options.pods:,} pods, start to null: {_median(runs, 'snapshot_seconds'):.2f} s,"
        f" {_median(runs, 'snapshot_rate'):,.0f} pods per CPU second"
    )
    print(
        f"watch over HTTP to null: {_median(runs, 'unchanged_rate'):,.0f} unchanged,"
        f" {_median(runs, 'changed_rate'):,.0f} changed events per CPU second"
    )
    # The first run only: later ones find memory that earlier ones have left.
    grown = runs[0].grown_bytes / 2**20 / options.pods * 10_000
    print(f"memory: {grown:.0f} MiB per 10,000 pods after snapshot and storms, code included")
    _print_kinds(options.pods, options.rounds)
    if options.kafka:
        _print_producer(options.kafka, options.pods)
    delays = latency()
    p50, p99 = (delays[int(len(delays) * share)] * 1000 for share in (0.5, 0.99))
    print(f"server's write to durable log record at {LATENCY_RATE:.0f} events/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def _print_kinds(count: int, rounds: int) -> None:
    """No network: only what one core makes of bytes."""
    print("events per CPU second            bytes  unchanged    changed    encoded    decoded")
    for kind, make, share in KINDS:
        found = [facts.measure(kind, make, max(1, count // share)) for _ in range(rounds)]
        rates = (statistics.median(getattr(each, field) for each in found) for field in facts.FIELDS)
        print(f"  {kind.name:28}{found[0].size:8,}" + "".join(f"{rate:11,.0f}" for rate in rates))


def _print_producer(broker: str, count: int) -> None:
    if broker == "rig":
        with KafkaBroker() as rig:
            rate = facts.produced(rig.bootstrap_servers, pods.KIND, _marked_pod, count)
    else:
        rate = facts.produced((broker,), pods.KIND, _marked_pod, count)
    print(f"pods encoded and made durable by Kafka: {rate.clock:,.0f} events/s, {rate.cpu:,.0f} per CPU second")


def _marked_pod(number: int, mark: str) -> dict[str, Any]:
    return pod(number, version=1, **({"round": mark} if mark else {}))


KINDS: tuple[tuple[Kind, Callable[[int, str], dict[str, Any]], int], ...] = (
    (pods.KIND, _marked_pod, 1),
    (endpoint_slice.KIND, objects.endpoint_slice, 10),
    (network_policy.KIND, objects.network_policy, 2),
    (service.KIND, objects.service, 2),
    (workload.KINDS[1], objects.replica_set, 1),
)
"""Kind, how its objects are made, and how many fewer of them than pods are measured."""


def _median(runs: Sequence[Run], field: str) -> float:
    return float(statistics.median(getattr(run, field) for run in runs))


if __name__ == "__main__":
    main()
