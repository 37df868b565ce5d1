"""The whole service in a thread of the test, over a fake or a real API server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kubernetes.client import Configuration

from schemas.events import ChangeEvent, Op
from schemas.health import Health
from tests.watchers.folded import Folded
from tests.watchers.memory_bus import MemoryBus
from tests.watchers.patience import eventually
from watchers.kinds import Kind, pod
from watchers.publisher import PART as BUS
from watchers.service import run
from watchers.settings import WatchersSettings

LONGEST_STOP = 15.0


class Watching:
    """A running service: what it published, and how it says it is."""

    def __init__(self, bus: MemoryBus, health: Health, stop: threading.Event) -> None:
        self.bus = bus
        self.health = health
        self.stop = stop
        self.errors: list[BaseException] = []

    def events(self, *ops: Op) -> list[ChangeEvent]:
        """Durable events of these ops (of all, if none is named)."""
        return [event for event in self.bus.events if not ops or event.op in ops]

    def told(self, *ops: Op) -> list[str]:
        """`op name version` of each durable event about an object."""
        return [f"{e.op} {e.name} {e.resource_version}" for e in self.events(*ops) if e.name]

    def snapshots(self, kind: str = "Pod") -> list[int]:
        """Epochs of the snapshots that were ended."""
        return list(dict.fromkeys(e.epoch for e in self.events(Op.SNAPSHOT_END) if e.kind == kind))

    def begun(self, kind: str = "Pod") -> list[int]:
        """Epochs of the snapshots that were begun."""
        return list(dict.fromkeys(e.epoch for e in self.events(Op.SNAPSHOT_BEGIN) if e.kind == kind))

    def folded(self) -> Folded:
        """What downstream makes of all that is durable."""
        return Folded(self.bus.partitions).fold(self.bus.placed)

    def ready(self) -> None:
        """Wait until all is well."""
        eventually(lambda: not self.health.why_not_ready())

    def settled(self, uids: Callable[[], set[str]], kind: str = "Pod") -> None:
        """Wait until downstream has exactly the objects with these uids."""
        eventually(lambda: self.folded().uids(kind) == uids())


@contextmanager
def watching(
    load: Callable[[], Configuration],
    tmp_path: Path | None,
    *,
    bus: MemoryBus | None = None,
    kinds: Sequence[Kind] = (pod.KIND,),
    health: Health | None = None,
    **settings: object,
) -> Iterator[Watching]:
    """The service until the block ends, then stopped as by SIGTERM; epochs in a file, or in a Lease without a path."""
    if tmp_path is not None:
        settings.setdefault("epoch_file", str(tmp_path / "epochs.json"))
    running = Watching(bus or MemoryBus(), health or Health(), threading.Event())
    running.health.not_ready(BUS, "not started")

    def body() -> None:
        try:
            run(
                WatchersSettings(**settings),  # type: ignore[arg-type]
                cluster="k8s",
                load=load,
                open_producer=running.bus.open,
                stop=running.stop,
                health=running.health,
                kinds=kinds,
            )
        except BaseException as error:
            running.errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        thread.join(LONGEST_STOP)
        assert not thread.is_alive(), "the service did not stop"
    if running.errors:
        raise running.errors[0]
