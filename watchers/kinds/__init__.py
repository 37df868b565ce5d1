"""The kinds that are watched: one small pure file each, and this table of them (pure)."""

from __future__ import annotations

from watchers.kinds import namespace, node, pod
from watchers.kinds.kind import Kind, Metadata, Observed, observe

KINDS: tuple[Kind, ...] = (namespace.KIND, node.KIND, pod.KIND)
"""Every watched kind."""

__all__ = ["KINDS", "Kind", "Metadata", "Observed", "observe"]
