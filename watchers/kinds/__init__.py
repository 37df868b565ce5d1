"""The kinds that are watched: one small pure file each, and this table of them (pure)."""

from __future__ import annotations

from watchers.kinds import (
    admin_network_policy,
    endpoint_slice,
    ingress,
    ingress_class,
    namespace,
    network_attachment_definition,
    network_policy,
    node,
    pod,
    service,
    service_chain,
    workload,
)
from watchers.kinds.kind import Kind, Metadata, Observed, observe

BUILT_IN: tuple[Kind, ...] = (
    namespace.KIND,
    node.KIND,
    pod.KIND,
    service.KIND,
    endpoint_slice.KIND,
    network_policy.KIND,
    ingress.KIND,
    ingress_class.KIND,
    *workload.KINDS,
)
"""Kinds that every cluster serves."""

OPTIONAL: tuple[Kind, ...] = (network_attachment_definition.KIND, service_chain.KIND, *admin_network_policy.KINDS)
"""Kinds that a CRD brings."""

KINDS = BUILT_IN + OPTIONAL
"""Every watched kind."""

__all__ = ["BUILT_IN", "KINDS", "OPTIONAL", "Kind", "Metadata", "Observed", "observe"]
