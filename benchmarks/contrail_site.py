"""What benchmarks of the applier run over: a durable PostgreSQL, the simulated config API, and `python -m applier`.

Each is a process of its own, so that their CPU time can be told apart.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from sqlalchemy import text

from benchmarks.cpu import cpu_seconds
from console.ports import free_port
from console.postgres import EmbeddedPostgres
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from tests.applier.desired import DesiredStore
from tests.applier.objects import BOOTSTRAP, project

NAMESPACES = 8
NODE = "node-1"
_POLL = 0.02


@dataclass(slots=True)
class Site:
    """A fresh store and a fresh API; `apply` starts the applier."""

    store: DesiredStore
    database: str
    api: str
    concurrency: int
    pids: dict[str, int] = field(default_factory=dict)
    """Of the processes whose CPU time counts, by name."""
    health_port: int = 0

    @contextmanager
    def apply(self) -> Iterator[int]:
        """The applier as a process of its own, while the block lasts; gives its pid."""
        self.health_port = free_port()
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CONTRAIL_KUBE_")},
            "CONTRAIL_KUBE_DATABASE_URL": self.database,
            "CONTRAIL_KUBE_CONTRAIL_URLS": self.api,
            "CONTRAIL_KUBE_APPLIER_CONCURRENCY": str(self.concurrency),
            "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "WARNING",
            "CONTRAIL_KUBE_PROCESS_HEALTH_PORT": str(self.health_port),
        }
        process = subprocess.Popen([sys.executable, "-m", "applier", "run"], env=environment)
        self.pids["applier"] = process.pid
        try:
            yield process.pid
        finally:
            del self.pids["applier"]
            process.terminate()
            process.wait(30)

    def is_ready(self) -> bool:
        """Whether the applier has loaded work, and knows that the API answers."""
        try:
            return requests.get(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def bootstrap(self) -> None:
        """Network and namespaces, applied."""
        self.store.put(*BOOTSTRAP)
        for namespace in range(NAMESPACES):
            self.store.put(project(f"ns-{namespace}"), namespace=f"ns-{namespace}")
        self.wait()

    def wait(self) -> None:
        """Return when nothing is left to do."""
        query = text("SELECT EXISTS (SELECT FROM apply_state WHERE status <> 'applied')")
        with self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            until(lambda: not connection.scalar(query))

    def calls(self) -> dict[str, int]:
        """Requests that the API has answered, by method and type."""
        counted: dict[str, int] = requests.get(f"{self.api}/_simulator/counters", timeout=10).json()
        return counted

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of every process, this one included."""
        return {"benchmark": time.process_time(), **{name: cpu_seconds(pid) for name, pid in self.pids.items()}}

    def scalar(self, query: str) -> Any:
        """One value from the store."""
        with self.store.engine.connect() as connection:
            return connection.scalar(text(query))


@contextmanager
def site(server: EmbeddedPostgres, name: str, *, concurrency: int, latency: int = 0, work: int = 0) -> Iterator[Site]:
    """A site in a database of this name.

    Its API takes `latency` milliseconds to answer, and `work` more for one request after another.
    """
    url = server.ensure_database(name)
    engine = connect(DatabaseSettings(url=url), application="benchmark")
    migrate(engine)
    command = [sys.executable, "-m", "simulators.contrail", "--port", "0", "--node", f"{NODE}=192.0.2.1"]
    command += ["--latency", str(latency), "--work", str(work)]
    with ExitStack() as stack:
        stack.callback(server.drop_database, name)
        stack.callback(engine.dispose)
        api = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(api.terminate)
        assert api.stdout is not None
        address = api.stdout.readline().split()[-1]
        postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        yield Site(DesiredStore(engine), url, address, concurrency, {"API": api.pid, "PostgreSQL": postmaster})


def until(condition: Callable[[], object], *, within: float = 600.0) -> None:
    """Return when the condition holds; raises TimeoutError."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so within {within:g} s")
        time.sleep(_POLL)


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Calls between two looks, by method and type."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
