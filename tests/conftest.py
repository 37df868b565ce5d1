"""What every test shares: the fixtures of the rigs."""

from __future__ import annotations

pytest_plugins = ["tests.rigs.fixtures_postgres"]
