"""List and watch on raw JSON, as client-go's reflector asks for them.

One call is one request (one per page when listing in pages): when to list, watch or wait is for the loops to decide.
Not the official client's Watch: that one loses ERROR lines, drops lines it cannot decode, and builds every field.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import urllib3
from urllib3.exceptions import HTTPError

from schemas.errors import KubernetesUnavailable, MalformedObject
from watchers.connection import Connection
from watchers.decoding import Bookmark, Change, Decoding, Event, Failure, Malformed, Page
from watchers.kinds import Kind, Observed
from watchers.lines import LineSplitter
from watchers.refusals import failed, unreachable

logger = logging.getLogger(__name__)

CHUNK_BYTES = 65536
STREAM_SECONDS = 600
"""How long the server shall let a streamed list live: it ends with its list, unless the bus holds us up."""
TORN_STREAMS = 2
"""So many streamed lists that were not ended, and pages are read instead."""
NO_STREAMS = frozenset({400, 422})
"""What servers say to a streamed list that do not have them, or have them switched off."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long one request may be."""

    page_size: int = 500
    streams: bool = True
    """Ask for lists as streams, where the server has them (WatchList)."""
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
    """Lists and watches one kind over a Connection that is shared; `snapshot` and `watch` are for a thread each."""

    def __init__(self, connection: Connection, kind: Kind, limits: Limits | None = None) -> None:
        self._connection = connection
        self._kind = kind
        self._limits = limits or Limits()
        self._decoding = Decoding(kind)
        self._doing = f"GET {connection.server}{kind.path}"
        self._streams = self._limits.streams
        self._torn = 0

    def snapshot(self) -> Iterator[Page]:
        """All objects of one state, the newest, in parts.

        Parts of a paged list all have the state's version, of a streamed one only the last has it. Raises
        VersionExpired when the state is not kept for long enough: then begin anew.
        """
        if self._streams:
            response = self._connection.request(
                "GET",
                self._kind.path,
                query={
                    "watch": "true",
                    "sendInitialEvents": "true",
                    "resourceVersionMatch": "NotOlderThan",
                    "allowWatchBookmarks": "true",
                    "timeoutSeconds": str(STREAM_SECONDS),
                },
                accept=self._kind.accept_watch,
                read_timeout=self._limits.watch_timeout,
                answers=NO_STREAMS,
                interruptible=True,
            )
            if response.status not in NO_STREAMS:
                yield from self._streamed(response)
                return
            self._connection.release(response)
            self._streams = False
            logger.debug("the server has no streamed lists, pages are read kind=%s", self._kind.name)
        yield from self._pages()

    def watch(self, resource_version: str, *, draw: float) -> WatchStream:
        """What happens to objects of the kind after the version; raises VersionExpired when it is too old."""
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._limits.watch_seconds(draw)),
        }
        response = self._connection.request(
            "GET",
            self._kind.path,
            query=query,
            accept=self._kind.accept_watch,
            read_timeout=self._limits.watch_timeout,
            interruptible=True,
        )
        return WatchStream(self._connection, response, doing=f"{self._doing}?watch")

    def decode(self, line: bytes) -> Event:
        """One line of a watch; raises MalformedObject when it is none."""
        return self._decoding.line(line)

    def _streamed(self, response: urllib3.BaseHTTPResponse) -> Iterator[Page]:
        """The initial events of a watch, up to the bookmark that ends them; a page for each chunk that arrives."""
        self._torn += 1
        self._streams = self._torn < TORN_STREAMS
        with WatchStream(self._connection, response, doing=f"{self._doing}?watch&sendInitialEvents") as stream:
            for lines in stream:
                items: list[Observed] = []
                malformed: list[Malformed] = []
                for line in lines:
                    match self._initial(line):
                        case Change(observed):
                            items.append(observed)
                        case Malformed() as broken:
                            malformed.append(broken)
                        case Bookmark(version, listed=True):
                            self._torn, self._streams = 0, True
                            yield Page(version, "", tuple(items), tuple(malformed))
                            return
                yield Page("", "", tuple(items), tuple(malformed))
        raise KubernetesUnavailable(f"{self._doing}: the streamed list ended before it was complete")

    def _initial(self, line: bytes) -> Event:
        try:
            event = self._decoding.line(line)
        except MalformedObject as error:
            raise KubernetesUnavailable(f"{self._doing}: a streamed list with {error}") from error
        if isinstance(event, Failure):
            raise failed(event.code, event.message, event.retry_after, doing=self._doing)
        if isinstance(event, Change) and event.deleted:
            raise KubernetesUnavailable(f"{self._doing}: a deletion inside a streamed list")
        return event

    def _pages(self) -> Iterator[Page]:
        """No resourceVersion is sent, so the server answers with its newest state; further pages are of the same."""
        following = ""
        while True:
            query = {"limit": str(self._limits.page_size)} | ({"continue": following} if following else {})
            page = self._page(query)
            yield page
            following = page.following
            if not following:
                return

    def _page(self, query: dict[str, str]) -> Page:
        response = self._connection.request(
            "GET",
            self._kind.path,
            query=query,
            accept=self._kind.accept_list,
            read_timeout=self._limits.list_timeout,
            interruptible=True,
        )
        body = self._connection.read(response, doing=self._doing)
        try:
            page = self._decoding.page(body)
        except MalformedObject as error:
            raise KubernetesUnavailable(f"{self._doing}: the answer is {error}; is this an API server?") from error
        if not page.resource_version:
            # Without it no watch could go on where the list ends.
            raise KubernetesUnavailable(f"{self._doing}: the answer has no metadata.resourceVersion; is this a list?")
        return page


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
