"""List and watch on raw JSON, as client-go's reflector asks for them.

One call is one request (one per page when listing): when to list, watch or wait is for the reflector to decide.
Not the official client's Watch: that one loses ERROR lines, drops lines it cannot decode, and builds every field.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import urllib3
from urllib3.exceptions import HTTPError

from schemas.errors import KubernetesUnavailable, MalformedObject
from watchers.connection import Connection
from watchers.decoding import Decoding, Page
from watchers.kinds import Kind
from watchers.lines import LineSplitter
from watchers.refusals import unreachable

CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long one request may be."""

    page_size: int = 500
    list_timeout: float = 30.0
    """Seconds of silence that end the reading of a page."""
    watch_timeout: float = 60.0
    """Seconds of silence that end a watch: it finds connections that are open on our side only."""

    def watch_seconds(self, draw: float) -> int:
        """How long the server shall let a watch live: jittered, and always less than the silence allowed.

        So an idle but healthy watch is ended by the server, as a rule with a bookmark just before, and never by us.
        """
        return max(1, int(self.watch_timeout * (0.65 + 0.2 * draw)))


class KubernetesApi:
    """Lists and watches over one Connection; thread-safe."""

    def __init__(self, connection: Connection, limits: Limits | None = None) -> None:
        self._connection = connection
        self.limits = limits or Limits()

    def pages(self, kind: Kind, decoding: Decoding) -> Iterator[Page]:
        """The pages of one consistent list of all objects of the kind.

        No resourceVersion is sent, so the server answers with its newest state; further pages are of the same
        state. Raises VersionExpired when that state is no longer kept: then begin anew.
        """
        following = ""
        doing = f"GET {self._connection.server}{kind.path}"
        while True:
            query = {"limit": str(self.limits.page_size)} | ({"continue": following} if following else {})
            response = self._connection.request(
                "GET", kind.path, query=query, read_timeout=self.limits.list_timeout, interruptible=True
            )
            body = self._connection.read(response, doing=doing)
            try:
                page = decoding.page(body)
            except MalformedObject as error:
                raise KubernetesUnavailable(f"{doing}: the answer is {error}; is this an API server?") from error
            if not page.resource_version:
                # Without it no watch could go on where the list ends.
                raise KubernetesUnavailable(f"{doing}: the answer has no metadata.resourceVersion; is this a list?")
            yield page
            following = page.following
            if not following:
                return

    def watch(self, kind: Kind, resource_version: str, *, draw: float) -> WatchStream:
        """What happens to objects of the kind after the version; raises VersionExpired when it is too old."""
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self.limits.watch_seconds(draw)),
        }
        response = self._connection.request(
            "GET", kind.path, query=query, read_timeout=self.limits.watch_timeout, interruptible=True
        )
        return WatchStream(self._connection, response, doing=f"GET {self._connection.server}{kind.path}?watch")


class WatchStream:
    """An open watch: iterates over its lines, a list for each chunk that arrives. A context manager."""

    def __init__(self, connection: Connection, response: urllib3.BaseHTTPResponse, *, doing: str) -> None:
        self._connection = connection
        self._response = response
        self._doing = doing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release(self._response)

    def __iter__(self) -> Iterator[list[bytes]]:
        """Ends when the server ends the watch; raises KubernetesUnavailable when it breaks or goes silent.

        A line that the end cut off is dropped: the next watch, from the last version, brings it whole.
        """
        splitter = LineSplitter()
        try:
            for chunk in self._response.stream(CHUNK_BYTES):
                if lines := splitter.feed(chunk):
                    yield lines
        except (HTTPError, OSError) as error:
            raise unreachable(error, doing=self._doing) from error
