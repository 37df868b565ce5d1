"""Any history, any faults: what downstream makes of the log equals the cluster at the end.

One thread plays all threads of all watchers: wherever one of them asks the API server, others may run before it goes
on, so that listing and watching overlap, and a watcher sleeps in the middle of anything while another takes over.
"""

from __future__ import annotations

import threading
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
from schemas.letters import Letter
from tests.watchers.folded import Folded
from tests.watchers.objects import Json, bookmark, line, listing, pod
from watchers.coalescing import Entry, Pending
from watchers.decoding import Decoding, Event, Page
from watchers.follower import Follower
from watchers.guard import Guard
from watchers.kinds import pod as pods
from watchers.ledger import Ledger
from watchers.letterbox import Letterbox
from watchers.lister import Lister
from watchers.register import Wish, raised
from watchers.standing import Standing

pytestmark = pytest.mark.process

PARTITIONS = 4
SOURCE = Source(cluster="k8s")


class Crashed(BaseException):
    """The process of this watcher is no more."""


class World:
    """The cluster, what etcd remembers of it, the log, and the register of all watchers."""

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
        self.watchers: list[Player] = []
        self.depth = 0

    def chance(self, share: float) -> bool:
        return self.faults and self.random.random() < share

    def clock(self) -> float:
        """Seconds; they fly, so that the resync timer is due now and then."""
        self.now += self.random.random() * 100 if self.faults else 0
        return self.now

    def pass_time(self) -> None:
        """Some changes, if any are left, and perhaps somebody else's turn; now and then etcd forgets."""
        for _ in range(self.random.randint(0, 3) if self.faults else self.left):
            if self.left:
                self.left -= 1
                self._change(self.random.choice("abcde"))
        if self.chance(0.1):
            self.oldest = self.revision
        if self.chance(0.4) and self.depth < 4:
            self.depth += 1
            self.random.choice(self.watchers).play()
            self.depth -= 1

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

    # The Register of all watchers.
    def next(self, kind: str) -> int:
        self.epochs[kind] = raised(self.epochs.get(kind, 0), now=0.0)
        return self.epochs[kind]

    def known(self, kind: str) -> int:
        return 0

    def remember(self, kind: str, count: int, *, granted: Wish | None = None) -> None:
        """The guard is off here."""

    def hold(self, kind: str, reason: str) -> None:
        raise AssertionError("the guard is off here")

    def wishes(self) -> dict[str, Wish]:
        return {}


class Player:
    """One watcher: its two loops, each of which has its turn when it is not in the middle of one."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dead = False
        self.busy: set[str] = set()
        self.pending = Pending()
        api = Api(self)
        letterbox = Letterbox("Pod", publisher=self, source=lambda: SOURCE)  # type: ignore[arg-type]
        self.ledger = Ledger(pods.KIND, publisher=self, source=lambda: SOURCE, going=lambda: True)  # type: ignore[arg-type]
        standing = Standing("Pod", Health())
        self.lister = Lister(
            api,  # type: ignore[arg-type]
            self.ledger,
            register=world,
            guard=Guard(share=1.0),
            letterbox=letterbox,
            standing=standing,
            resync_seconds=1000.0,
            clock=world.clock,
        )
        self.follower = Follower(
            api,  # type: ignore[arg-type]
            self.ledger,
            listing=self.lister.ask,
            letterbox=letterbox,
            standing=standing,
            clock=world.clock,
        )

    def play(self) -> None:
        """One turn of one of its loops, unless that is under way further up."""
        loop = self.world.random.choice(("lister", "follower"))
        if self.dead or loop in self.busy or (loop == "follower" and not self.ledger.version):
            return
        self.busy.add(loop)
        try:
            if loop == "lister":
                self.lister.turn()
            else:
                self.follower.turn(threading.Event())
        except Crashed:
            assert self.dead
        finally:
            self.busy.discard(loop)

    def trouble(self) -> None:
        """Perhaps a connection breaks, history is gone, or the process crashes."""
        if not self.dead and self.world.chance(0.03):
            self.dead = True
            self.world.watchers.append(Player(self.world))
        if self.dead:
            raise Crashed
        if self.world.chance(0.12):
            raise self.world.random.choice((KubernetesUnavailable, VersionExpired))("trouble")

    # The Publisher: what waits is sent now and then, and lost with a crash.
    def offer(self, event: ChangeEvent, *, patience: Callable[[], bool]) -> bool:
        self._add(event)
        return True

    def note(self, letter: Letter) -> bool:
        return True

    def mark(self, op: Op, *, epoch: int, kind: str, api_version: str, source: Source) -> None:
        if self.dead:
            raise Crashed
        for partition in range(PARTITIONS):
            event = marker(op=op, epoch=epoch, kind=kind, partition=partition, source=source)
            self.pending.add_marker(Entry(partition, event, 0.0))
        self.send(0.3)

    def _add(self, event: ChangeEvent) -> None:
        if self.dead:
            raise Crashed
        self.pending.add(Entry(partition_of(event.key, PARTITIONS), event, 0.0))
        self.send(0.3)

    def send(self, share: float = 1.0) -> None:
        if self.world.random.random() < share:
            taken = [(entry.partition, entry.event) for entry in self.pending.take()]
            self.world.log += taken  # type: ignore[arg-type]
            if self.world.chance(0.1):
                self.world.log += taken  # type: ignore[arg-type]  # a confirmation was lost

    def finish(self) -> None:
        """Catch up, without faults, and send what waits."""
        for _ in range(10):
            while self.lister._wanted or not self.ledger.version:
                self.world.now += self.lister.turn()
            self.follower.turn(threading.Event())
            if not self.lister._wanted:
                break
        else:
            raise AssertionError("it does not catch up")
        self.send()


class Api:
    """Lists and watches the world for one watcher; time passes while it does."""

    def __init__(self, player: Player) -> None:
        self.player, self.world = player, player.world
        self._decoding = Decoding(pods.KIND)
        self.decode: Callable[[bytes], Event] = self._decoding.line

    def snapshot(self) -> Iterator[Page]:
        world = self.world
        streamed = world.random.random() < 0.5
        items, version = [world.objects[name] for name in sorted(world.objects)], world.revision
        pages = [listing(*items[i : i + 2], version=version) for i in range(0, len(items), 2)] or [
            listing(version=version)
        ]
        for number, data in enumerate(pages):
            self.player.trouble()
            page = self._decoding.page(data)
            last = number + 1 == len(pages)
            yield Page("" if streamed and not last else page.resource_version, "", page.items, page.malformed)
            world.pass_time()
        self.player.trouble()

    @contextmanager
    def watch(self, version: str, *, draw: float) -> Iterator[Iterator[list[bytes]]]:
        self.player.trouble()
        if int(version) < self.world.oldest:
            raise VersionExpired("too old")
        yield self._lines(int(version))

    def _lines(self, version: int) -> Iterator[list[bytes]]:
        world = self.world
        world.pass_time()
        for revision, data in [event for event in world.history if event[0] > version]:
            yield [data]
            version = revision
            self.player.trouble()
            if world.chance(0.3):
                world.pass_time()
        if world.chance(0.2):
            yield [bookmark(version)]
        if world.chance(0.1):
            yield [b"not a line"]


@settings(max_examples=200, deadline=None, print_blob=True)
@given(st.integers(0, 2**32))
def test_case_22_the_fold_of_the_log_equals_the_cluster_after_any_history(seed: int) -> None:
    world = World(Random(seed))
    world.watchers += [Player(world) for _ in range(world.random.choice((1, 1, 2)))]
    while world.left:
        world.pass_time()
        world.random.choice(world.watchers).play()
    world.faults = False
    living = [player for player in world.watchers if not player.dead]
    if all(player.ledger._epoch < world.epochs.get("Pod", 1) for player in living):
        # The one that downstream believes has crashed: it is started again, as every service is.
        living.append(Player(world))
    world.random.shuffle(living)
    for player in living:
        player.finish()
    for player in living:
        player.finish()  # who caught up first has not seen what others waited for
    folded = Folded(PARTITIONS).fold(world.log)
    assert {
        (key.namespace, key.name): (row.uid, row.body.labels["step"])  # type: ignore[union-attr]
        for key, row in folded.rows.items()
    } == {
        (thing["metadata"]["namespace"], name): (thing["metadata"]["uid"], thing["metadata"]["labels"]["step"])
        for name, thing in world.objects.items()
    }
