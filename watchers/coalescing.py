"""Events that wait for the bus, newer ones taking the place of older ones about the same object (pure).

What the bus is away for costs memory per object, not per event. An event never passes a snapshot marker of its
kind, since the marker says what came before it, and among the events of a kind versions rise, as they did in the
watch: downstream takes what comes back from behind for a repetition.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events import ChangeEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, where it goes, and when it was taken (seconds of a monotonic clock)."""

    partition: int
    event: ChangeEvent
    taken_at: float


Slot = tuple[str, int, str, str, str]
"""Kind, segment (the part between two markers of the kind), namespace, name, uid."""


class Pending:
    """The events in the order in which they go out; not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[Slot, Entry] = {}
        self._segments: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def replaces(self, event: ChangeEvent) -> bool:
        """Whether the event would take the place of another, and need no more room."""
        return self._slot(event) in self._entries

    def add(self, entry: Entry) -> None:
        """Take an event about one object, at the end; what waits about the same object, by uid, is forgotten.

        An object of the same name and another uid is another object: its delete goes out before its successor.
        """
        slot = self._slot(entry.event)
        self._entries.pop(slot, None)
        self._entries[slot] = entry

    def add_marker(self, entry: Entry) -> None:
        """Take a snapshot marker: what comes later about its kind stays behind it."""
        kind = entry.event.kind
        segment = self._segments.get(kind, 0) + 1
        self._segments[kind] = segment
        self._entries[kind, segment, "", "", f"{entry.event.op} {entry.partition}"] = entry

    def take(self) -> list[Entry]:
        """Everything that waits, in order; nothing waits afterwards."""
        taken = list(self._entries.values())
        self._entries, self._segments = {}, {}
        return taken

    def _slot(self, event: ChangeEvent) -> Slot:
        return event.kind, self._segments.get(event.kind, 0), event.namespace, event.name, event.uid
