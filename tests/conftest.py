"""What every test shares: the fixtures of the rigs, and the account of suites that this machine cannot run."""

from __future__ import annotations

from pathlib import Path

_RIGS = Path(__file__).with_name("rigs")
pytest_plugins = [
    "tests.rigs.suites",
    *(f"tests.rigs.{path.stem}" for path in sorted(_RIGS.glob("fixtures_*.py"))),
]
