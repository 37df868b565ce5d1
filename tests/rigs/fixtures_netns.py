"""The netns suite: skipped with its reason where namespaces cannot be made."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from simulators.vrouter.underlay import Underlay
from tests.rigs.netns import unavailable


@pytest.fixture(scope="session")
def netns_suite() -> None:
    """Skip unless network namespaces can be made here."""
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def underlay(netns_suite: None) -> Iterator[Underlay]:
    """A fabric for simulated nodes, removed with all that is in it."""
    with Underlay(f"t{secrets.token_hex(3)}") as made:
        yield made
