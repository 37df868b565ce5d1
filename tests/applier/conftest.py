"""A simulated Contrail with one node, and a store to apply."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    """A config API with virtual-router `node-1`."""
    with ContrailSimulator(nodes={"node-1": "192.0.2.1"}) as simulator:
        yield simulator


@pytest.fixture
def store(store_engine: Engine) -> DesiredStore:
    """A store without any desired object."""
    return DesiredStore(store_engine)
