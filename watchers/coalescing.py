"""What waits for the bus, newer events taking the place of older ones about the same object (pure).

What the bus is away for costs memory per object, not per event. An event never passes a snapshot marker of its
kind, since the marker says what came before it, and among the events of a kind versions rise, as they did in the
watch: downstream takes what comes back from behind for a repetition. Letters about undecodable things keep their
place and replace nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.events import ChangeEvent
from schemas.letters import Letter

Message = ChangeEvent | Letter


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, where it goes, and when it was taken (seconds of a monotonic clock)."""

    partition: int
    event: Message
    taken_at: float


Slot = tuple[str, int, str, str, str]
"""Kind, segment (the part between two markers of the kind), namespace, name, uid."""


class Pending:
    """The messages in the order in which they go out; not thread-safe."""

    def __init__(self) -> None:
        self._entries: dict[Slot, Entry] = {}
        self._segments: dict[str, int] = {}
        self._letters = 0

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
        assert isinstance(entry.event, ChangeEvent)
        kind = entry.event.kind
        segment = self._segments.get(kind, 0) + 1
        self._segments[kind] = segment
        self._entries[kind, segment, "", "", f"{entry.event.op} {entry.partition}"] = entry

    def add_letter(self, entry: Entry) -> None:
        """Take a letter."""
        self._letters += 1
        self._entries[entry.event.kind, -self._letters, "", "", ""] = entry

    def take(self) -> list[Entry]:
        """Everything that waits, in order; nothing waits afterwards."""
        taken = list(self._entries.values())
        self._entries, self._segments = {}, {}
        return taken

    def _slot(self, event: Message) -> Slot:
        return event.kind, self._segments.get(event.kind, 0), event.namespace, event.name, event.uid
