"""How fast the watchers list, decode, suppress and publish, on one core.

    python -m benchmarks.watch [--pods N] [--rounds R]

Pods of about 7 kB come from a server in a process of its own, each event a chunk of its own as the API server sends
them, over plain HTTP (TLS costs more, and is the library's). `null` is a producer that forgets: what is measured
is ours. Latency is from the server's write to the record being durable in a log directory. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import socketserver
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes.client import Configuration

from schemas.bus.log import LogProducer
from schemas.bus.port import Producer
from schemas.health import Health
from watchers.decoding import Change, Decoding
from watchers.inventory import Inventory
from watchers.kinds import pod as pods
from watchers.service import run
from watchers.settings import WatchersSettings

LATENCY_EVENTS = 200
LATENCY_RATE = 50.0
VERSION = 1000


def pod(number: int, *, version: int, **labels: str) -> dict[str, Any]:
    """A pod as the API server writes it, about 7 kB."""
    fields = {"f:spec": {f"f:field-{i}": {"f:name": {}, "f:value": {}} for i in range(35)}}
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "metadata": {
            "name": f"web-{number}",
            "namespace": f"ns-{number % 50}",
            "uid": f"0c2b5d0e-5a3b-4a25-8f61-{number:012d}",
            "resourceVersion": str(version),
            "labels": {"app": "web", "tier": "frontend", "pod-template-hash": "5d4f8c7b9", **labels},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "y" * 800},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
            ],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}],
        },
        "spec": {
            "nodeName": f"node-{number % 200}",
            "containers": [
                {
                    "name": "web",
                    "image": "example.org/web:1",
                    "env": [{"name": f"VARIABLE_{i}", "value": "x" * 60} for i in range(30)],
                    "ports": [{"containerPort": 80, "name": "http", "protocol": "TCP"}],
                }
            ],
            "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
        },
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": "10.32.0.1"}],
            "hostIPs": [{"ip": "198.18.0.1"}],
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"} for kind in conditions
            ],
        },
    }


def _json(thing: Any) -> bytes:
    return json.dumps(thing, separators=(",", ":")).encode()


def _event(number: int, *, version: int, **labels: str) -> bytes:
    return _json({"type": "MODIFIED", "object": pod(number, version=version, **labels)}) + b"\n"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class _Serving(socketserver.StreamRequestHandler):
    """Lists pages made beforehand; its one watch sends what the benchmark asks for through the pipe."""

    pages: list[bytes]
    pipe: Any

    def handle(self) -> None:
        while first := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            url = urlsplit(first.split()[1].decode())
            query = parse_qs(url.query)
            if "watch" in query:
                self._watch()
                return
            body = self.pages[int(query.get("continue", ["0"])[0])] if "limit" in query else b'{"metadata":{"uid":"u"}}'
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _watch(self) -> None:
        """An order is a pod to be changed now, or (count, label): a storm over so many pods and one more."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            order = self.pipe.recv()
            if isinstance(order, int):
                self.wfile.write(_chunk(_event(order, version=VERSION + 1, sent=f"{time.monotonic():.6f}")))
                continue
            count, label = order
            labels = {"round": label} if label else {}
            wire = b"".join(_chunk(_event(i, version=VERSION + 1, **labels)) for i in range(count))
            self.pipe.send("ready")
            self.wfile.write(wire)
            self.wfile.write(_chunk(_event(count, version=VERSION + 2, done=str(time.monotonic()))))


def _serve(pipe: Any, count: int, page_size: int) -> None:
    """Body of the server process; says its port first."""
    pages = []
    for start in range(0, count, page_size):
        end = min(start + page_size, count)
        following = {"continue": str(end // page_size)} if end < count else {}
        items = [pod(i, version=1) for i in range(start, end)]
        pages.append(_json({"metadata": {"resourceVersion": str(VERSION), **following}, "items": items}))
    handler = type("Serving", (_Serving,), {"pages": pages, "pipe": pipe})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        pipe.send(server.server_address[1])
        server.serve_forever()


@contextmanager
def _server(count: int) -> Iterator[tuple[Any, int]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs, count, 500), daemon=True)
    process.start()
    try:
        yield ours, ours.recv()
    finally:
        process.kill()
        process.join()


class _Noting:
    """A Producer around another (or none) that notes when a record with a key is durable."""

    topic = "k8s.changes.k8s"
    partitions = 4

    def __init__(self, inner: Producer | None, noted: Callable[[list[bytes]], None]) -> None:
        self._inner, self._noted, self._values = inner, noted, list[bytes]()

    def publish(self, partition: int, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        if self._inner:
            self._inner.publish(partition, key, value, headers)
        self._values.append(value)

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
        target=lambda: run(
            WatchersSettings(epoch_file=str(directory / "epochs.json")),
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


def decoding(count: int) -> tuple[float, float]:
    """Events per CPU second, decoded, normalized and compared: unchanged ones, changed ones; no network."""
    lines = [_event(i, version=1) for i in range(count)]
    rates = []
    for labels in ({}, {"round": "x"}):
        fresh = [_event(i, version=2, **labels) for i in range(count)]
        decode, inventory = Decoding(pods.KIND), Inventory()
        for data in lines:
            _put(decode, inventory, data)
        began = time.process_time()
        news = sum(_put(decode, inventory, data) for data in fresh)
        rates.append(count / (time.process_time() - began))
        assert news == (count if labels else 0)
    return rates[0], rates[1]


def _put(decode: Decoding, inventory: Inventory, data: bytes) -> bool:
    event = decode.line(data)
    assert isinstance(event, Change)
    return inventory.put(event.observed)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the whole service: seconds are of the clock, rates are per CPU second of its process."""

    snapshot_seconds: float
    snapshot_rate: float
    unchanged_rate: float
    changed_rate: float
    grown_bytes: int


def service(count: int) -> Run:
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

    with _server(count) as (pipe, port), TemporaryDirectory() as directory:
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

    with _server(10) as (pipe, port), TemporaryDirectory() as name:
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
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"a pod is {len(_event(0, version=1))} bytes; medians of {options.rounds} rounds")
    runs = [service(options.pods) for _ in range(options.rounds)]
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
    rounds = [decoding(options.pods) for _ in range(options.rounds)]
    unchanged, changed = (statistics.median(each[i] for each in rounds) for i in (0, 1))
    print(f"decode, normalize, compare: {unchanged:,.0f} unchanged, {changed:,.0f} changed events per CPU second")
    delays = latency()
    p50, p99 = (delays[int(len(delays) * share)] * 1000 for share in (0.5, 0.99))
    print(f"server's write to durable log record at {LATENCY_RATE:.0f} events/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


def _median(runs: Sequence[Run], field: str) -> float:
    return statistics.median(getattr(run, field) for run in runs)


if __name__ == "__main__":
    main()
