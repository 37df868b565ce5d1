"""The command `replay`: opens log and target, replays, prints what it came to and the digest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from schemas.bus.log import LogConsumer
from schemas.bus.log_file import FileConsumer
from schemas.bus.port import Consumer
from schemas.errors import SettingsError
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from translator.batch import Rules
from translator.fold import APPLIED
from translator.memory import MemoryStore
from translator.postgres import PostgresStore
from translator.replay import Replayed, replay, require_empty
from translator.service import Settings, tune_garbage_collector
from translator.store import Store
from translator.version import settings_record

MEMORY = "memory"


def replay_log(settings: Settings, *, directory: Path, database: str, into_existing: bool) -> int:
    """Replay a log directory, one topic's folder or a recording's file into `database`, a URL or 'memory'.

    Returns the exit code.

    Raises StoreMismatch for a target that holds something, unless `into_existing`.
    """
    consumer = _open(settings, directory)
    try:
        store = _target(settings, database)
        try:
            if not into_existing:
                require_empty(store, "memory" if database == MEMORY else "the database")
            tune_garbage_collector()
            rules = Rules.of(settings.translator.consumer, settings_record(settings.cluster))
            replayed = replay(consumer, store, rules, batch_records=settings.translator.batch_records)
        finally:
            store.close()
    finally:
        consumer.close()
    sys.stdout.write(_text(replayed))
    return 0


def _open(settings: Settings, directory: Path) -> Consumer:
    if directory.is_file():
        return FileConsumer(directory)
    if (directory / "topic.json").exists():
        return LogConsumer(directory.parent, directory.name)
    topic = settings.bus.topic_of(settings.cluster.name)
    if not (directory / topic).exists():
        raise SettingsError(f"--log {directory}: neither a topic (no topic.json) nor a directory with topic {topic}")
    return LogConsumer(directory, topic)


def _target(settings: Settings, database: str) -> Store:
    if database == MEMORY:
        return MemoryStore()
    if "://" not in database:
        raise SettingsError(f"--database {database!r}: accepted are 'memory' and a postgresql:// URL")
    engine = connect(replace(settings.database, url=database), application="replay", pool_size=1)
    migrate(engine)
    return PostgresStore(engine, settings.cluster.name)


def _text(replayed: Replayed) -> str:
    applied = sum(count for action, count in replayed.events.items() if action in APPLIED)
    dropped = replayed.events.total() - applied
    rows = " ".join(f"{name}={count}" for name, count in replayed.rows.items())
    return (
        f"records={replayed.records} applied={applied} dropped={dropped} dead={replayed.dead_letters}\n"
        f"{rows}\n"
        f"digest={replayed.digest}\n"
    )
