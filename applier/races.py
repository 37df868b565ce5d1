"""Transactions that lose a race run again (shell: it sleeps).

Translator, applier and audit write the same rows in orders of their own: PostgreSQL ends one of two that wait for
each other, and that one has done nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from applier.backoff import delay
from schemas.store.engine import is_serialization_failure

T = TypeVar("T")

_TRIES = 12
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
"""Seconds: a rival that writes without a rest is through after a few of these, and two of them do not keep step."""


def again_if_lost(transaction: Callable[[], T]) -> T:
    """What a whole transaction returns, which is begun anew if it lost a race; any other error is raised at once."""
    for attempt in range(1, _TRIES + 1):
        try:
            return transaction()
        except Exception as error:
            if not is_serialization_failure(error) or attempt == _TRIES:
                raise
        time.sleep(delay(attempt, first=_FIRST_PAUSE, limit=_LONGEST_PAUSE, jitter=random.random()))
    raise AssertionError("unreachable")
