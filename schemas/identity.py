"""Identity rules: every id is computed, so that doing anything twice is harmless (pure).

Changing any formula here orphans what an earlier version made in Contrail and in the store.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from dataclasses import dataclass

ROOT = uuid.uuid5(uuid.NAMESPACE_DNS, "opencontrail.org")
"""Namespace of every uuid5 of this project."""
_ROOT_BYTES = ROOT.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """Names one Kubernetes resource inside one cluster; `namespace` is '' for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Kind/namespace/name`: the record key on the bus and the resource key in the store."""
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> ResourceKey:
        """Read back what `str` wrote; raises ValueError on anything else.

        Kubernetes names hold no '/', so three parts are unambiguous.
        """
        kind, namespace, name = text.split("/")
        return cls(kind, namespace, name)


def partition_of(key: ResourceKey, partitions: int) -> int:
    """Partition of a resource: a namespace and everything in it share one order and one consumer."""
    return zlib.crc32((key.namespace or key.name).encode()) % partitions


def shard_of(namespace: str, shards: int) -> int:
    """Applier shard of a namespace ('' for objects of the whole cluster)."""
    return zlib.crc32(namespace.encode()) % shards


def event_id(cluster: str, uid: str, resource_version: str, op: str) -> str:
    """The same fact always has the same id, whoever observes it and however often."""
    return _uuid5(f"{cluster}/{uid}/{resource_version}/{op}")


def marker_id(cluster: str, kind: str, epoch: int, op: str, partition: int) -> str:
    """Event id of a snapshot marker, of which each partition gets its own."""
    return _uuid5(f"{cluster}/{kind}/{epoch}/{op}/{partition}")


def object_uuid(cluster: str, contrail_type: str, key: str) -> str:
    """Uuid of a Contrail object from its natural key.

    `key` is the colon-joined fq_name for named objects, or a Kubernetes uid plus a role for parts of a
    resource (`<pod uid>/eth0`). A virtual-machine does not use this: its uuid is the pod's uid.
    """
    return _uuid5(f"{cluster}/{contrail_type}/{key}")


def link_uuid(owner_type: str, owner: str, target_type: str, target_uuid: str) -> str:
    """Uuid of a Link row in the store: one reference from `owner` (colon-joined fq_name) to a target."""
    return _uuid5(f"link/{owner_type}/{owner}/{target_type}/{target_uuid}")


def entry_uuid(owner_type: str, owner: str, property_name: str, key: str) -> str:
    """Uuid of an Entry row in the store: one entry in a property of `owner` (colon-joined fq_name)."""
    return _uuid5(f"entry/{owner_type}/{owner}/{property_name}/{key}")


def mac_of(interface_uuid: str) -> str:
    """MAC address of a virtual-machine-interface: 02 and the first five bytes of its uuid.

    The config API computes the same one when none is sent; we send it, so that it is known before.
    """
    digits = interface_uuid.replace("-", "")[:10]
    return ":".join(["02", *(digits[i : i + 2] for i in range(0, 10, 2))])


def _uuid5(name: str) -> str:
    """`str(uuid.uuid5(ROOT, name))` (RFC 9562, version 5), in a third of the time: every object needs some."""
    digest = hashlib.sha1(_ROOT_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
