"""Port translation pools as people write them: `tcp:56000-57023` (pure)."""

from __future__ import annotations

import re

_POOL = re.compile(r"(tcp|udp):([0-9]{1,5})-([0-9]{1,5})")
ACCEPTED = "tcp:first-last and udp:first-last, with ports from 1 to 65535"


def port_pool(text: str) -> tuple[str, int, int]:
    """Protocol, first and last port; raises ValueError for anything else."""
    found = _POOL.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= int(found[3]) <= 65535:
        raise ValueError(f"{text!r} is no pool of ports; accepted are {ACCEPTED}")
    return found[1], int(found[2]), int(found[3])
