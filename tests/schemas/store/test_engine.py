"""How connections to the store are made."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from schemas.settings import DatabaseSettings
from schemas.store.engine import connect

pytestmark = pytest.mark.postgres


def test_a_server_that_vanished_with_its_host_is_noticed_within_half_a_minute(database_url: str) -> None:
    engine = connect(DatabaseSettings(url=database_url), application="tests")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as seen:
            idle, interval, count, unacknowledged = (
                seen.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                    socket.TCP_USER_TIMEOUT,
                )
            )
    engine.dispose()
    assert idle + interval * count <= 30
    assert unacknowledged <= 30_000
