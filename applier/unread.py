"""Objects whose addresses must still be read, gathered so that one call reads many (pure, but it changes)."""

from __future__ import annotations

from applier.observe import CHUNK
from applier.rows import Row


class Unread:
    """Rows in the order in which they came, and until when the first of them can wait; times are monotonic."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self.due_at = float("inf")
        """When to read at the latest."""

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_full(self) -> bool:
        """Whether one call cannot read more."""
        return len(self._rows) >= CHUNK

    def add(self, row: Row, *, read_by: float) -> None:
        """The row's object was created; its address shall be read by then."""
        self._rows.append(row)
        self.due_at = min(self.due_at, read_by)

    def take(self, now: float, *, more_may_come: bool) -> list[Row]:
        """Rows to read now; none while it is worth to wait for others."""
        if more_may_come and now < self.due_at and not self.is_full:
            return []
        batch, self._rows = self._rows[:CHUNK], self._rows[CHUNK:]
        self.due_at = now if self._rows else float("inf")
        return batch
