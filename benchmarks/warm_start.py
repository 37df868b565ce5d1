"""A start of the applier over a store in which everything is applied: how long, which calls, how much memory.

    python -m benchmarks.warm_start [--applied OBJECTS]

The simulated API holds the objects: a bare loop has made them. The store gets them by COPY, as a translator and an
applier left them there. Time is from the start of the process until it is ready: it holds its shards, has loaded what
is due, and knows that the API answers. The calls are all that the API was asked until some seconds later.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.bare_loop import bare_loop
from benchmarks.contrail_site import NAMESPACES, Site, difference, site, until
from benchmarks.cpu import cpu_seconds, peak_megabytes
from console.postgres import EmbeddedPostgres
from schemas.contrail.objects import Desired, Entry, Link, joined
from schemas.identity import shard_of
from schemas.store.tables import SHARDS
from tests.applier.desired import CLUSTER
from tests.applier.objects import Pod, pod

WATCHED_SECONDS = 10.0
"""How long the applier is watched after it is ready."""
_DIGEST = hashlib.sha256(b"{}").hexdigest()


def print_warm_start(server: EmbeddedPostgres, *, objects: int, concurrency: int = 8) -> None:
    """Measure one warm start with about so many applied objects, and print it."""
    pods = [pod(f"ns-{n % NAMESPACES}", f"pod-{n}") for n in range(objects // 4)]
    with site(server, "warm_start", concurrency=concurrency) as here:
        with here.apply():
            here.bootstrap()
        bare_loop(here, pods, reads=0)
        fill(here.store.engine, pods)
        applied = here.scalar("SELECT count(*) FROM apply_state WHERE status = 'applied'")
        before = here.calls()
        _start_and_print(here, applied, before)


def _start_and_print(here: Site, applied: int, before: dict[str, int]) -> None:
    began = time.monotonic()
    with here.apply() as pid:
        until(here.is_ready)
        seconds = time.monotonic() - began
        time.sleep(WATCHED_SECONDS)
        cpu, memory = cpu_seconds(pid), peak_megabytes(pid)
        calls = difference(before, here.calls())
    writes = sum(count for name, count in calls.items() if not _only_reads(name))
    listed = ", ".join(f"{name} {count}" for name, count in sorted(calls.items())) or "none"
    print(f"warm start, {applied} applied objects: ready after {seconds:.1f} s, {writes} writes; all calls: {listed}")
    print(f"    {WATCHED_SECONDS:g} s later: CPU {cpu:.1f} s, at most {memory:.0f} MB resident")


def _only_reads(call: str) -> bool:
    method, _, what = call.partition(" ")
    return method == "GET" or what in ("fqname-to-id", "list-bulk-collection")


def fill(engine: Engine, pods: Iterable[Pod]) -> None:
    """COPY the pods' objects, as applied, with their edges and addresses."""
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            for statement, lines in _tables(list(pods)):
                cursor.copy_expert(statement, io.StringIO("".join(lines)))
        connection.execute(text("ANALYZE"))


def _tables(pods: Sequence[Pod]) -> Iterator[tuple[str, Iterator[str]]]:
    yield (
        "COPY desired_object (uuid, cluster, shard, namespace, type, fq_name, body, digest, generation) FROM STDIN",
        (_object(n, wanted) for n, wanted in _objects(pods)),
    )
    yield (
        "COPY apply_state (object_uuid, shard, status, desired_generation, applied_generation) FROM STDIN",
        (_line(wanted.uuid, _shard(n), "applied", 1, 1) for n, wanted in _objects(pods)),
    )
    yield (
        "COPY desired_edge (from_uuid, to_uuid, relation) FROM STDIN",
        (_line(wanted.uuid, *edge) for _, wanted in _objects(pods) for edge in _edges(wanted)),
    )
    yield (
        "COPY observed_object (uuid, type, body, digest) FROM STDIN",
        (_line(p.address.uuid, "instance-ip", '{"address": "10.32.0.5"}', rf"\\x{_DIGEST}") for p in pods),
    )


def _objects(pods: Sequence[Pod]) -> Iterator[tuple[int, Desired]]:
    return ((n % NAMESPACES, wanted) for n, one in enumerate(pods) for wanted in one.objects)


def _object(namespace: int, wanted: Desired) -> str:
    body = json.dumps(wanted.body(), sort_keys=True)
    digest = rf"\\x{hashlib.sha256(body.encode()).hexdigest()}"
    name, shard = f"ns-{namespace}", _shard(namespace)
    escaped = body.replace("\\", "\\\\")
    return _line(wanted.uuid, CLUSTER, shard, name, wanted.type, joined(wanted.fq_name), escaped, digest, 1)


def _shard(namespace: int) -> int:
    return shard_of(f"ns-{namespace}", SHARDS)


def _edges(wanted: Desired) -> list[tuple[str, str]]:
    if isinstance(wanted, Link):
        return [(wanted.target_uuid, "ref")]
    if isinstance(wanted, Entry):
        return []
    found = [(reference.uuid, "ref") for reference in wanted.references if reference.uuid]
    return [*found, *([(wanted.parent_uuid, "parent")] if wanted.parent_uuid else [])]


def _line(*values: object) -> str:
    return "\t".join(map(str, values)) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warm_start", description="Measure a warm start.")
    parser.add_argument("--applied", type=int, default=100_000, help="objects (default: %(default)s)")
    options = parser.parse_args(arguments)
    with EmbeddedPostgres(durable=True) as server:
        print_warm_start(server, objects=options.applied)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
