"""Namespace (v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec


class NamespaceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Labels, the annotations of interest, and whether deletion has begun."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    deleting: bool = False
