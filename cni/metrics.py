"""Counters of the node agent; no pod names in labels, so a node has the same few series for ever."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram


class CniMetrics:
    """Metrics of one agent."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.requests = Counter(
            "contrail_kube_cni_requests_total",
            "CNI commands served, by command and error code (0 is success)",
            ("command", "code"),
            registry=registry,
        )
        self.seconds = Histogram(
            "contrail_kube_cni_request_seconds",
            "Time from a request to its answer, waiting for addresses included",
            ("command",),
            buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45),
            registry=registry,
        )
        self.attached = Gauge(
            "contrail_kube_cni_attached_interfaces", "Interfaces with a record on this node", registry=registry
        )
        self.withdrawals = Gauge(
            "contrail_kube_cni_pending_withdrawals",
            "Machines that the vrouter agent could not be told to forget yet",
            registry=registry,
        )
