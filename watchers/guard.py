"""The mass-delete guard: which listings are too good, or too bad, to be true (pure).

What a listing lacks is deleted downstream at its `snapshot_end`. A restored etcd, a broken proxy or a bug can
answer 200 with next to nothing, so such a listing is not ended before a person has confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchers.kinds import Kind


@dataclass(frozen=True, slots=True)
class Guard:
    """The limits."""

    share: float = 0.5
    """A listing that lacks more than this share of the objects known before is not believed."""
    floor: int = 20
    """Below so many known objects shrinking is everyday life, and is believed."""

    def objection(self, kind: Kind, *, known: int, listed: int) -> str | None:
        """Why the listing must not be ended, or None; `known` is 0 where nothing is known."""
        if listed == 0 and kind.never_empty:
            return f"the listing of {kind.resource} is empty, and no cluster is without any"
        if known >= self.floor and known - listed > self.share * known:
            return f"the listing of {kind.resource} has {listed} objects, {known} were known: deletions are held back"
        return None
