"""What every test shares: the fixtures of the rigs, and the account of suites that this machine cannot run."""

from __future__ import annotations

import gc
from pathlib import Path

_RIGS = Path(__file__).with_name("rigs")
pytest_plugins = [
    "tests.rigs.suites",
    *(f"tests.rigs.{path.stem}" for path in sorted(_RIGS.glob("fixtures_*.py"))),
]

# The tests keep large tables in memory, and looking through them for cycles was a fifth of the time.
gc.set_threshold(200_000, 50, 100)
