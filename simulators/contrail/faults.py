"""Faults on demand: what goes wrong with the next requests that match (pure, but it is used up).

Beside what breaks there are lies: answers that look right and are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from simulators.contrail.answers import Json


class Trouble(StrEnum):
    """What happens instead of, or beside, a proper answer."""

    STATUS = "status"
    """`status` and `text` are answered, and nothing is done."""
    DROP_BEFORE = "drop-before"
    """The connection is cut, and nothing is done."""
    DROP_AFTER = "drop-after"
    """The work is done, and the connection is cut before the answer."""
    LATENCY = "latency"
    """The work is done `seconds` later, and answered."""
    STATUS_AFTER = "status-after"
    """The work is done, and `status` and `text` are answered: a lie."""
    NOTHING = "nothing"
    """It is answered as if the work had been done, and nothing is done: a lie."""
    STALE = "stale"
    """It is answered from the last snapshot, and nothing is done; without a snapshot, properly."""
    QUOTA = "quota"
    """Over quota, with the page of HTML that the original answers, and nothing is done."""


@dataclass(slots=True)
class Fault:
    """One fault for the next `count` requests (None: for all) that match.

    `method` '' is any; `path` is a regular expression that must match at the beginning of the path.
    """

    trouble: Trouble
    method: str = ""
    path: str = "/"
    count: int | None = 1
    status: int = 503
    text: str = "Service Unavailable"
    retry_after: float | None = None
    seconds: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one that this is for."""
        return self.method in ("", method) and re.match(self.path, path) is not None

    @classmethod
    def from_json(cls, asked: Mapping[str, Json]) -> Fault:
        """From a JSON object with the fields of this class; raises TypeError or ValueError for anything else."""
        fault = cls(**{**asked, "trouble": Trouble(str(asked.get("trouble")))})
        try:
            re.compile(fault.path)
        except re.error as error:
            raise ValueError(f"path {fault.path!r} is no regular expression: {error}") from None
        return fault


class Faults:
    """Faults that wait for their requests; the oldest that matches counts."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let a fault wait for its requests."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let everything go well again."""
        self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """Faults that are not used up."""
        return tuple(self._waiting)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, which is used once by that."""
        for fault in self._waiting:
            if not fault.matches(method, path):
                continue
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._waiting.remove(fault)
            return fault
        return None
