"""Any history, any faults: what downstream makes of the log equals the cluster at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import KubernetesUnavailable, VersionExpired
from schemas.events import ChangeEvent, Op, Source, marker
from schemas.health import Health
from schemas.identity import partition_of
from tests.watchers.folded import Folded
from tests.watchers.objects import Json, bookmark, line, listing, pod
from watchers.coalescing import Entry, Pending
from watchers.decoding import Decoding, Page
from watchers.epochs import raised
from watchers.guard import Guard
from watchers.kinds import Kind
from watchers.kinds import pod as pods
from watchers.reflector import Reflector
from watchers.standing import Standing

pytestmark = pytest.mark.process

PARTITIONS = 4
SOURCE = Source(cluster="k8s")


class Ended(BaseException):
    """The reflector's thread goes no further here: it has caught up, or 'crash' or 'freeze' came first."""


class World:
    """The cluster, what etcd remembers of it, and the log."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.faults = True
        self.now = 0.0
        self.left = random.randint(1, 40)
        self.revision, self.oldest, self.births = 100, 0, 0
        self.objects: dict[str, Json] = {}
        self.history: list[tuple[int, bytes]] = []
        self.log: list[tuple[int, ChangeEvent]] = []
        self.epochs: dict[str, int] = {}

    def chance(self, share: float) -> bool:
        return self.faults and self.random.random() < share

    def clock(self) -> float:
        """Seconds; they fly, so that the resync timer is due now and then."""
        self.now += self.random.random() * 300 if self.faults else 0
        return self.now

    def pass_time(self) -> None:
        """Some changes, if any are left; now and then etcd forgets."""
        for _ in range(self.random.randint(0, 3) if self.faults else self.left):
            if self.left:
                self.left -= 1
                self._change(self.random.choice("abcde"))
        if self.chance(0.1):
            self.oldest = self.revision

    def trouble(self) -> None:
        """Perhaps a connection breaks, history is gone, or the process stops, for good or for a while."""
        if self.chance(0.15):
            fault = self.random.choice((KubernetesUnavailable, VersionExpired, Ended, Ended))
            raise fault(self.random.choice(("crash", "freeze")))

    def _change(self, name: str) -> None:
        self.revision += 1
        known = self.objects.get(name)
        if known and self.random.random() < 0.4:
            kind, thing = "DELETED", self.objects.pop(name)
        elif known and self.random.random() < 0.3:
            kind, thing = "MODIFIED", known  # noise: nothing of interest is different
        else:
            self.births += known is None
            uid = known["metadata"]["uid"] if known else f"{name}-{self.births}"
            labels = {"step": str(self.revision)}
            kind, thing = "MODIFIED" if known else "ADDED", pod(name, self._namespace(name), uid=uid, labels=labels)
        thing["metadata"]["resourceVersion"] = str(self.revision)
        if kind != "DELETED":
            self.objects[name] = thing
        self.history.append((self.revision, line(kind, thing)))

    @staticmethod
    def _namespace(name: str) -> str:
        return f"ns-{ord(name) % 3}"

    # The EpochSource of all watchers.
    def next(self, kind: str) -> int:
        self.epochs[kind] = raised(self.epochs.get(kind, 0), now=0.0)
        return self.epochs[kind]

    def known(self, kind: str) -> int:
        return 0

    def remember(self, kind: str, count: int) -> None:
        """The guard is off here."""


class Api:
    """Lists and watches the world; time passes while it does."""

    def __init__(self, world: World) -> None:
        self.world = world

    def pages(self, kind: Kind, decoding: Decoding) -> Iterator[Page]:
        world = self.world
        items, version = [world.objects[name] for name in sorted(world.objects)], world.revision
        pages = [items[i : i + 2] for i in range(0, len(items), 2)] or [[]]
        for number, page in enumerate(pages):
            world.trouble()
            yield decoding.page(listing(*page, version=version, following="more" if number + 1 < len(pages) else ""))
            world.pass_time()

    @contextmanager
    def watch(self, kind: Kind, version: str, *, draw: float) -> Iterator[Iterator[list[bytes]]]:
        if int(version) < self.world.oldest:
            raise VersionExpired("too old")
        yield self._lines(int(version))

    def _lines(self, version: int) -> Iterator[list[bytes]]:
        world = self.world
        while True:
            world.pass_time()
            for revision, data in [event for event in world.history if event[0] > version]:
                yield [data]
                version = revision
                world.trouble()
            if world.chance(0.2):
                yield [bookmark(version)]
            if world.chance(0.1):
                yield [b"not a line"]
            if world.chance(0.1):
                return
            if not world.left and version == world.revision:
                raise Ended("caught up")


class Sender:
    """A Publisher in the test's own thread: what waits is sent now and then, and lost with a crash."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pending = Pending()

    def offer(self, event: ChangeEvent, *, patience: Callable[[], bool]) -> bool:
        self.pending.add(Entry(partition_of(event.key, PARTITIONS), event, 0.0))
        self.send(0.3)
        return True

    def mark(self, op: Op, *, epoch: int, kind: str, api_version: str, source: Source) -> None:
        for partition in range(PARTITIONS):
            event = marker(op=op, epoch=epoch, kind=kind, partition=partition, source=source)
            self.pending.add_marker(Entry(partition, event, 0.0))
        self.send(0.3)

    def send(self, share: float = 1.0) -> None:
        if self.world.random.random() < share:
            taken = [(entry.partition, entry.event) for entry in self.pending.take()]
            self.world.log += taken
            if self.world.chance(0.1):
                self.world.log += taken  # at least once: a confirmation was lost


class Stop:
    """Never set, and waits take no time."""

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        return False


def _watcher(world: World) -> tuple[Reflector, Sender]:
    sender = Sender(world)
    reflector = Reflector(
        pods.KIND,
        api=Api(world),  # type: ignore[arg-type]
        epochs=world,
        publisher=sender,  # type: ignore[arg-type]
        guard=Guard(share=1.0),
        standing=Standing("Pod", Health()),
        source=lambda: SOURCE,
        resync_seconds=1000.0,
        clock=world.clock,
    )
    return reflector, sender


def _run(reflector: Reflector) -> str:
    try:
        reflector.run(Stop())  # type: ignore[arg-type]
    except Ended as end:
        return str(end)
    raise AssertionError("the loop ended by itself")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_case_22_the_fold_of_the_log_equals_the_cluster_after_any_history(seed: int) -> None:
    random = Random(seed)
    world = World(random)
    frozen: list[tuple[Reflector, Sender]] = []
    current = _watcher(world)
    while world.left:
        end = _run(current[0])
        if end == "freeze":
            frozen.append(current)
        if end != "caught up":
            # Another takes over, or a stale one wakes up and does not know that it is stale.
            wakes = frozen and random.random() < 0.5
            current = frozen.pop(random.randrange(len(frozen))) if wakes else _watcher(world)
    world.faults = False
    living = [*frozen, current]
    if all(reflector._epoch < world.epochs["Pod"] for reflector, _ in living):
        # The one that downstream believes has crashed: it is started again, as every service is.
        living.append(_watcher(world))
    for reflector, sender in living:
        assert _run(reflector) == "caught up"
        sender.send()
    folded = Folded(PARTITIONS).fold(world.log)
    assert {
        (key.namespace, key.name): (row.uid, row.body.labels["step"])  # type: ignore[union-attr]
        for key, row in folded.rows.items()
    } == {
        (thing["metadata"]["namespace"], name): (thing["metadata"]["uid"], thing["metadata"]["labels"]["step"])
        for name, thing in world.objects.items()
    }
