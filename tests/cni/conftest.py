"""Fixtures of the CNI tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cni.fakes import Fixture


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Fixture]:
    """A node agent over fakes that knows pod shop/web-0."""
    made = Fixture(tmp_path)
    yield made
    made.close()


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Fixture]:
    """The same, with an ADD that plugs only the interface that it names."""
    made = Fixture(tmp_path, interfaces="named")
    yield made
    made.close()
