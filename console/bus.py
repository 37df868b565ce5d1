"""Asking the bus how far it reaches: end offsets, without taking part in anybody's reading."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.bus.open import open_consumer
from schemas.bus.port import Consumer
from schemas.errors import BusUnavailable
from schemas.settings import BusSettings, KafkaSettings


class BusEnds:
    """End offset by partition, each time it is called; for one thread.

    Raises BusUnavailable while the bus does not answer. It is a member of no consumer group: joining the
    translator's would take partitions away from it.
    """

    def __init__(self, *, bus: BusSettings, kafka: KafkaSettings, cluster: str) -> None:
        self._bus = bus
        self._kafka = kafka
        self._cluster = cluster
        self._consumer: Consumer | None = None

    def __call__(self) -> Mapping[int, int] | None:
        """Offset after the last record, by partition; None while not all partitions are known."""
        if self._consumer is None:
            client = "contrail-kube-console"
            self._consumer = open_consumer(self._bus, self._kafka, self._cluster, group="", client=client)
        try:
            ends = self._consumer.end_offsets()
        except BusUnavailable:
            self.close()
            raise
        return ends if len(ends) >= self._bus.partitions else None

    def close(self) -> None:
        """Leave the bus."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
