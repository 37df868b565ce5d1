"""One Lease (coordination.k8s.io/v1) in the cluster, changed by compare-and-swap on its resourceVersion.

It is made when there is none. Who leads is in its spec, what leaders leave to each other in its annotations.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from schemas.errors import KubernetesForbidden, KubernetesUnavailable
from watchers.connection import Connection

T = TypeVar("T")
Json = dict[str, Any]
TRIES = 20
WATCHERS = "watchers"


class Lease:
    """The one Lease of all watchers of a cluster; thread-safe. `timeout` bounds each wait for an answer, in seconds.

    `of` names whose it is, where it is not the watchers'.
    """

    def __init__(
        self, connection: Connection, *, namespace: str, name: str, timeout: float = 5.0, of: str = WATCHERS
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._timeout = timeout
        self._of = of
        self._turn = threading.Lock()
        self._seen: Json = {}

    def __str__(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    @property
    def seen(self) -> dict[str, str]:
        """The annotations as they were when last looked at, by whichever thread."""
        return notes_of(self._seen)

    def look(self) -> Json | None:
        """The Lease as it is now; None if there is none."""
        status, lease = self._send("GET", self._path, None, frozenset({404}))
        self._seen = lease
        return lease if status == 200 else None

    def swap(self, change: Callable[[Json], T], *, urgent: bool = False) -> T:
        """Change the newest Lease; what `change` returned for the one that was accepted.

        Threads take turns, since they would only lose their swaps to each other; one that is `urgent` does not
        wait for its turn, which may be far off while the API server is slow.

        `change` works on the object in place, perhaps several times; metadata, its annotations and spec are there.
        What it raises ends the swap, and nothing is written.
        """
        with nullcontext() if urgent else self._turn:
            for _ in range(TRIES):
                lease = self.look()
                fresh = lease or {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name, "namespace": self._namespace},
                }
                fresh["metadata"]["annotations"] = notes_of(fresh)
                fresh["spec"] = dict(fresh.get("spec") or {})
                result = change(fresh)
                method, path = ("PUT", self._path) if lease else ("POST", self._collection)
                status, _ = self._send(method, path, fresh, frozenset({404, 409}))
                if status // 100 == 2:
                    self._seen = fresh
                    return result
                if status == 404 and not lease:
                    raise KubernetesUnavailable(
                        f"namespace {self._namespace} of {self} does not exist: make it, or name another"
                        f" with CONTRAIL_KUBE_{self._of.upper()}_LEASE_NAMESPACE"
                    )
        raise KubernetesUnavailable(f"{self}: lost {TRIES} swaps in a row; who else writes it?")

    @property
    def _collection(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self._name}"

    def _send(self, method: str, path: str, body: Json | None, answers: frozenset[int]) -> tuple[int, Json]:
        data = None if body is None else json.dumps(body).encode()
        try:
            response = self._connection.request(method, path, body=data, read_timeout=self._timeout, answers=answers)
        except KubernetesForbidden as error:
            kept, instead = "leadership", ""
            if self._of == WATCHERS:
                kept = "leadership and epochs"
                instead = (
                    "; or let a single watcher keep its epochs on its machine with CONTRAIL_KUBE_WATCHERS_EPOCH_FILE"
                )
            raise KubernetesForbidden(
                f"{kept}: kept in {self}, which needs get, create and update on leases (coordination.k8s.io) in that"
                f" namespace: {error}{instead}"
            ) from error
        doing = f"{method} {self._connection.server}{path}"
        text = self._connection.read(response, doing=doing)
        if response.status in answers:
            return response.status, {}
        try:
            lease = json.loads(text)
        except ValueError as error:
            raise KubernetesUnavailable(f"{doing}: not JSON: {text[:80]!r}") from error
        if not isinstance(lease, dict) or not isinstance(lease.get("metadata"), dict):
            raise KubernetesUnavailable(f"{doing}: not a Lease: {text[:80]!r}")
        return response.status, lease


def notes_of(lease: Json) -> dict[str, str]:
    """A copy of the annotations of a Lease."""
    return dict((lease.get("metadata") or {}).get("annotations") or {})
