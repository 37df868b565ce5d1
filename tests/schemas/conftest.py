"""Fixtures of the bus tests that need a real broker."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from schemas.settings import KafkaSettings
from tests.rigs.kafka_broker import KafkaBroker
from tests.schemas.kafka_bus import KafkaBus


@pytest.fixture
def collected() -> Iterator[None]:
    """Collect what this test's clients left, so that no later test is blamed for it."""
    yield
    gc.collect()


@pytest.fixture
def kafka_settings(kafka_broker: KafkaBroker) -> KafkaSettings:
    """Settings of the plain listener; short sessions, so that members are missed soon."""
    return KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, session_timeout=3.0, connect_timeout=5.0)


@pytest.fixture
def kafka_bus(kafka_settings: KafkaSettings) -> Iterator[KafkaBus]:
    """The adapter; what it opened is closed."""
    made = KafkaBus(kafka_settings)
    yield made
    made.close()
