"""Who writes a property of a shared object as a whole takes turns with the others of this process (shell: locks)."""

from __future__ import annotations

import threading
from collections import defaultdict

_LOCK = threading.Lock()
_TURNS: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


def turn(owner_type: str, owner: str) -> threading.Lock:
    """The lock of this object (colon-joined fq_name), for all threads of the process: applier and audits."""
    with _LOCK:
        return _TURNS[owner_type, owner]
