"""NetworkAttachmentDefinition (k8s.cni.cncf.io/v1) as networking sees it (pure)."""

from __future__ import annotations

import msgspec


class NetworkAttachmentDefinitionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Annotations of interest and the CNI configuration, JSON text as written; '' where it has none."""

    annotations: dict[str, str] = {}
    config: str = ""
