"""What may be shown of bytes that could not be decoded, in the log and in dead letters (pure)."""

from __future__ import annotations

import re

PRIVATE = re.compile(rb'"(annotations|args|command|data|env|managedFields|stringData)"')
"""Where an object may begin to hold what is nobody's business: environments, also in kubectl's annotation."""


def excerpt(data: bytes, limit: int) -> bytes:
    """The beginning, so many bytes at most, and nothing that may be private: enough for the names of an object."""
    return PRIVATE.split(data[:limit], maxsplit=1)[0]
