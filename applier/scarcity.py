"""Who waits for an address or for quota, and whose turn it is when some is given back (pure, but it changes).

An attempt that Contrail refuses because something is used up is repeated ever more seldom. The delete of an object
gives back what a waiting one of its type needs: one is tried again at once for each that goes, who waits longest
first. What somebody else gives back is found at the next attempt, after at most the longest back-off.
"""

from __future__ import annotations

from collections.abc import Sequence

from applier.rows import Result, Row

_NETWORK = "virtual-network"
MOST = 10_000
"""Waiting rows that are remembered; beyond, they find out by themselves."""


class Scarcity:
    """Rows that were refused for want of room; told of all results, in the order in which they are recorded."""

    def __init__(self) -> None:
        self._waiting: dict[str, Row] = {}
        self._queues: dict[tuple[str, ...], dict[str, None]] = {}
        """Uuids by (type, place) and by (type,), first come first."""

    def __len__(self) -> int:
        return len(self._waiting)

    def next_in_turn(self, results: Sequence[Result]) -> list[str]:
        """Take note of results; returns the uuids of rows that are worth a try now."""
        for result in results:
            self._leave(result.row.uuid)  # it comes last again, if it goes on to wait
        for result in results:
            if result.full and len(self._waiting) < MOST:
                self._join(result.row)
        # Of what is recorded together, nobody knows which came first: the refusal may have been the earlier.
        freed = [result.row for result in results if result.done and result.row.absent]
        return [uuid for row in freed if (uuid := self._first(row)) is not None]

    def _first(self, freed: Row) -> str | None:
        for key in _keys(freed):
            if queue := self._queues.get(key):
                uuid = next(iter(queue))
                self._leave(uuid)
                return uuid
        return None

    def _join(self, row: Row) -> None:
        self._waiting[row.uuid] = row
        for key in _keys(row):
            self._queues.setdefault(key, {})[row.uuid] = None

    def _leave(self, uuid: str) -> None:
        row = self._waiting.pop(uuid, None)
        if row is None:
            return
        for key in _keys(row):
            del self._queues[key][uuid]
            if not self._queues[key]:
                del self._queues[key]


def _keys(row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Its queues: of its place, then of its type, because networks can share their addresses."""
    return (row.type, _place(row)), (row.type,)


def _place(row: Row) -> str:
    """Where the row takes its room from: the uuid of its network if it refers to one, else its parent's name."""
    for reference in row.body.get("references") or ():
        if reference["type"] == _NETWORK and reference["uuid"]:
            return str(reference["uuid"])
    return row.fq_name.rpartition(":")[0]
