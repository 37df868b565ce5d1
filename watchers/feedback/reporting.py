"""Writes Events on what cannot be served (shell): what is due is put on record first, then sent, then ticked off."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from schemas.health import Health
from watchers.feedback import metrics
from watchers.feedback.bucket import Bucket
from watchers.feedback.event import body_of, collection, name_of, series_of
from watchers.feedback.lasting import Lasting
from watchers.feedback.patience import Patience
from watchers.feedback.problem_store import Known, ProblemStore
from watchers.feedback.problems import Problem, about_services
from watchers.feedback.settings import FeedbackSettings
from watchers.feedback.subject import KIND_OF, Subject
from watchers.feedback.telling import Act, Due, Place, Told, by_place, due_after, due_for
from watchers.feedback.writer import KubernetesWriter, Reply, Verdict

logger = logging.getLogger(__name__)

WAITING_FACTOR = 6.0
"""So many times longer must last what only waits for others."""
REST_FACTOR = 5.0
"""So many times as long as a look took nobody looks again: with a hundred thousand problems it takes seconds."""


class Reporting:
    """One part of the feedback; for one thread, and one term."""

    name = "events"

    def __init__(
        self,
        store: ProblemStore,
        writer: KubernetesWriter,
        *,
        leads: Callable[[], bool],
        settings: FeedbackSettings,
        instance: str,
        health: Health,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._writer = writer
        self._leads = leads
        self._settings = settings
        self._instance = instance
        self._health = health
        self._clock = clock
        self._problems: Lasting[Place] = Lasting()
        self._ends: Lasting[Place] = Lasting()
        self._patience = Patience()
        self._rests_until = 0.0
        self._bucket = Bucket(settings.events_per_second, burst=10 * settings.events_per_second)

    def round(self) -> bool:
        """Tell what is due, as far as the pace allows; never in a hurry."""
        began = time.monotonic()
        if began < self._rests_until:
            return False
        now = self._clock()
        due, known = self._look(now)
        looked = time.monotonic()
        self._rests_until = looked + REST_FACTOR * (looked - began)
        self._tell(due, known, now)
        return False

    def _look(self, now: float) -> tuple[list[Due], Mapping[str, Known]]:
        limit = self._settings.most_problems
        found, cut = self._store.problems(limit)
        told = by_place(self._store.told())
        known = self._store.known({each.resource for each in found} | {row.resource for row in told.values()})
        services = {key: each.service for key, each in known.items() if each.service}
        if services:
            known = {**known, **self._store.known(set(services.values()))}
        problems = about_services(found, services)
        self._speak_of(len(problems), cut)
        return self._due(problems, told, known, now, cut=cut), known

    def _speak_of(self, count: int, cut: bool) -> None:
        metrics.PROBLEMS.set(count)
        more = f"more than {self._settings.most_problems} problems: only so many are told by Events" if cut else ""
        self._health.note(self.name, more)

    def _due(
        self,
        problems: Mapping[Place, Problem],
        told: Mapping[Place, Told],
        known: Mapping[str, Known],
        now: float,
        *,
        cut: bool,
    ) -> list[Due]:
        settle = self._settings.settle_seconds
        fresh = {p for p, each in problems.items() if self._uid(each, known) and p not in told}
        waits = {p: settle * (WAITING_FACTOR if problems[p].waits else 1.0) for p in fresh}
        lasting = {*self._problems.those(waits, now), *told}
        due = [self._due_for(each, told.get(p), known, now) for p, each in problems.items() if p in lasting]
        ended = {} if cut else {place: settle for place in told if place not in problems}
        for place in self._ends.those(ended, now):
            there = known.get(place[0])
            due.append(due_after(told[place], there.subject.uid if there else None))
        return [each for each in due if each is not None]

    def _due_for(self, problem: Problem, told: Told | None, known: Mapping[str, Known], now: float) -> Due | None:
        uid = self._uid(problem, known)
        if not uid or not self._patience.may(_matter(problem, uid), now):
            return None
        due = due_for(problem, uid, told, now=now, repeat=self._settings.repeat_seconds)
        # Of what could never be read nobody knows whether it is still there, so once is enough.
        return None if due is not None and due.act is Act.REPEAT and problem.resource not in known else due

    def _uid(self, problem: Problem, known: Mapping[str, Known]) -> str:
        """Of the object that the problem is about; '' for what no Event can name."""
        there = known.get(problem.resource)
        if problem.resource.partition("/")[0] not in KIND_OF:
            return ""
        return problem.uid or (there.subject.uid if there else "")

    def _tell(self, due: Sequence[Due], known: Mapping[str, Known], now: float) -> None:
        forgotten = [each.told for each in due if each.act is Act.FORGET]
        saying = [each for each in due if each.act is not Act.FORGET]
        saying.sort(key=lambda each: self._patience.has_failed(_matter(each.told, each.told.uid)))
        turn = saying[: self._bucket.take(len(saying), now)]
        metrics.UNTOLD.set(len(saying) - len(turn))
        self._store.record([each.told for each in turn if each.act is not Act.REPEAT], forgotten)
        done: list[Told] = []
        over: list[Told] = []
        try:
            for each in turn:
                if not self._leads():
                    return
                row = self._send(each, known, now)
                (over if each.act is Act.SAY_OVER or row.count == 0 else done).append(row)
        finally:
            self._bucket.give(len(turn) - len(done) - len(over))
            self._store.record(done, over)

    def _send(self, due: Due, known: Mapping[str, Known], now: float) -> Told:
        """The row after one Event was sent; with count 0 it is to be forgotten. A refused one is not tried again."""
        told = due.told
        there = known.get(told.resource)
        version = there.subject.api_version if there else ""
        subject = Subject.of(told.resource, uid=told.uid, api_version=version)
        after = told if due.act is Act.SAY_OVER else replace(told, count=told.count + 1, told_at=now)
        reply = self._repeat(subject, after, now) if due.act is Act.REPEAT else None
        if reply is None or reply.verdict is Verdict.GONE:
            reply = self._create(subject, after, due.action, now)
        if reply.verdict is Verdict.GONE:  # its namespace is going, which may take days
            self._patience.failed(_matter(told, told.uid), now)
            return replace(told, count=0)
        if reply.verdict not in (Verdict.DONE, Verdict.EXISTS):
            logger.warning("no Event on %s reason=%s: %s", told.resource, told.reason, reply.text)
        self._patience.well(_matter(told, told.uid))
        return after

    def _create(self, subject: Subject, told: Told, action: str, now: float) -> Reply:
        body = body_of(subject, told, action=action, instance=self._instance, now=now)
        return self._writer.create(collection(subject), body, part=self.name)

    def _repeat(self, subject: Subject, told: Told, now: float) -> Reply:
        path = f"{collection(subject)}/{name_of(subject, told)}"
        return self._writer.merge(path, series_of(told.count, now), part=self.name)


def _matter(about: Problem | Told, uid: str) -> str:
    """What is not told again and again where no Event can be: a problem of one object, not of its namesake's."""
    return f"{uid}/{about.resource}/{about.reason}"
