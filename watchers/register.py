"""What watchers leave to each other and to their next start, and what people ask of them (pure, and the port)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Wish:
    """A person asks for a new snapshot of a kind; `confirmed`: and says that it is right, however short it is."""

    token: str
    """Tells one wish from the next."""
    confirmed: bool = False

    def __str__(self) -> str:
        """As it is written down."""
        return f"{self.token} confirmed" if self.confirmed else self.token

    @classmethod
    def parse(cls, text: str) -> Wish:
        """Read what `str` wrote."""
        token, _, word = text.partition(" ")
        return cls(token, word == "confirmed")


class Register(Protocol):
    """Epochs, counts and wishes, by kind; thread-safe.

    Raises KubernetesUnavailable or OSError when it cannot, NotLeading when another watcher leads meanwhile.
    """

    def next(self, kind: str) -> int:
        """An epoch above every one that any watcher was ever given for the kind."""

    def known(self, kind: str) -> int:
        """How many objects the last good snapshot had; 0 when nothing was remembered."""

    def remember(self, kind: str, count: int, *, granted: Wish | None = None) -> None:
        """Remember how many objects of the kind there are; what held back its last snapshot, if anything, is over.

        The count is the mass-delete guard's measure after a restart. `granted` is the wish that has come true.
        """

    def hold(self, kind: str, reason: str) -> None:
        """Tell people why the last snapshot of the kind is not believed."""

    def wishes(self) -> dict[str, Wish]:
        """What people have asked for and nobody has granted, by kind; as of a few seconds ago at most."""


def raised(previous: int, *, now: float) -> int:
    """The epoch after `previous`; `now` is in seconds since the Unix epoch.

    At least the present second: should the memory of earlier epochs be lost (the file deleted, etcd restored from
    a backup), new ones are above the old ones all the same, and downstream does not drop them as stale. A clock
    that is set back does no harm while the memory is there.
    """
    return max(previous + 1, int(now))
