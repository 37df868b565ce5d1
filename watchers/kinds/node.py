"""Node (v1): raw JSON to NodeRecord; conditions, images and heartbeats are never read (pure)."""

from __future__ import annotations

import msgspec

from schemas.records import NodeAddress, NodeRecord
from watchers.kinds.annotations import kept
from watchers.kinds.kind import Kind, Metadata


class NodeSpec(msgspec.Struct, gc=False):
    """`spec`: pod CIDRs, where a controller hands them out (Contrail does not need them)."""

    podCIDR: str = ""  # noqa: N815 - the API's spelling, which no renaming rule gives
    podCIDRs: list[str] | None = None  # noqa: N815


class NodeStatus(msgspec.Struct, gc=False):
    """`status`: the addresses only."""

    addresses: list[NodeAddress] | None = None


class NodeInput(msgspec.Struct, gc=False):
    """What is read of a Node."""

    metadata: Metadata
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


def normalize(raw: NodeInput) -> NodeRecord:
    """The record of one Node."""
    return NodeRecord(
        labels=raw.metadata.labels or {},
        annotations=kept(raw.metadata.annotations),
        addresses=_addresses(raw.status),
        pod_cidrs=_pod_cidrs(raw.spec),
        deleting=raw.metadata.deletion_timestamp is not None,
    )


def _addresses(status: NodeStatus | None) -> tuple[NodeAddress, ...]:
    """By type; of one type the first is the one that counts, so there the order stays."""
    return tuple(sorted(status.addresses or (), key=lambda address: address.type)) if status else ()


def _pod_cidrs(spec: NodeSpec | None) -> tuple[str, ...]:
    if spec is None:
        return ()
    return tuple(spec.podCIDRs or ([spec.podCIDR] if spec.podCIDR else ()))


KIND = Kind("Node", "nodes", NodeInput, normalize, namespaced=False)
