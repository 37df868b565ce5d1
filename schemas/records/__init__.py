"""One typed record per Kubernetes kind: what networking can need of an object, and nothing else (pure).

A record is what crosses the bus and what the store keeps as jsonb. A new field has a default, is added to a
new Avro schema version (schemas/avro), and never changes its meaning.
"""

from __future__ import annotations

from schemas.records.admin_network_policy import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
)
from schemas.records.endpoint_slice import Endpoint, EndpointPort, EndpointSliceRecord
from schemas.records.ingress import (
    IngressBackend,
    IngressClassRecord,
    IngressPath,
    IngressRecord,
    IngressRule,
    IngressTls,
)
from schemas.records.namespace import NamespaceRecord
from schemas.records.network_attachment_definition import NetworkAttachmentDefinitionRecord
from schemas.records.network_policy import IpBlock, NetworkPolicyRecord, PolicyPeer, PolicyPort, PolicyRule
from schemas.records.node import NodeAddress, NodeRecord
from schemas.records.pod import ContainerPort, OwnerReference, PodRecord
from schemas.records.selector import LabelRequirement, LabelSelector
from schemas.records.service import LoadBalancerAddress, ServicePort, ServiceRecord
from schemas.records.service_chain import ChainNetwork, ChainPort, ChainService, ChainTraffic, ServiceChainRecord
from schemas.records.settings import SettingsRecord
from schemas.records.workload import WorkloadRecord

Record = (
    NamespaceRecord
    | PodRecord
    | NodeRecord
    | ServiceRecord
    | EndpointSliceRecord
    | NetworkPolicyRecord
    | IngressRecord
    | IngressClassRecord
    | NetworkAttachmentDefinitionRecord
    | WorkloadRecord
    | ServiceChainRecord
    | AdminNetworkPolicyRecord
    | BaselineAdminNetworkPolicyRecord
)
"""Any record that travels on the bus."""

RECORD_OF_KIND: dict[str, type[Record]] = {
    "Namespace": NamespaceRecord,
    "Pod": PodRecord,
    "Node": NodeRecord,
    "Service": ServiceRecord,
    "EndpointSlice": EndpointSliceRecord,
    "NetworkPolicy": NetworkPolicyRecord,
    "Ingress": IngressRecord,
    "IngressClass": IngressClassRecord,
    "NetworkAttachmentDefinition": NetworkAttachmentDefinitionRecord,
    "ServiceChain": ServiceChainRecord,
    "AdminNetworkPolicy": AdminNetworkPolicyRecord,
    "BaselineAdminNetworkPolicy": BaselineAdminNetworkPolicyRecord,
    "ReplicationController": WorkloadRecord,
    "ReplicaSet": WorkloadRecord,
    "Deployment": WorkloadRecord,
    "StatefulSet": WorkloadRecord,
    "DaemonSet": WorkloadRecord,
    "Job": WorkloadRecord,
}

__all__ = [
    "RECORD_OF_KIND",
    "AdminNetworkPolicyRecord",
    "AdminPeer",
    "AdminPods",
    "AdminPort",
    "AdminRule",
    "BaselineAdminNetworkPolicyRecord",
    "ChainNetwork",
    "ChainPort",
    "ChainService",
    "ChainTraffic",
    "ContainerPort",
    "Endpoint",
    "EndpointPort",
    "EndpointSliceRecord",
    "IngressBackend",
    "IngressClassRecord",
    "IngressPath",
    "IngressRecord",
    "IngressRule",
    "IngressTls",
    "IpBlock",
    "LabelRequirement",
    "LabelSelector",
    "LoadBalancerAddress",
    "NamespaceRecord",
    "NetworkAttachmentDefinitionRecord",
    "NetworkPolicyRecord",
    "NodeAddress",
    "NodeRecord",
    "OwnerReference",
    "PodRecord",
    "PolicyPeer",
    "PolicyPort",
    "PolicyRule",
    "Record",
    "ServiceChainRecord",
    "ServicePort",
    "ServiceRecord",
    "SettingsRecord",
    "WorkloadRecord",
]
