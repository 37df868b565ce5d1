"""How a person's wish reaches the watcher that leads, and how its answer comes back: through the register.

For the console; nothing of the service uses it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watchers.lease import Json, Lease, notes_of
from watchers.register import Wish
from watchers.register_file import RegisterFile
from watchers.register_lease import EPOCH, HELD, KNOWN, WISH

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a wish: `held` is why the new snapshot is not believed, and '' where it was ended."""

    epoch: int
    objects: int
    held: str = ""


class Counter(Protocol):
    """Where wishes are left, and answers found."""

    def leave(self, kind: str, wish: Wish | None) -> None:
        """Write a wish down; None takes it back."""

    def state(self, kind: str) -> tuple[bool, Answer]:
        """Whether a wish is still open, and the newest epoch, count and objection."""


class LeaseCounter:
    """In the watchers' Lease."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def leave(self, kind: str, wish: Wish | None) -> None:
        """As an annotation."""

        def note(lease: Json) -> None:
            notes = lease["metadata"]["annotations"]
            notes.pop(WISH + kind, None)
            if wish is not None:
                notes[WISH + kind] = str(wish)

        self._lease.swap(note)

    def state(self, kind: str) -> tuple[bool, Answer]:
        """As the annotations say."""
        notes = notes_of(self._lease.look() or {})
        answer = Answer(int(notes.get(EPOCH + kind, 0)), int(notes.get(KNOWN + kind, 0)), notes.get(HELD + kind, ""))
        return WISH + kind in notes, answer


class FileCounter:
    """In the epoch file of a single watcher."""

    def __init__(self, path: Path) -> None:
        self._register = RegisterFile(path)

    def leave(self, kind: str, wish: Wish | None) -> None:
        """In the file."""
        self._register.wish(kind, wish)

    def state(self, kind: str) -> tuple[bool, Answer]:
        """As the file says."""
        register = self._register
        return kind in register.wishes(), Answer(register.epoch(kind), register.known(kind), register.held(kind))


def ask(
    counter: Counter,
    kind: str,
    *,
    confirmed: bool,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer | None:
    """Have the leader make a new snapshot of the kind, and wait for it; None when nobody did in so many seconds.

    The wish is taken back then, so that no confirmation is left behind for a listing that nobody has looked at.
    """
    _, before = counter.state(kind)
    counter.leave(kind, Wish(secrets.token_hex(4), confirmed))
    deadline = clock() + seconds
    done = False
    try:
        while not done and clock() < deadline:
            sleep(POLL_SECONDS)
            waiting, answer = counter.state(kind)
            if not waiting:
                done = True
                return answer
            if answer.held and answer.epoch > before.epoch and not confirmed:
                return answer
        return None
    finally:
        if not done:
            counter.leave(kind, None)
