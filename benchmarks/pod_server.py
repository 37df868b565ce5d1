"""A server of pods in a process of its own, so that its work is not the watchers': lists, streams, and storms to order.

Each event is a chunk of its own, as the API server sends them, over plain HTTP.
"""

from __future__ import annotations

import json
import multiprocessing
import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

VERSION = 1000


def pod(number: int, *, version: int, **labels: str) -> dict[str, Any]:
    """A pod as the API server writes it, about 7 kB."""
    fields: dict[str, Any] = {"f:spec": {f"f:field-{i}": {"f:name": {}, "f:value": {}} for i in range(35)}}
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
                    "env": [{"name": f"VARIABLE_{i}", "value": "x" * 60} for i in range(38)],
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


def as_json(thing: Any) -> bytes:
    """Compact JSON, as Go writes it."""
    return json.dumps(thing, separators=(",", ":")).encode()


def event(number: int, *, version: int, **labels: str) -> bytes:
    """A watch line with the pod, changed."""
    return as_json({"type": "MODIFIED", "object": pod(number, version=version, **labels)}) + b"\n"


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class _Serving(socketserver.StreamRequestHandler):
    """Lists pages made beforehand; its one watch sends what the benchmark asks for through the pipe."""

    count: int
    pages: list[bytes]
    pipe: Any

    def handle(self) -> None:
        while first := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            url = urlsplit(first.split()[1].decode())
            query = parse_qs(url.query)
            if "sendInitialEvents" in query:
                self._stream()
                return
            if "watch" in query:
                self._watch()
                return
            body = self.pages[int(query.get("continue", ["0"])[0])] if "limit" in query else b'{"metadata":{"uid":"u"}}'
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def _stream(self) -> None:
        """The list as a stream, as the API server sends it: each object an event, and a bookmark at the end."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(self.count):
            self.wfile.write(_chunk(as_json({"type": "ADDED", "object": pod(number, version=1)}) + b"\n"))
        ended = {"resourceVersion": str(VERSION), "annotations": {"k8s.io/initial-events-end": "true"}}
        self.wfile.write(_chunk(as_json({"type": "BOOKMARK", "object": {"metadata": ended}}) + b"\n") + _chunk(b""))

    def _watch(self) -> None:
        """An order is a pod to be changed now, or (count, label): a storm over so many pods and one more."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            order = self.pipe.recv()
            if isinstance(order, int):
                self.wfile.write(_chunk(event(order, version=VERSION + 1, sent=f"{time.monotonic():.6f}")))
                continue
            count, label = order
            labels = {"round": label} if label else {}
            wire = b"".join(_chunk(event(i, version=VERSION + 1, **labels)) for i in range(count))
            self.pipe.send("ready")
            self.wfile.write(wire)
            self.wfile.write(_chunk(event(count, version=VERSION + 2, done=str(time.monotonic()))))


def _serve(pipe: Any, count: int, page_size: int) -> None:
    """Body of the server process; says its port first."""
    pages = []
    for start in range(0, count, page_size):
        end = min(start + page_size, count)
        following = {"continue": str(end // page_size)} if end < count else {}
        items = [pod(i, version=1) for i in range(start, end)]
        pages.append(as_json({"metadata": {"resourceVersion": str(VERSION), **following}, "items": items}))
    handler = type("Serving", (_Serving,), {"count": count, "pages": pages, "pipe": pipe})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        pipe.send(server.server_address[1])
        server.serve_forever()


@contextmanager
def serving(count: int) -> Iterator[tuple[Any, int]]:
    """A server of so many pods: the pipe that takes orders (see `_watch`), and its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(theirs, count, 500), daemon=True)
    process.start()
    try:
        yield ours, ours.recv()
    finally:
        process.kill()
        process.join()
