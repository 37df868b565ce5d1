"""What could not be decoded, on its way to the dead letters: few at a time, and the same object only once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from schemas.events import Source
from schemas.letters import Letter
from watchers import metrics
from watchers.decoding import BEGINNING, Malformed
from watchers.excerpt import excerpt
from watchers.publisher import Publisher

logger = logging.getLogger(__name__)

LETTERS = 10
PERIOD = 60.0
"""So many letters of one kind in so many seconds; more are only counted."""
REMEMBERED = 1000


class Letterbox:
    """Of one kind; for its two loops."""

    def __init__(
        self,
        kind: str,
        *,
        publisher: Publisher,
        source: Callable[[], Source],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self._publisher = publisher
        self._source = source
        self._clock = clock
        self._sent: dict[tuple[str, str], None] = {}
        self._times: list[float] = []

    def put_line(self, line: bytes, reason: str) -> None:
        """A watch line that is none."""
        metrics.UNDECODABLE.labels(self._kind).inc()
        logger.error("undecodable watch line, everything is listed again kind=%s: %s", self._kind, reason)
        self._send(Malformed("", "", reason, payload=excerpt(line, BEGINNING), size=len(line)))

    def put_malformed(self, malformed: Malformed) -> None:
        """An object that breaks its own type."""
        metrics.UNDECODABLE.labels(self._kind).inc()
        identity = malformed.uid, malformed.resource_version
        if identity in self._sent:
            return
        logger.error("malformed object, its last good state stays: %s", malformed.reason)
        if self._send(malformed):
            self._sent[identity] = None
            if len(self._sent) > REMEMBERED:
                self._sent.pop(next(iter(self._sent)), None)  # by now the other loop may have

    def _send(self, found: Malformed) -> bool:
        now = self._clock()
        self._times = [at for at in self._times if now - at < PERIOD]
        if len(self._times) >= LETTERS:
            return False
        self._times.append(now)
        source = self._source()
        letter = Letter(
            cluster=source.cluster,
            watcher=source.watcher,
            kind=self._kind,
            namespace=found.namespace,
            name=found.name,
            uid=found.uid,
            reason=found.reason,
            size=found.size,
            payload=found.payload,
            observed_at=source.observed_at,
        )
        return self._publisher.note(letter)
