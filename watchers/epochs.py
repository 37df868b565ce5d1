"""Epochs: which snapshot of a kind is the newest, over restarts and over several watchers (pure, and the port)."""

from __future__ import annotations

from typing import Protocol


class EpochSource(Protocol):
    """Hands out epochs, and remembers how many objects the last good snapshot had; thread-safe.

    Raises KubernetesUnavailable or OSError when it cannot: then there is no snapshot.
    """

    def next(self, kind: str) -> int:
        """An epoch above every one that any watcher was ever given for the kind."""

    def known(self, kind: str) -> int:
        """What was last remembered; 0 when nothing was."""

    def remember(self, kind: str, count: int) -> None:
        """Remember how many objects of the kind there are: the mass-delete guard's measure after a restart."""


def raised(previous: int, *, now: float) -> int:
    """The epoch after `previous`; `now` is in seconds since the Unix epoch.

    At least the present second: should the memory of earlier epochs be lost (the file deleted, etcd restored from
    a backup), new ones are above the old ones all the same, and downstream does not drop them as stale. A clock
    that is set back does no harm while the memory is there.
    """
    return max(previous + 1, int(now))
