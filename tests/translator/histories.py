"""Histories of a cluster as its watchers tell them: leaders crash, come back late and repeat themselves.

`Cluster` is the truth. A leader lists it at one revision and streams what comes after; what happens while nobody
leads is told by the next listing only. `strategy` gives commands for hypothesis to shrink.
"""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from schemas.events import ChangeEvent, Op
from tests.translator.facts import begin, end, gone, node, pod

NAMES = ("a", "b", "c")
COMMANDS = ("create", "update", "delete", "takeover", "crash", "listing", "stale", "repeat")
Command = tuple[str, int]

strategy = st.lists(
    st.tuples(
        st.sampled_from([*COMMANDS, "create", "delete", "listing", "listing", "listing", "stale", "repeat"]),
        st.integers(0, 1_000_000),
    ),
    min_size=25,
    max_size=80,
)


class Cluster:
    """Pods by name, as (uid seed, revision, node)."""

    def __init__(self) -> None:
        self.revision = 0
        self.pods: dict[str, tuple[str, int, str]] = {}
        self._born = 0

    def change(self, command: str, name: str) -> ChangeEvent | None:
        """Let something happen; returns it as an event of epoch 0, None if it cannot happen now."""
        if (command == "create") == (name in self.pods):
            return None
        self.revision += 1
        if command == "delete":
            of, _, _ = self.pods.pop(name)
            return gone(name, self.revision, of=of, epoch=0)
        if command == "create":
            self._born += 1
        of = f"{name}/{self._born}" if command == "create" else self.pods[name][0]
        self.pods[name] = (of, self.revision, f"n{self.revision % 3}")
        return self._event(name, Op.UPSERT, 0)

    def listing(self, epoch: int) -> list[ChangeEvent]:
        """All pods as a listing shows them now."""
        return [self._event(name, Op.READ, epoch) for name in sorted(self.pods)]

    def _event(self, name: str, op: Op, epoch: int) -> ChangeEvent:
        of, version, node_name = self.pods[name]
        return pod(name, version, node=node_name, op=op, epoch=epoch, of=of)


class Telling:
    """Leaders telling a cluster's history into one log."""

    def __init__(self, cluster: Cluster, *, stale_leaders: bool = True, repetitions: bool = True) -> None:
        self.cluster = cluster
        self.log: list[ChangeEvent] = []
        self._stale_leaders = stale_leaders
        self._repetitions = repetitions
        self._epoch = 0
        self._leads = False
        self._page: list[ChangeEvent] | None = None
        self._behind: list[ChangeEvent] = []
        self._late: list[ChangeEvent] = []

    def run(self, commands: Iterable[Command]) -> list[ChangeEvent]:
        """Follow the commands; ends with a leader that has told everything."""
        for command, number in commands:
            self._do(command, number)
        if not self._leads:
            self._take_over()
        while self._page is not None:
            self._list_on()
        return self.log

    def _do(self, command: str, number: int) -> None:
        if command in ("create", "update", "delete"):
            event = self.cluster.change(command, NAMES[number % len(NAMES)])
            if event is not None:
                self._happened(event)
        elif command == "takeover":
            self._take_over()
        elif command == "crash":
            self._leads, self._page, self._behind = False, None, []
        elif command == "listing" and self._page is not None:
            self._list_on()
        elif command == "stale" and self._stale_leaders and self._late and self._late[0].epoch < self._epoch:
            self.log.append(self._late.pop(0))
        elif command == "repeat" and self.log and self._repetitions:
            self.log.append(self.log[-1 - number % min(8, len(self.log))])

    def _happened(self, event: ChangeEvent) -> None:
        if not self._leads:
            return
        told = self._told(event)
        if self._page is not None:
            self._behind.append(told)  # the watch begins where the listing was made
        else:
            self.log.append(told)
        # A leader that lost its lease unnoticed tells the same thing once more, later, under its old epoch.
        self._late.append(told)

    def _take_over(self) -> None:
        self._epoch += 1
        self._leads, self._behind = True, []
        self._page = self.cluster.listing(self._epoch)
        self.log.append(begin("Pod", self._epoch))

    def _list_on(self) -> None:
        if self._page:
            self.log.append(self._page.pop(0))
            return
        self.log += [end("Pod", self._epoch), *self._behind]
        self._page, self._behind = None, []

    def _told(self, event: ChangeEvent) -> ChangeEvent:
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        return ChangeEvent(**{**fields, "epoch": self._epoch})


def nodes() -> list[ChangeEvent]:
    """Nodes that the pods run on."""
    return [node(f"n{number}", 1, address=f"192.168.0.{number + 1}") for number in range(3)]
