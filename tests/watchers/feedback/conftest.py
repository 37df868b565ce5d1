"""A scene for each test that asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.rigs.kubernetes import KubernetesCluster
from tests.watchers.feedback.scene import Scene


@pytest.fixture
def scene(
    kubernetes_cluster: KubernetesCluster, kubernetes_namespace: str, store_engine: Engine, tmp_path: Path
) -> Scene:
    """A namespace of the shared API server, and a fresh store."""
    return Scene(kubernetes_cluster.admin, kubernetes_namespace, store_engine, tmp_path)
