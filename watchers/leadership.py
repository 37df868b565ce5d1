"""Leadership: of several watchers one publishes, the one that holds the Lease; another follows when it falls silent.

Local time is monotonic throughout, so a clock that is set changes nothing: whoever waits counts from when it saw
the last renewal, whoever leads from when it sent it. The times in the Lease are for people to read.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.errors import KubernetesUnavailable, NotLeading
from watchers.lease import Json, Lease

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tempo:
    """The times of leadership, in seconds; all follow from how long the Lease is good for."""

    lease: float = 15.0

    @property
    def renewal(self) -> float:
        """Between two renewals."""
        return self.lease / 5

    @property
    def look(self) -> float:
        """Between two looks of one who waits: take-over comes so much later than the Lease's end, at most."""
        return self.lease / 7.5

    @property
    def trust(self) -> float:
        """How long after sending a renewal its sender may publish: others wait a third longer."""
        return self.lease * 2 / 3


class Leadership:
    """One watcher's part in it. `identity` must be of this process alone, not of its pod or host.

    `try_to_lead` and `keep` are for one thread each; `holds` is for all.
    """

    def __init__(
        self, lease: Lease, *, identity: str, tempo: Tempo, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.identity = identity
        self.tempo = tempo
        self.leader = ""
        """Who leads, as far as was seen."""
        self._lease = lease
        self._clock = clock
        self._trusted_until = -math.inf
        self._seen: tuple[object, ...] = ()
        self._seen_at = -math.inf

    def holds(self) -> bool:
        """Whether this watcher may publish, at this very moment."""
        return self._clock() < self._trusted_until

    def try_to_lead(self) -> bool:
        """Take the Lease if it is free, or if its holder has not renewed it for as long as it is good for."""
        sent = self._clock()
        try:
            self._lease.swap(self._take, urgent=True)
        except NotLeading:
            return False
        self._trusted_until = sent + self.tempo.trust
        return True

    def keep(self, stop: threading.Event) -> None:
        """Renew the Lease until `stop`; returns when another has taken it.

        An API server that is away ends nothing: `holds` is false after a while, and true again once a renewal
        succeeds, as nobody can have led meanwhile.
        """
        while not stop.wait(self.tempo.renewal):
            sent = self._clock()
            try:
                self._lease.swap(self._renew, urgent=True)
            except NotLeading as error:
                self._trusted_until = -math.inf
                logger.warning("not leading any more: %s", error)
                return
            except KubernetesUnavailable as error:
                logger.log(logging.DEBUG if self.holds() else logging.WARNING, "cannot renew: %s", error)
                continue
            self._trusted_until = sent + self.tempo.trust

    def release(self) -> None:
        """Let the next one lead at once; best effort."""
        self._trusted_until = -math.inf
        try:
            self._lease.swap(self._leave, urgent=True)
        except KubernetesUnavailable as error:
            logger.warning("%s could not be released, the next leader waits for its end: %s", self._lease, error)

    def _take(self, lease: Json) -> None:
        spec = lease["spec"]
        holder = str(spec.get("holderIdentity") or "")
        seen = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        now = self._clock()
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        self.leader = holder
        duration = spec.get("leaseDurationSeconds")
        patience = max(float(duration), 1.0) if isinstance(duration, int | float) else self.tempo.lease
        if holder and holder != self.identity and now < self._seen_at + patience:
            raise NotLeading(f"{self._lease} is held by {holder}")
        transitions = spec.get("leaseTransitions")
        if holder != self.identity:
            spec["acquireTime"] = _now()
            spec["leaseTransitions"] = (transitions if isinstance(transitions, int) else 0) + 1
        self._sign(spec)

    def _renew(self, lease: Json) -> None:
        self._require_mine(lease)
        self._sign(lease["spec"])

    def _leave(self, lease: Json) -> None:
        self._require_mine(lease)
        lease["spec"]["holderIdentity"] = ""

    def _sign(self, spec: Json) -> None:
        spec["holderIdentity"] = self.leader = self.identity
        # Whole seconds only; a test may be faster than one, and then says so by its own clock.
        spec["leaseDurationSeconds"] = max(1, math.ceil(self.tempo.lease))
        spec["renewTime"] = _now()

    def _require_mine(self, lease: Json) -> None:
        holder = str(lease["spec"].get("holderIdentity") or "")
        if holder != self.identity:
            self.leader = holder
            raise NotLeading(f"{self._lease} is held by {holder or 'nobody'}")


def _now() -> str:
    """The time as Kubernetes' MicroTime."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
