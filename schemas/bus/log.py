"""The bus as a directory of Avro files: embedded use, recordings, replays, bug reports.

One process writes a topic, any number follow it; what `flush` returned for survives a power failure.
"""

from __future__ import annotations

from schemas.bus.log_consumer import LogConsumer
from schemas.bus.log_export import export_topic, write_recording
from schemas.bus.log_producer import LogProducer
from schemas.bus.log_topic import LogTopic, create_topic, open_topic
from schemas.bus.log_writer import LogOptions

__all__ = [
    "LogConsumer",
    "LogOptions",
    "LogProducer",
    "LogTopic",
    "create_topic",
    "export_topic",
    "open_topic",
    "write_recording",
]
