"""Values of the fold: a Kubernetes resource as the store keeps it, and where on the bus it was told (pure).

Resources are keyed by their text, `Kind/namespace/name`, here and in the store: a text hashes once.
"""

from __future__ import annotations

import hashlib
from typing import NewType

import msgspec

from schemas.records import RECORD_OF_KIND, Record, SettingsRecord

Key = NewType("Key", str)
"""Resource key as text; `schemas.identity.ResourceKey` writes and reads the same form."""

Body = Record | SettingsRecord
BODY_OF_KIND: dict[str, type[Body]] = {**RECORD_OF_KIND, "Settings": SettingsRecord}
"""Types of what the store keeps: what travels on the bus, and the settings."""

SETTINGS = "Settings"

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces; equal values give equal bytes."""
    return _ENCODER.encode(value)


def digest_of(text: bytes) -> bytes:
    """SHA-256 of canonical JSON."""
    return hashlib.sha256(text).digest()


def key_of(kind: str, namespace: str, name: str) -> Key:
    """Text key of one resource; `namespace` is '' for cluster-scoped kinds."""
    return Key(f"{kind}/{namespace}/{name}")


def list_key(kind: str, namespace: str | None = None) -> Key:
    """Text key of a list read: of one namespace, or with None of all."""
    return Key(f"{kind}/{'*' if namespace is None else namespace}/*")


def list_keys(key: Key) -> tuple[Key, Key]:
    """The list reads that a change of this resource can alter."""
    kind, namespace, _ = key.split("/")
    return list_key(kind, namespace), list_key(kind)


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """A record's place on the bus."""

    topic: str
    partition: int
    offset: int


NOWHERE = Position("", -1, -1)
"""Position of what did not come from the bus."""


class Cause(msgspec.Struct, frozen=True, gc=False):
    """What made a change: the place of the record and its event id."""

    position: Position
    event_id: str | None = None


class Resource(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One Kubernetes resource as the log last told it.

    `text` is the canonical JSON of `body`, `digest` its SHA-256; `observed_at` is microseconds since the
    Unix epoch by the watcher's clock, 0 if unknown.
    """

    kind: str
    namespace: str
    name: str
    api_version: str
    uid: str
    resource_version: str
    epoch: int
    body: Body
    text: bytes
    digest: bytes
    cause: Cause
    observed_at: int = 0

    @property
    def key(self) -> Key:
        """Text key."""
        return key_of(self.kind, self.namespace, self.name)

    @property
    def home(self) -> str:
        """Namespace that it belongs to: for a Namespace its own, '' for what belongs to the whole cluster."""
        return self.name if self.kind == "Namespace" else self.namespace


class Head(msgspec.Struct, frozen=True, gc=False):
    """What the fold must know of a stored resource."""

    uid: str
    resource_version: str
    epoch: int
    digest: bytes
    partition: int
