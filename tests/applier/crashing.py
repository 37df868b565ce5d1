"""An applier that kills itself: a process that forks one applier per line it reads, which dies at the point it is told.

Points are counted over all threads: before a call is sent, when it was sent and when its answer begins; before and
after each statement, commit and rollback. Started as a module, with everything imported, a run costs its work only.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2 import extensions
from sqlalchemy import Engine, event

from applier.service import Applier
from schemas.store.migrate import head
from tests.applier.running import settings_for

API, DATABASE = "api", "database"
GIVE_UP = 30.0
"""Seconds after which an applier that neither died nor ended is reported."""
_UNFINISHED = "SELECT count(*) FROM apply_state WHERE status <> 'applied'"


class Points:
    """Counts points; at the fatal one, the process is gone."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def pass_(self, kind: str) -> None:
        """One more point."""
        with self._lock:
            self.counts[kind] += 1
            if self.counts.total() == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60.0)  # not one instruction more while the signal is on its way


def watch(points: Points) -> None:
    """Let every API call and every statement of this process pass points."""
    _watch_calls(points)
    _watch_statements(points)


def _watch_calls(points: Points) -> None:
    send = socket.socket.sendall  # the database's driver has sockets of its own
    hear = http.client.HTTPResponse.begin

    def sendall(self: socket.socket, *args: Any) -> None:
        points.pass_(API)
        send(self, *args)

    def begin(self: http.client.HTTPResponse) -> None:
        points.pass_(API)
        hear(self)
        points.pass_(API)

    socket.socket.sendall = sendall  # type: ignore[assignment,method-assign]
    http.client.HTTPResponse.begin = begin  # type: ignore[method-assign]


def _watch_statements(points: Points) -> None:
    def around(work: Callable[[], Any]) -> Any:
        points.pass_(DATABASE)
        done = work()
        points.pass_(DATABASE)
        return done

    class Cursor(extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            around(lambda: super(Cursor, self).execute(query, vars))

    class Connection(extensions.connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.cursor_factory = Cursor

        def commit(self) -> None:
            around(super().commit)

        def rollback(self) -> None:
            around(super().rollback)

    @event.listens_for(Engine, "do_connect")
    def connecting(dialect: Any, record: Any, args: Any, options: dict[str, Any]) -> None:
        options["connection_factory"] = Connection


def apply(order: dict[str, Any]) -> Counter[str]:
    """Work until nothing is left, or until the fatal point; returns how many points were passed."""
    points = Points(order["point"])
    watch(points)
    settings = settings_for(order["database"], order["contrail"], concurrency=order["concurrency"], backoff_first=0.02)
    applier = Applier(settings)
    threading.Thread(target=applier.run, daemon=True).start()
    deadline = time.monotonic() + GIVE_UP
    with psycopg2.connect(order["database"].replace("+psycopg2", "")) as looking:
        looking.autocommit = True
        with looking.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(_UNFINISHED)
                if cursor.fetchone() == (0,):
                    break
                time.sleep(0.003)
            else:
                points.counts["unfinished"] = 1
    return points.counts


def _serve(order: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(apply(order)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        counts = said.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return {"killed": killed, "points": json.loads(counts) if counts else {}}


def main() -> None:
    """Serve orders, one JSON object per line: database, contrail, point (0: none is fatal), concurrency."""
    head()  # imports what reading the migrations needs
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_serve(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
