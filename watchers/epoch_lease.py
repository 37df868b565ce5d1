"""Epochs as annotations of a Lease in the cluster: one truth for all watchers, wherever they run.

The Lease is changed by compare-and-swap on its resourceVersion; it is made when there is none. Nothing but its
annotations is touched.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from schemas.errors import KubernetesForbidden, KubernetesUnavailable
from watchers.connection import Connection
from watchers.epochs import raised

PREFIX = "opencontrail.org"
TRIES = 20
TIMEOUT = 10.0
Json = dict[str, Any]


class EpochLease:
    """An EpochSource for all watchers of a cluster."""

    def __init__(
        self, connection: Connection, *, namespace: str, name: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._clock = clock
        # Threads of one process would only lose their swaps to each other.
        self._lock = threading.Lock()

    def next(self, kind: str) -> int:
        """An epoch above every earlier one of the kind; in the cluster before it is returned."""

        def up(annotations: dict[str, str]) -> int:
            epoch = raised(_number(annotations.get(f"{PREFIX}/epoch.{kind}")), now=self._clock())
            annotations[f"{PREFIX}/epoch.{kind}"] = str(epoch)
            return epoch

        return self._swap(up)

    def known(self, kind: str) -> int:
        """What was last remembered."""
        lease = self._get()
        return _number(_annotations(lease).get(f"{PREFIX}/known.{kind}")) if lease else 0

    def remember(self, kind: str, count: int) -> None:
        """Remember how many objects there are."""

        def note(annotations: dict[str, str]) -> int:
            annotations[f"{PREFIX}/known.{kind}"] = str(count)
            return count

        self._swap(note)

    def _swap(self, change: Callable[[dict[str, str]], int]) -> int:
        """Change the annotations of the newest Lease; what `change` returned for the one that was accepted."""
        with self._lock:
            for _ in range(TRIES):
                lease = self._get()
                fresh = lease or {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name, "namespace": self._namespace},
                }
                annotations = _annotations(fresh)
                result = change(annotations)
                fresh["metadata"]["annotations"] = annotations
                method, path = ("PUT", self._path) if lease else ("POST", self._collection)
                status, _ = self._send(method, path, fresh, frozenset({404, 409}))
                if status // 100 == 2:
                    return result
                if status == 404 and not lease:
                    raise KubernetesUnavailable(
                        f"namespace {self._namespace} of the watchers' Lease does not exist: make it, or name another"
                        " with CONTRAIL_KUBE_WATCHERS_LEASE_NAMESPACE"
                    )
        raise KubernetesUnavailable(
            f"Lease {self._namespace}/{self._name}: lost {TRIES} swaps in a row; who else writes it?"
        )

    def _get(self) -> Json | None:
        status, lease = self._send("GET", self._path, None, frozenset({404}))
        return lease if status == 200 else None

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    def _send(self, method: str, path: str, body: Json | None, answers: frozenset[int]) -> tuple[int, Json]:
        data = None if body is None else json.dumps(body).encode()
        try:
            response = self._connection.request(method, path, body=data, read_timeout=TIMEOUT, answers=answers)
        except KubernetesForbidden as error:
            raise KubernetesForbidden(
                f"epochs are kept in Lease {self._namespace}/{self._name}, which needs get, create and update on"
                f" leases (coordination.k8s.io) in that namespace: {error};"
                " or keep them on this machine with CONTRAIL_KUBE_WATCHERS_EPOCH_FILE"
            ) from error
        text = self._connection.read(response, doing=f"{method} {self._connection.server}{path}")
        if response.status in answers:
            return response.status, {}
        try:
            return response.status, json.loads(text)
        except ValueError as error:
            raise KubernetesUnavailable(f"{method} {self._connection.server}{path}: not JSON: {text[:80]!r}") from error


def _annotations(lease: Json) -> dict[str, str]:
    return dict(lease["metadata"].get("annotations") or {})


def _number(text: str | None) -> int:
    """The number in an annotation; 0 for nothing, and for what a person's hand has spoiled."""
    return int(text) if text is not None and text.isdecimal() else 0
