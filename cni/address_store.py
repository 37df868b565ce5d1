"""The address store on PostgreSQL: reads the view pod_address, and nothing else (shell).

Short transactions without session state, so that it works behind a pooler in transaction mode; no LISTEN, and
idle connections are given back, because every node of the cluster runs one of these.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, column, select, table, text

from cni.addresses import PodAddress
from cni.requests import Pod
from schemas.settings import DatabaseSettings
from schemas.store.engine import connect, store_errors

_NAMES = tuple(spec.name for spec in fields(PodAddress))
_VIEW = table("pod_address", column("cluster"), *(column(name) for name in _NAMES))
_ROWS = select(*(_VIEW.c[name] for name in _NAMES)).order_by(_VIEW.c.interface, _VIEW.c.family)
_AS_IS = frozenset({"family", "address", "prefix_len", "gateway", "dns", "linked", "vlan"})
"""Columns that keep their type, or may be NULL; every other is a text."""

QUERY_LIMIT_MS = 2000
"""Milliseconds that the server may spend on one look: an ADD looks again anyway."""


class PostgresAddresses:
    """Rows of one cluster; thread-safe."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        cluster: str,
        node: str,
        idle: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = connect(settings, application=f"cni/{node}", pool_size=2, pooler=True)
        self._cluster = cluster
        self._idle = idle
        self._clock = clock
        self._used = clock()
        self._lock = threading.Lock()

    def addresses(self, pod: Pod) -> tuple[PodAddress, ...]:
        """Rows of the pod; see AddressStore."""
        rows = _ROWS.where(_VIEW.c.cluster == self._cluster)
        if pod.uid:
            rows = rows.where(_VIEW.c.pod_uid == pod.uid)
        else:
            rows = rows.where(_VIEW.c.namespace == pod.namespace, _VIEW.c.pod == pod.name)
        return self._read(rows, f"read the addresses of pod {pod}")

    def check(self) -> None:
        """Raise unless the view can be read."""
        self._read(_ROWS.limit(0), "read pod addresses")

    def rest(self) -> None:
        """Close the connections when none was used for a while."""
        with self._lock:
            idle = self._clock() - self._used
            if idle >= self._idle:
                self._engine.dispose()
                self._used = self._clock()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _read(self, statement: Select[Any], doing: str) -> tuple[PodAddress, ...]:
        with self._lock:
            self._used = self._clock()
        with store_errors(doing, self._engine), self._engine.connect() as connection:
            connection.execute(text(f"SET LOCAL statement_timeout = {QUERY_LIMIT_MS}"))
            return tuple(_row(row._mapping) for row in connection.execute(statement))


def _row(values: Mapping[Any, Any]) -> PodAddress:
    columns: dict[str, Any] = {n: values[n] if n in _AS_IS else str(values[n] or "") for n in _NAMES}
    return PodAddress(**columns)
