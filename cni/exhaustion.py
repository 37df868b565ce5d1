"""What this node's own ADDs have seen of a used-up pod network: nobody is asked for it (pure but for a clock).

An ADD whose pod waits for an address because the cluster's pod network has none left tells so, and STATUS repeats it
for a while. Networks of namespaces, apps and attachments do not count: other pods of the node can still be served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from cni.addresses import READY, PodAddress

HOLD = 30.0
"""Seconds for which a sighting counts. A node that is not ready asks for no pods, so that nothing else would end it;
and Kubernetes drives pods from nodes that were not ready for minutes on end, which this one then never is."""
_SAID = "has exhausted subnet"
"""Contrail's words, as the applier repeats them in `reason`."""


class Exhaustion:
    """The last sighting of one node; thread-safe."""

    def __init__(self, network: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`network` is the last part of the pod network's name; '' watches none."""
        self._network = network
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._reason = ""

    def seen(self, rows: Sequence[PodAddress]) -> None:
        """Take note of rows for which an ADD waits, or which it took."""
        mine = [row for row in rows if self._network and row.network.rpartition(":")[2] == self._network]
        lacking = next((row for row in mine if row.state != READY and _SAID in row.reason), None)
        with self._lock:
            if lacking is not None:
                self._until, self._reason = self._clock() + HOLD, f"network {lacking.network}: {lacking.reason}"
            elif any(row.state == READY for row in mine):
                self._until = float("-inf")

    def trouble(self) -> str | None:
        """Why an ADD of now would wait for an address in vain; None if nothing says so."""
        with self._lock:
            return self._reason if self._clock() < self._until else None
