"""An applier over a real store and the simulated Contrail, and waiting for what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from applier.service import AppliedInBackground, Settings
from applier.settings import ApplierSettings
from schemas.health import Health
from schemas.settings import ContrailSettings, DatabaseSettings
from simulators.contrail.server import ContrailSimulator
from tests.applier.desired import DesiredStore

QUICK: dict[str, Any] = {"backoff_first": 0.05, "backoff_limit": 0.5, "blocked_limit": 0.2, "takeover_interval": 0.1}
"""Patience of tests."""


def settings_for(database_url: str, contrail_url: str, **applier: Any) -> Settings:
    """Settings of an applier that is impatient unless told otherwise."""
    return Settings(
        database=DatabaseSettings(url=database_url),
        contrail=ContrailSettings(
            urls=(contrail_url,), connect_timeout=2.0, read_timeout=applier.pop("read_timeout", 2.0)
        ),
        applier=ApplierSettings(**{**QUICK, **applier}),
    )


def applying(
    store: DesiredStore, contrail: ContrailSimulator, *, health: Health | None = None, **applier: Any
) -> AppliedInBackground:
    """An applier that runs while the `with` block lasts."""
    url = store.engine.url.render_as_string(hide_password=False)
    return AppliedInBackground(settings_for(url, contrail.url, **applier), health=health)


def until(condition: Callable[[], Any], *, within: float = 20.0, told: Callable[[], Any] | None = None) -> Any:
    """What the condition gave when it first held; fails after `within` seconds, saying what `told` says."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within} s" + (f": {told()}" if told is not None else ""))
        time.sleep(0.01)
    return found


def until_applied(store: DesiredStore, *, within: float = 20.0) -> None:
    """Wait until nothing is left to do."""
    until(lambda: not store.unfinished(), within=within, told=store.unfinished)
