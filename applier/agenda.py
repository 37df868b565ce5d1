"""What may be applied now, and what waits for what, over several plans that overlap (pure, but it changes).

A row is *held* from the moment it is added until its result is recorded; in between it waits, is ready, runs, or
has ended. One slow row holds back only what needs it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from applier.plan import Blocked, Plan, Step
from applier.rows import Row


@dataclass(slots=True)
class _Waiting:
    step: Step
    left: set[str]


@dataclass(frozen=True, slots=True)
class _Ended:
    row: Row
    failure: str = ""
    """What its dependents are told; '' if it was applied."""


class Agenda:
    """Rows of the plans that were added, in the order in which they may run."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._dependents: dict[str, set[str]] = {}
        self._begun: deque[str] = deque()
        """Writes that waited for others of the agenda: the rest of pods that were begun."""
        self._writes: deque[str] = deque()
        self._deletes: deque[str] = deque()
        self._running: dict[str, Row] = {}
        self._ended: dict[str, _Ended] = {}
        self._past: dict[str, _Ended] = {}
        """What was recorded since the last load began: the store as that load sees it may not show it."""
        self._newer: set[str] = set()
        self._taken = 0

    def add(self, plan: Plan) -> list[Blocked]:
        """Take over a plan; returns all of its rows that are blocked, by the plan or by what failed meanwhile.

        A newer generation of a row that waits takes its place; of one that runs or has ended, it is left to be
        loaded again (see `recorded`), with all that comes after it: what runs may be a delete.
        """
        blocked = []
        later: set[str] = set()
        for step in plan.steps:
            uuid = step.row.uuid
            if self._is_busy(uuid):
                self._newer.add(uuid)
                if not self._is_at(uuid, step.row.generation):
                    later.add(uuid)
                continue
            if not later.isdisjoint(step.needs | step.after):
                later.add(uuid)
                continue
            if failure := self._failure_of(step.needs):
                blocked.append(Blocked(step.row, failure))
                self._end(step.row, failure)
                continue
            self._wait(step)
        for found in plan.blocked:
            if self._is_busy(found.row.uuid):
                self._newer.add(found.row.uuid)
            else:
                blocked.append(found)
                self._end(found.row, f"waits for {found.row.label}: {found.reason}")
        return blocked

    def take(self) -> Row | None:
        """The next row to run, None if none is ready.

        Deletes come after the rest, because what holds them may be among it; but every fourth row is one, so that
        a flood of new objects does not keep names and addresses from being freed. Of the writes, those come first
        that others made possible: pods that were begun are finished, in the order in which they got so far, before
        more are begun.
        """
        self._taken += 1
        writes = (self._begun, self._writes)
        turn = (*writes, self._deletes) if self._taken % 4 else (self._deletes, *writes)
        for queue in turn:
            while queue:
                waiting = self._waiting.get(uuid := queue.popleft())
                if waiting is not None and not waiting.left:  # else replaced by a newer generation
                    del self._waiting[uuid]
                    self._running[uuid] = waiting.step.row
                    return waiting.step.row
        return None

    def done(self, uuid: str) -> None:
        """The row was applied."""
        self._end(self._running.pop(uuid))
        for dependent in self._dependents.pop(uuid, ()):
            self._satisfy(dependent, uuid)

    def failed(self, uuid: str, reason: str) -> list[Blocked]:
        """The row was not applied; returns the rows that cannot succeed without it, which have ended with it."""
        row = self._running.pop(uuid)
        failure = f"waits for {row.label}: {reason}"
        self._end(row, failure)
        return self._fell(uuid, failure)

    def recorded(self, uuids: Iterable[str]) -> bool:
        """The results are in the store, the rows no longer held; returns whether there is a newer generation of any."""
        newer = False
        for uuid in uuids:
            if uuid in self._ended:
                self._past[uuid] = self._ended.pop(uuid)
            if uuid in self._newer:
                self._newer.discard(uuid)
                newer = True
        return newer

    def begin_load(self) -> dict[str, int]:
        """Generations under way, by uuid, for a load that begins now and will see all that was recorded so far."""
        self._past.clear()
        return self.held

    @property
    def held(self) -> dict[str, int]:
        """Generations that need not be loaded again, by uuid."""
        rows = [w.step.row for w in self._waiting.values()]
        rows += [*self._running.values(), *(ended.row for ended in self._ended.values())]
        return {row.uuid: row.generation for row in rows}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running) + len(self._ended)

    @property
    def unfinished(self) -> int:
        """Rows that wait, are ready or run."""
        return len(self._waiting) + len(self._running)

    @property
    def is_stuck(self) -> bool:
        """Whether rows wait for each other: possible only where two plans, both right, contradict each other."""
        return bool(self._waiting) and not self._running and not self.ready

    @property
    def ready(self) -> int:
        """Rows that can run now, about: some may have been replaced."""
        return len(self._begun) + len(self._writes) + len(self._deletes)

    def drop_waiting(self) -> None:
        """Forget what has not begun: the store still has it."""
        self._waiting.clear()
        self._dependents.clear()
        for queue in (self._begun, self._writes, self._deletes):
            queue.clear()

    def _failure_of(self, needs: frozenset[str]) -> str:
        for need in sorted(needs):
            ended = self._ended.get(need) or self._past.get(need)
            if ended is not None and ended.failure and need not in self._waiting and need not in self._running:
                return ended.failure
        return ""

    def _is_busy(self, uuid: str) -> bool:
        return uuid in self._running or uuid in self._ended

    def _is_at(self, uuid: str, generation: int) -> bool:
        """Whether it is this generation of a busy row that runs or has ended."""
        row = self._running.get(uuid) or self._ended[uuid].row
        return row.generation == generation

    def _wait(self, step: Step) -> None:
        uuid = step.row.uuid
        left = {u for u in step.needs | step.after if u in self._waiting or u in self._running}
        self._waiting[uuid] = _Waiting(step, left)
        for other in left:
            self._dependents.setdefault(other, set()).add(uuid)
        if not left:
            (self._deletes if step.row.absent else self._writes).append(uuid)

    def _end(self, row: Row, failure: str = "") -> None:
        self._waiting.pop(row.uuid, None)
        self._ended[row.uuid] = _Ended(row, failure)

    def _fell(self, uuid: str, failure: str) -> list[Blocked]:
        blocked = []
        fallen = deque([uuid])
        while fallen:
            fell = fallen.popleft()
            for dependent in self._dependents.pop(fell, ()):
                waiting = self._waiting.get(dependent)
                if waiting is None or fell not in waiting.left:
                    continue
                if fell in waiting.step.needs:
                    blocked.append(Blocked(waiting.step.row, failure, by=uuid))
                    self._end(waiting.step.row, failure)
                    fallen.append(dependent)
                else:
                    self._satisfy(dependent, fell)
        return blocked

    def _satisfy(self, dependent: str, uuid: str) -> None:
        waiting = self._waiting.get(dependent)
        if waiting is not None and uuid in waiting.left:
            waiting.left.discard(uuid)
            if not waiting.left:
                (self._deletes if waiting.step.row.absent else self._begun).append(dependent)
