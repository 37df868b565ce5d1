"""The audit's calls to the Contrail API (shell): one at a time, for a bounded share of the time, and patient.

It gives way: while the applier's own calls are held back, and in a back-off of its own when the API asks for fewer
calls or gives no answer. Only reads are repeated; what a call that changes something came to is the caller's affair.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from applier.answer import Answer
from applier.client import ContrailClient
from applier.outcome import Call, Outcome, Verdict, classify
from applier.pace import Pace
from schemas.errors import ContrailUnavailable

_TRIES = 5
_STEP = 0.25
"""Seconds between looks at whether the applier's calls are held back still."""
_LONGEST_WAIT = 60.0
"""Seconds for which an audit waits for the applier's calls to go on."""

Ask = Callable[[ContrailClient], Answer]


class Stopped(Exception):
    """The process was told to end."""


class UnknownType(ContrailUnavailable):
    """This Contrail has no such type: another release than the one that we know."""


class Calls:
    """Paced calls; used by one thread. `is_held` tells whether the applier's own calls are held back now.

    Every method raises Stopped once `stop` is set, and ContrailUnavailable for what no patience helps with.
    """

    def __init__(
        self,
        client: ContrailClient,
        *,
        share: float,
        stop: threading.Event,
        is_held: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._client = client
        self._rest = 1.0 / share - 1.0
        self._stop = stop
        self._is_held = is_held
        self._clock = clock
        self._sleep = sleep or stop.wait
        self._pace = Pace(1)
        self._free_at = float("-inf")
        self.made = 0
        """Calls so far."""

    def read(self, call: Call, ask: Ask) -> Answer:
        """A proper answer, after some tries if need be."""
        for attempt in range(1, _TRIES + 1):
            outcome, answer = self.attempt(call, ask)
            if outcome.verdict is Verdict.DONE and answer is not None:
                return answer
            if outcome.verdict is Verdict.REFUSED and answer is not None and answer.status == 404:
                raise UnknownType(f"Contrail API {self._client.url}: {outcome.reason}")
            if outcome.verdict not in (Verdict.BUSY, Verdict.SILENT) or attempt == _TRIES:
                break
        raise ContrailUnavailable(f"Contrail API {self._client.url}: {outcome.reason}")

    def attempt(self, call: Call, ask: Ask) -> tuple[Outcome, Answer | None]:
        """One call, when its time has come: what it came to, and the answer if there was one."""
        self._await_turn()
        self.made += 1
        began = self._clock()
        answer: Answer | None = None
        try:
            answer = ask(self._client)
            outcome = classify(call, answer)
        except ContrailUnavailable as error:
            outcome = Outcome(Verdict.SILENT, str(error))
        self._learn(outcome, began)
        return outcome, answer

    def _learn(self, outcome: Outcome, began: float) -> None:
        now = self._clock()
        self._free_at = now + (now - began) * self._rest
        if outcome.verdict is Verdict.BUSY:
            wait = outcome.retry_after
            self._pace.overloaded(now, began=began, jitter=random.random(), retry_after=wait, reason=outcome.reason)
        elif outcome.verdict in (Verdict.SILENT, Verdict.DENIED):
            self._pace.unanswered(now, began=began, jitter=random.random(), reason=outcome.reason)
        else:
            self._pace.succeeded(now)

    def _await_turn(self) -> None:
        deadline = self._clock() + _LONGEST_WAIT
        while not self._stop.is_set():
            now = self._clock()
            if self._is_held():
                if now > deadline:
                    raise ContrailUnavailable("the applier's calls to Contrail are held back")
                self._sleep(_STEP)
            elif (free_at := max(self._free_at, self._pace.paused_until)) > now:
                self._sleep(free_at - now)
            else:
                return
        raise Stopped("the process was told to end")
