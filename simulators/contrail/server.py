"""One simulated config API in a thread: started, used, stopped (shell).

Stopping and starting again keeps the state, as a restarted API keeps its database; `reset` loses it.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from simulators.contrail.access import Guard, everybody
from simulators.contrail.answers import Json
from simulators.contrail.faults import Fault, Faults
from simulators.contrail.http import Front, guarded
from simulators.contrail.rendering import View, whole
from simulators.contrail.seed import seed
from simulators.contrail.state import MakeUuid, State, random_uuid
from simulators.serving import HttpThread

T = TypeVar("T")


class ContrailSimulator:
    """A config API on `host` and `port` (0 picks a free one, which is kept over restarts).

    `latency` is in seconds, before each answer; `work` too, but for one request after another. `nodes` are
    virtual-routers that exist from the start, with their addresses. `faults` wait from the start. `make_uuid` makes
    uuids of what the server makes by itself. `guard` lets requests through (see `simulators/contrail/access.py`);
    `tls` makes it an https server.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
        work: float = 0.0,
        nodes: Mapping[str, str] | None = None,
        faults: Sequence[Fault] = (),
        verbose: bool = False,
        make_uuid: MakeUuid = random_uuid,
        guard: Guard = everybody,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._nodes = dict(nodes or {})
        self.faults = Faults()
        for fault in faults:
            self.faults.add(fault)
        self._state = State(make_uuid=make_uuid)
        seed(self._state, self._nodes)
        self._front = Front(
            self._state, faults=self.faults, reset=self._reset, latency=latency, work=work, verbose=verbose
        )
        self._http = HttpThread(guarded(self._front, guard), name="contrail-simulator", host=host, port=port, tls=tls)

    @property
    def port(self) -> int:
        """Where it listens, or did last; 0 before the first start if none was asked for."""
        return self._http.port

    @property
    def url(self) -> str:
        """Address for clients, without a slash at the end."""
        return self._http.url

    @property
    def refused(self) -> int:
        """Requests so far that lacked the credentials."""
        return self._front.refused

    @property
    def counters(self) -> Counter[tuple[str, str]]:
        """Requests so far by (method, type or action): ('POST', 'virtual-machine'), ('POST', 'ref-update')."""
        return Counter(self._front.counters)

    def start(self) -> ContrailSimulator:
        """Begin to listen; raises OSError if the port is taken."""
        self._http.start()
        return self

    def request_stop(self) -> None:
        """Begin to stop; safe in a signal handler, and when it has stopped."""
        self._http.request_stop()

    def stop(self) -> None:
        """Stop listening and cut all connections; the state stays. No error when it has stopped."""
        self._http.stop()

    def wait(self) -> None:
        """Block until stopped."""
        self._http.wait()

    def __enter__(self) -> ContrailSimulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Lose all data, as an API whose database was wiped; it answers on with what a first start makes."""
        self.ask(lambda _: self._reset())

    def snapshot(self) -> None:
        """Remember all data: what `restore` goes back to, and stale answers come from."""
        self.ask(lambda _: self._front.take_snapshot())

    def restore(self) -> None:
        """Go back to the last snapshot, as an API whose database was restored from a backup."""
        self.ask(lambda _: self._front.restore())

    def look_on(self, onlooker: Callable[[State], None] | None) -> None:
        """Show the state after each request that may have written, before any other request; None ends it.

        `onlooker` is called in the server's thread, and must not call the simulator.
        """
        self._front.onlooker = onlooker

    def ask(self, question: Callable[[State], T]) -> T:
        """What `question` says about the state, asked between two requests; it may also change the state."""
        return self._http.ask(lambda: question(self._state))

    def objects(self, type_: str) -> list[dict[str, Json]]:
        """All objects of a type, whole, as reads would give them."""
        view = View(base=None)
        return self.ask(lambda state: [whole(state, item, view) for item in state.of_type(type_)])

    def find(self, type_: str, *fq_name: str) -> dict[str, Json] | None:
        """The object of this type and fq_name, whole."""

        def read(state: State) -> dict[str, Any] | None:
            item = state.named(type_, fq_name)
            return None if item is None else whole(state, item, View(base=None))

        return self.ask(read)

    def count(self, type_: str) -> int:
        """Number of objects of a type."""
        return self.ask(lambda state: state.count(type_))

    def _reset(self) -> None:
        self._state.clear()
        seed(self._state, self._nodes)
