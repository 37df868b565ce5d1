"""Writes the annotation network-status of pods (shell).

New addresses are looked at as they come; every pod now and then, in between, so that nothing depends on having seen
the moment. What is read back of a pod is what was written to it, so an equal text is never written twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from watchers.feedback.bucket import Bucket
from watchers.feedback.network_status import network_status
from watchers.feedback.patience import Patience
from watchers.feedback.settings import ATTACHED, NONE
from watchers.feedback.store import STATUS, Entry, FeedbackStore, PodInterfaces, Seen
from watchers.feedback.subject import annotation_of
from watchers.feedback.writer import KubernetesWriter, Verdict

logger = logging.getLogger(__name__)

PAGE = 500
LATE = 10.0
"""Seconds that a transaction may take to commit what it says it observed earlier."""
_FIRST = ("", "")


class Annotating:
    """One part of the feedback; for one thread, and one term. `pace` holds the writes that are left."""

    name = "network-status"

    def __init__(
        self,
        store: FeedbackStore,
        writer: KubernetesWriter,
        *,
        leads: Callable[[], bool],
        pace: Bucket,
        whose: str,
        resync: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._writer = writer
        self._leads = leads
        self._pace = pace
        self._whose = whose
        self._resync = resync
        self._clock = clock
        self._patience = Patience()
        self._seen: Seen | None = None
        self._looked: dict[Seen, None] = {}
        self._at: tuple[str, str] | None = _FIRST
        self._began = clock()

    def round(self) -> bool:
        """Look at what is new, and at the next pods of all; returns whether there is more to do at once."""
        if self._whose == NONE:
            return False
        return not self._new() or not self._next()

    def _new(self) -> bool:
        """Write what was observed since; returns whether that was all of it."""
        if self._seen is None:  # what is older is found by looking at every pod
            self._seen = Seen(self._store.now() - LATE)
        rows = self._store.recent(Seen(self._seen.at - LATE), PAGE + len(self._looked))
        fresh = [(seen, pod) for seen, pod in rows if seen not in self._looked][:PAGE]
        if not self._write([pod for _, pod in fresh if pod is not None]):
            return False  # what was left is looked at again
        self._seen = max([self._seen, *(seen for seen, _ in fresh)])
        horizon = self._seen.at - LATE
        self._looked = {seen: None for seen in (*self._looked, *(seen for seen, _ in fresh)) if seen.at > horizon}
        return len(fresh) < PAGE

    def _next(self) -> bool:
        """Write the next pods of all; returns whether these were the last, for now."""
        if self._at is None:
            if self._clock() - self._began < self._resync:
                return True
            self._at, self._began = _FIRST, self._clock()
        pods = self._store.pods(self._at, PAGE)
        if not self._write(pods):
            return False  # the same page again: what was written is not due any more
        self._at = pods[-1] if len(pods) == PAGE else None
        if self._at is None:
            self._store.clean()
        return self._at is None

    def _write(self, pods: Sequence[tuple[str, str]]) -> bool:
        """Write what these pods lack; returns whether there was room for all of it."""
        done: list[Entry] = []
        try:
            for found in self._store.interfaces(pods):
                text = self._due(found)
                if text is None or not self._patience.may(found.subject.key, self._clock()):
                    continue
                if not self._leads() or not self._pace.take(1, self._clock()):
                    return False
                done += self._annotate(found, text)
        finally:
            self._store.save(done)
        return True

    def _due(self, found: PodInterfaces) -> str | None:
        """The text that the pod lacks."""
        if self._whose == ATTACHED and not any(each.attachment for each in found.interfaces):
            return None
        text = network_status(found.interfaces)
        return None if text == found.written else text

    def _annotate(self, found: PodInterfaces, text: str) -> list[Entry]:
        subject = found.subject
        reply = self._writer.apply(subject.path, annotation_of(subject, text), part=self.name)
        if reply.verdict is Verdict.DONE:
            self._patience.well(subject.key)
            return [Entry(subject.key, STATUS, subject.uid, text, reply.resource_version)]
        if reply.verdict is Verdict.HELD:
            # A meta plugin wrote it, which knows more than we do: it has run all plugins of the pod.
            logger.debug("left alone pod=%s holder=%s", subject.key, reply.text)
            return [Entry(subject.key, STATUS, subject.uid, text, "", reply.text)]
        self._patience.failed(subject.key, self._clock())
        if reply.verdict is Verdict.REFUSED:
            logger.warning("not annotated pod=%s: %s", subject.key, reply.text)
        return []
