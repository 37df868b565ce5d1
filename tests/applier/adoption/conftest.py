"""A Contrail that a predecessor has filled, and the store of the cluster that it was for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from simulators.contrail.server import ContrailSimulator
from tests.applier.incumbent import KubeManager
from tests.applier.kubernetes import KubernetesInStore


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    """A config API with two nodes."""
    with ContrailSimulator(nodes={"node-1": "192.0.2.1", "node-2": "192.0.2.2"}) as simulator:
        yield simulator


@pytest.fixture
def predecessor(contrail: ContrailSimulator) -> Iterator[KubeManager]:
    """Contrail-kube-manager of cluster k8s, started, without namespaces but those it makes at its start."""
    manager = KubeManager(contrail.url)
    manager.bootstrap()
    yield manager
    manager.close()


@pytest.fixture
def kubernetes(store_engine: Engine) -> KubernetesInStore:
    """The store of cluster k8s, empty."""
    return KubernetesInStore(store_engine)
