"""When work is loaded again after a load or a sign of life that failed."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from applier.lease import Lease
from applier.loader import PART, Loader
from applier.settings import ApplierSettings
from schemas.errors import StoreUnavailable
from schemas.health import Health


class NoStore:
    """An engine that gives no connection."""

    url = "postgresql://nowhere"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connect(self) -> Any:
        raise self._error


@pytest.mark.parametrize("error", [StoreUnavailable("it is away"), RuntimeError("connection already closed")])
@pytest.mark.parametrize("asks", ["_load", "_touch"])
def test_whatever_fails_the_store_is_asked_again(error: Exception, asks: str) -> None:
    told: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    health = Health()
    engine = cast(Engine, NoStore(error))
    settings = ApplierSettings()
    loader = Loader(engine, cluster="k8s", settings=settings, health=health, tell=told.put, lease=Lease(15.0))
    lost: list[bool] = []
    doubt = lambda: lost.append(True)  # noqa: E731
    loader._loading = True  # as the deciding thread leaves it while another asks
    if asks == "_load":
        loader._load({}, lambda plan: None, doubt)
    else:
        loader._touch(doubt)
    told.get(timeout=1.0)()
    assert lost == [True]
    assert loader.due_at < float("inf")
    assert str(error) in health.why_not_ready()[PART]
    loader.close()
