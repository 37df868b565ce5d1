"""Writes status.loadBalancer of services and ingresses (shell)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from watchers.feedback import metrics
from watchers.feedback.addresses import Forget, Write, due
from watchers.feedback.bucket import Bucket
from watchers.feedback.patience import Patience
from watchers.feedback.store import ADDRESSES, Entry, FeedbackStore
from watchers.feedback.subject import status_of
from watchers.feedback.writer import KubernetesWriter, Reply, Verdict

logger = logging.getLogger(__name__)


class Announcing:
    """One part of the feedback; for one thread, and one term."""

    name = "addresses"

    def __init__(
        self,
        store: FeedbackStore,
        writer: KubernetesWriter,
        *,
        leads: Callable[[], bool],
        pace: Bucket,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._writer = writer
        self._leads = leads
        self._pace = pace
        self._clock = clock
        self._patience = Patience()

    def round(self) -> bool:
        """Write what is due; returns whether more is."""
        found = self._store.announcements()
        metrics.HELD.set(sum(bool(each.written and each.written.held) for each in found))
        done: list[Entry] = []
        forgotten: list[str] = []
        try:
            for act in due(found):
                if isinstance(act, Forget):
                    forgotten.append(act.key)
                    continue
                if not self._patience.may(act.subject.key, self._clock()):
                    continue
                if not self._leads() or not self._pace.take(1, self._clock()):
                    return True
                self._note(act, self._write(act), done, forgotten)
        finally:
            self._store.save(done, forgotten)
        return False

    def _write(self, act: Write) -> Reply:
        path, body = f"{act.subject.path}/status", status_of(act.subject, act.addresses)
        reply = self._writer.apply(path, body, part=self.name)
        if reply.verdict is Verdict.HELD and act.announced == () and act.addresses:
            # Whoever wrote the field has left nothing there, and nothing that comes between is overwritten.
            body["metadata"]["resourceVersion"] = act.resource_version
            forced = self._writer.apply(path, body, part=self.name, force=True)
            return forced if forced.verdict is Verdict.DONE else reply
        if reply.verdict is Verdict.HELD and act.is_there:
            return Reply(Verdict.DONE, "", act.resource_version)
        return reply

    def _note(self, act: Write, reply: Reply, done: list[Entry], forgotten: list[str]) -> None:
        subject, now = act.subject, self._clock()
        if reply.verdict is Verdict.DONE:
            # Whoever undoes what we write shall not make us write for ever.
            if act.again:
                self._patience.failed(subject.key, now)
            else:
                self._patience.well(subject.key)
            logger.info("announced resource=%s addresses=%s", subject.key, ",".join(act.addresses) or "none")
        else:
            self._patience.failed(subject.key, now)
            if reply.verdict is not Verdict.GONE:
                logger.warning("not announced resource=%s %s: %s", subject.key, reply.verdict, reply.text)
        if reply.verdict not in (Verdict.DONE, Verdict.HELD):
            return
        if not act.addresses:
            forgotten.append(subject.key)
            return
        value = json.dumps(act.addresses)
        held = reply.text if reply.verdict is Verdict.HELD else ""
        done.append(Entry(subject.key, ADDRESSES, subject.uid, value, reply.resource_version, held))
