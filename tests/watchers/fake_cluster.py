"""The objects of a small cluster, listed and watched as an API server would, with faults on demand."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.watchers.fake_api import FakeApi, Reply, Request, Stream
from tests.watchers.objects import Json, bookmark, dump, initial_end, line, listing, status

Answer = Reply | Stream
Intercept = Callable[[Request], Answer | None]


class FakeCluster:
    """One collection of objects per path, one revision for all; `api` serves it while `with` lasts."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.api = FakeApi(self.answer, tls=tls)
        self.revision = 100
        self.oldest = 0
        """Watches from before this revision are expired."""
        self.streams = False
        """Lists can be asked for as streams."""
        self.not_served: set[str] = set()
        """Resources whose CRD is not installed."""
        self.lease: Json | None = None
        self._listed: dict[tuple[str, int], list[Json]] = {}
        self._objects: dict[str, dict[str, Json]] = {}
        self._history: list[tuple[int, str, bytes]] = []
        self._changed = threading.Condition()
        self._intercepts: list[Intercept] = []
        self._generation = 0

    def __enter__(self) -> FakeCluster:
        self.api.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.break_watches()
        self.api.__exit__()

    def put(self, thing: Json, resource: str = "pods") -> Json:
        """Create or change an object, known by its uid; answers it with its new version."""
        uid = thing["metadata"]["uid"]
        known = uid in self._objects.setdefault(resource, {})
        return self._event("MODIFIED" if known else "ADDED", thing, resource)

    def delete(self, thing: Json, resource: str = "pods") -> None:
        """Delete an object."""
        self._event("DELETED", thing, resource)

    def send(self, data: bytes, resource: str = "pods") -> None:
        """Put bytes into every watch of the resource, at a revision of their own."""
        with self._changed:
            self.revision += 1
            self._history.append((self.revision, resource, data))
            self._changed.notify_all()

    def bookmark(self, resource: str = "pods") -> None:
        """Send a bookmark of a new revision."""
        self.send(bookmark(self.revision + 1), resource)

    def forget_silently(self, uid: str, resource: str = "pods") -> None:
        """Remove an object without an event, as an etcd that was restored does."""
        del self._objects[resource][uid]

    def give_lease_to(self, holder: str) -> None:
        """Another watcher takes the Lease."""
        with self._changed:
            assert self.lease is not None
            self.revision += 1
            self.lease["spec"] |= {"holderIdentity": holder, "leaseDurationSeconds": 600}
            self.lease["metadata"]["resourceVersion"] = str(self.revision)

    def compact(self) -> None:
        """Forget all history: a watch from before now is answered with 410."""
        self.oldest = self.revision

    def break_watches(self) -> None:
        """Cut every watch that is open."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def break_watches_and(self, holds: Callable[[], object]) -> Callable[[], object]:
        """A condition for `eventually` that cuts the watches at each look: what waits for their end goes on."""

        def look() -> object:
            self.break_watches()
            return holds()

        return look

    def intercept(self, answer: Intercept) -> None:
        """Ask this first, until it has given an answer once."""
        self._intercepts.append(answer)

    def uids(self, resource: str = "pods") -> set[str]:
        return set(self._objects.get(resource, {}))

    def answer(self, request: Request) -> Answer:
        """The script of the API."""
        if request.is_stream and not self.streams:
            return refusal(422, "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
        for intercept in list(self._intercepts):
            if (answer := intercept(request)) is not None:
                self._intercepts.remove(intercept)
                return answer
        if request.path == "/api/v1/namespaces/kube-system":
            return Reply(b'{"metadata":{"uid":"cluster-uid"}}')
        if "/leases" in request.path:
            return self._lease(request)
        resource = request.path.rpartition("/")[2]
        if resource in self.not_served:
            return refusal(404, "the server could not find the requested resource")
        if request.is_stream:
            return self._streamed(resource)
        if request.is_watch:
            return self._watch(resource, int(request.query["resourceVersion"]))
        return Reply(self._page(resource, int(request.query["limit"]), request.query.get("continue", "")))

    def _event(self, kind: str, thing: Json, resource: str) -> Json:
        with self._changed:
            self.revision += 1
            fresh: Json = json.loads(json.dumps(thing))
            fresh["metadata"]["resourceVersion"] = str(self.revision)
            if kind == "DELETED":
                self._objects[resource].pop(fresh["metadata"]["uid"])
            else:
                self._objects[resource][fresh["metadata"]["uid"]] = fresh
            self._history.append((self.revision, resource, line(kind, fresh)))
            self._changed.notify_all()
        return fresh

    def _page(self, resource: str, limit: int, token: str) -> bytes:
        with self._changed:
            version, start = (int(token.split("/")[0]), int(token.split("/")[1])) if token else (self.revision, 0)
            if not token:  # further pages are of the same state
                items = sorted(self._objects.get(resource, {}).values(), key=lambda o: str(o["metadata"]["uid"]))
                self._listed[resource, version] = items
            items = self._listed[resource, version]
        rest = start + limit < len(items)
        return listing(
            *items[start : start + limit], version=version, following=f"{version}/{start + limit}" if rest else ""
        )

    def _streamed(self, resource: str) -> Answer:
        with self._changed:
            items, version = list(self._objects.get(resource, {}).values()), self.revision
        return Stream([*(line("ADDED", item) for item in items), initial_end(version)])

    def _lease(self, request: Request) -> Answer:
        """The one Lease: created once, and changed by who knows its version."""
        with self._changed:
            if request.method == "GET":
                return Reply(dump(self.lease)) if self.lease else refusal(404)
            sent = json.loads(request.body)
            known = self.lease["metadata"]["resourceVersion"] if self.lease else None
            if sent["metadata"].get("resourceVersion") != known:
                return refusal(409)
            self.revision += 1
            sent["metadata"]["resourceVersion"] = str(self.revision)
            self.lease = sent
            return Reply(dump(sent))

    def _watch(self, resource: str, version: int) -> Answer:
        if version < self.oldest:
            return Stream([line("ERROR", status(410, "too old resource version"))])
        # Now, not when the first line is asked for: a watch that was answered is one that can be broken.
        return Stream(self._lines(resource, version, self._generation), end="cut")

    def _lines(self, resource: str, version: int, generation: int) -> Iterator[bytes]:
        position = 0
        while generation == self._generation and not self.api.stopping.is_set():
            with self._changed:
                events = self._history[position:]
                position = len(self._history)
                if not events:
                    self._changed.wait(0.02)
            for revision, of, data in events:
                if of == resource and revision > version:
                    yield data


def refusal(code: int, message: str = "no", **headers: Any) -> Reply:
    """An answer outside 2xx."""
    return Reply(dump(status(code, message)), code, {name.replace("_", "-"): str(v) for name, v in headers.items()})
