"""Which annotations cross the bus (pure).

An annotation is kept when something reads it as an *input* of networking. Not kept: what tools note for
themselves (kubectl's last-applied copy can be 256 kB and may hold secrets) and what this or another CNI writes
back as *status*, since each write would come round as a change of the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

PREFIXES = ("opencontrail.org/", "k8s.v1.cni.cncf.io/")
"""Ours (isolation, network, fip-pool, ip_fabric_snat, …) and the Network Plumbing Working Group's (networks)."""

EXACT = frozenset(
    {
        "kubernetes.io/config.mirror",  # a static pod: kubelet knows it by this value, not by the API's uid
        "kubernetes.io/ingress-bandwidth",
        "kubernetes.io/egress-bandwidth",
    }
)
"""Single keys of prefixes that hold much else."""

STATUS = frozenset(
    {
        "k8s.v1.cni.cncf.io/network-status",
        "k8s.v1.cni.cncf.io/networks-status",
        "opencontrail.org/pod-state",
    }
)
"""Written after the fact: never an input."""


def kept(annotations: Mapping[str, str] | None, also: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """The annotations that networking reads; `also` are those that it reads of one kind only."""
    if not annotations:
        return {}
    return {
        key: value
        for key, value in annotations.items()
        if (key.startswith(PREFIXES) or key in EXACT or key in also) and key not in STATUS
    }
