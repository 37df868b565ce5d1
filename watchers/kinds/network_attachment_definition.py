"""NetworkAttachmentDefinition (k8s.cni.cncf.io/v1): raw JSON to its record (pure)."""

from __future__ import annotations

import msgspec

from schemas.records import NetworkAttachmentDefinitionRecord
from watchers.kinds.annotations import kept
from watchers.kinds.kind import Kind, Metadata


class AttachmentSpec(msgspec.Struct, gc=False):
    """`spec`."""

    config: str | None = None


class AttachmentInput(msgspec.Struct, gc=False):
    """What is read of a NetworkAttachmentDefinition."""

    metadata: Metadata
    spec: AttachmentSpec | None = None


def normalize(raw: AttachmentInput) -> NetworkAttachmentDefinitionRecord:
    """The record of one NetworkAttachmentDefinition; whose configuration is ours is for the translation to say."""
    return NetworkAttachmentDefinitionRecord(
        annotations=kept(raw.metadata.annotations), config=(raw.spec.config if raw.spec else None) or ""
    )


KIND = Kind(
    "NetworkAttachmentDefinition",
    "network-attachment-definitions",
    AttachmentInput,
    normalize,
    api_version="k8s.cni.cncf.io/v1",
    optional=True,
)
