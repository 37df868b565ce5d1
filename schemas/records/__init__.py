"""One typed record per Kubernetes kind: what networking can need of an object, and nothing else (pure).

A record is what crosses the bus and what the store keeps as jsonb. A new field has a default, is added to a
new Avro schema version (schemas/avro), and never changes its meaning.
"""

from __future__ import annotations

from schemas.records.namespace import NamespaceRecord
from schemas.records.node import NodeAddress, NodeRecord
from schemas.records.pod import ContainerPort, OwnerReference, PodRecord
from schemas.records.settings import SettingsRecord

Record = NamespaceRecord | PodRecord | NodeRecord
"""Any record that travels on the bus."""

RECORD_OF_KIND: dict[str, type[Record]] = {
    "Namespace": NamespaceRecord,
    "Pod": PodRecord,
    "Node": NodeRecord,
}

__all__ = [
    "RECORD_OF_KIND",
    "ContainerPort",
    "NamespaceRecord",
    "NodeAddress",
    "NodeRecord",
    "OwnerReference",
    "PodRecord",
    "Record",
    "SettingsRecord",
]
