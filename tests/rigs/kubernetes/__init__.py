"""A real Kubernetes control plane for tests and recordings: etcd, kube-apiserver and, on demand, the rest.

Built once by the Go toolchain from pinned modules (`build`), run on loopback (`KubernetesCluster`).
"""

from __future__ import annotations

from .access import Access, ApiError
from .binary import BuildFailed, binary_path, build, kubernetes_version, unavailable
from .cluster import USER, KubernetesCluster
from .options import CONTROLLERS, Options, Pace
from .process import ClusterFailed, Component

__all__ = [
    "CONTROLLERS",
    "USER",
    "Access",
    "ApiError",
    "BuildFailed",
    "ClusterFailed",
    "Component",
    "KubernetesCluster",
    "Options",
    "Pace",
    "binary_path",
    "build",
    "kubernetes_version",
    "unavailable",
]
