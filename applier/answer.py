"""An answer of the Contrail API as a value (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.contrail.objects import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said: status, plain text, and the JSON value where the text is one."""

    status: int
    text: str = ""
    json: Json = None
    retry_after: float | None = None
    """Seconds, from the header of 429 and 503."""

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.status == 200
