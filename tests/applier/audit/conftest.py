"""One cluster with its store and a simulated Contrail."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from simulators.contrail.server import ContrailSimulator
from tests.applier.audit.world import World


@pytest.fixture
def world(store_engine: Engine, contrail: ContrailSimulator) -> World:
    """Cluster k8s, of owner k8s."""
    return World(store_engine, contrail)
