"""What every test shares: the fixtures of the rigs, and the account of suites that this machine cannot run."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

NEEDS = {"postgres", "kafka", "kubernetes", "netns", "process", "slow"}
_RIGS = Path(__file__).with_name("rigs")
pytest_plugins = [
    "tests.rigs.suites",
    *(f"tests.rigs.{path.stem}" for path in sorted(_RIGS.glob("fixtures_*.py"))),
]

# The tests keep large tables in memory, and looking through them for cycles was a fifth of the time.
gc.set_threshold(200_000, 50, 100)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as unit tests those that need nothing and take no time."""
    for item in items:
        if not NEEDS.intersection(mark.name for mark in item.iter_markers()):
            item.add_marker("unit")


def pytest_sessionfinish() -> None:
    """Look for cycles once: pytest looks five times, and at what is kept anyway takes a second each time."""
    gc.collect()
    gc.freeze()
