"""A real Apache Kafka broker for a test session, or a skip that says why there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rigs.kafka_broker import KafkaBroker
from tests.rigs.kafka_jars import KafkaUnavailable, jars


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """A running broker, with a secure listener; whoever kills it starts it again."""
    try:
        jars()
    except KafkaUnavailable as error:
        pytest.skip(f"kafka suite unavailable: {error}")
    with KafkaBroker(secure=True) as broker:
        yield broker
