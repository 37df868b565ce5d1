"""What has been so for long enough (pure, but it changes)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Lasting(Generic[Key]):
    """Since when each thing is so; what is not so any more is forgotten."""

    def __init__(self) -> None:
        self._since: dict[Key, float] = {}

    def those(self, seconds: Mapping[Key, float], now: float) -> list[Key]:
        """Those of the things that are so now which have been so for their number of seconds."""
        self._since = {key: self._since.get(key, now) for key in seconds}
        return [key for key, since in self._since.items() if now - since >= seconds[key]]
