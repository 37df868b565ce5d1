"""The topic in Kafka: made with the settings that this project needs, and verified at every start.

Compaction and short retention would lose deletes silently; records that do not fit would stop a watcher.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from kafka import KafkaAdminClient, errors
from kafka.admin import ConfigResource, ConfigResourceType

from schemas.bus.kafka_client import client_options, connect, translated
from schemas.bus.port import MAX_RECORD_BYTES
from schemas.errors import BusMismatch, BusUnavailable
from schemas.settings import KafkaSettings

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = MAX_RECORD_BYTES + 64 * 1024
"""Largest batch: a record of the largest size, and what Kafka writes around it."""
_READY_SECONDS = 30.0
_HOUR_MS = 3600 * 1000


def ensure_topic(settings: KafkaSettings, topic: str, partitions: int) -> None:
    """Make the topic if there is none, and verify it; raises BusMismatch with setting, found and wanted."""
    with _admin(settings) as admin:
        if _describe(admin, topic) is None:
            _create(admin, settings, topic, partitions)
        _verify(admin, settings, topic, partitions)


def verify_topic(settings: KafkaSettings, topic: str, partitions: int | None = None) -> int:
    """Verify a topic that its producer makes; its number of partitions.

    Raises BusUnavailable while there is none, BusMismatch with setting, found and wanted.
    """
    with _admin(settings) as admin:
        return _verify(admin, settings, topic, partitions)


@contextlib.contextmanager
def _admin(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    admin = connect(KafkaAdminClient, settings, client_options(settings, "contrail-kube-topic"))
    try:
        with translated(settings, "describing the topic"):
            yield admin
    finally:
        admin.close()


def _describe(admin: KafkaAdminClient, topic: str) -> Mapping[str, Any] | None:
    [found] = admin.describe_topics([topic])
    kind = errors.for_code(found["error_code"])
    if kind is errors.UnknownTopicOrPartitionError:
        return None
    if kind is not errors.NoError:
        raise kind(topic)
    description: Mapping[str, Any] = found
    return description


def _create(admin: KafkaAdminClient, settings: KafkaSettings, topic: str, partitions: int) -> None:
    wanted = {
        "num_partitions": partitions,
        "replication_factor": settings.replication_factor,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(settings.retention_hours * _HOUR_MS),
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "min.insync.replicas": str(settings.min_insync_replicas),
        },
    }
    # Another watcher may make it at the same time: what counts is the verification that follows.
    with contextlib.suppress(errors.TopicAlreadyExistsError):
        admin.create_topics({topic: wanted})
        logger.info("topic made topic=%s partitions=%d replicas=%d", topic, partitions, settings.replication_factor)
    admin.wait_for_topics([topic], timeout_ms=int(_READY_SECONDS * 1000))


def _verify(admin: KafkaAdminClient, settings: KafkaSettings, topic: str, partitions: int | None) -> int:
    description = _describe(admin, topic)
    if description is None:
        servers = ", ".join(settings.bootstrap_servers)
        raise BusUnavailable(f"Kafka at {servers} has no topic {topic} (yet): the watchers make it at their start")
    found = description["partitions"]
    faults = []
    if partitions is not None and len(found) != partitions:
        faults.append(f"partitions: found {len(found)}, wanted {partitions} (fixed for a topic's life)")
    replicas = min(len(each["replica_nodes"]) for each in found)
    if replicas < settings.replication_factor:
        faults.append(f"replication factor: found {replicas}, wanted {settings.replication_factor} or more")
    faults += _faults(_configuration(admin, topic), settings)
    if faults:
        raise BusMismatch(
            f"topic {topic}: {'; '.join(faults)}: change the topic or the setting, or begin another topic"
        )
    return len(found)


def _configuration(admin: KafkaAdminClient, topic: str) -> Mapping[str, str]:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    found = admin.describe_configs([resource], config_filter="all").get("topic", {}).get(topic, {})
    if not found:
        logger.warning("topic settings cannot be read and are not verified (DescribeConfigs) topic=%s", topic)
    return {name: str(entry["value"]) for name, entry in found.items()}


def _faults(found: Mapping[str, str], settings: KafkaSettings) -> list[str]:
    faults = []
    if (policy := found.get("cleanup.policy", "delete")) != "delete":
        faults.append(f"cleanup.policy: found {policy}, wanted delete")
    for name, least in (
        ("retention.ms", settings.retention_hours * _HOUR_MS),
        ("max.message.bytes", MAX_MESSAGE_BYTES),
        ("min.insync.replicas", settings.min_insync_replicas),
    ):
        value = int(found.get(name, least))
        # Kafka writes "without limit" as -1.
        if 0 <= value < least:
            faults.append(f"{name}: found {value}, wanted {least} or more")
    if (limit := int(found.get("retention.bytes", -1))) >= 0:
        logger.warning("retention.bytes=%d can remove records before their time", limit)
    return faults
