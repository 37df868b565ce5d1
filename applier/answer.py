"""An answer of the Contrail API as a value (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.contrail.objects import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said: status, and the JSON value or else the text; an error may have both."""

    status: int
    text: str = ""
    json: Json = None
    retry_after: float | None = None
    """Seconds, from the header of 429 and 503."""
    elsewhere: bool = False
    """This API server is not well, and another one will be asked from now on."""
    asked: str = ""
    """With a refusal (401, 403): who asked, as which user of what, by which credentials; never a secret."""

    @property
    def ok(self) -> bool:
        """Whether the status is 200."""
        return self.status == 200
