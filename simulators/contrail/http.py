"""HTTP around the API (shell): requests become calls, answers become responses; faults, latency, counters."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Callable

import msgspec
from aiohttp import web

from simulators.contrail.access import Guard, everybody
from simulators.contrail.answers import Answer, Call, Json, over_quota
from simulators.contrail.api import answer, object_type_of
from simulators.contrail.faults import Fault, Faults, Trouble
from simulators.contrail.state import State
from simulators.serving import Handle

logger = logging.getLogger(__name__)

CONTROL = "/_simulator/"
"""Paths below are about the simulator itself, and are never counted, delayed or dropped."""
_JSON = "application/json"
_TEXT = "text/html; charset=UTF-8"


class Front:
    """Handles requests one after another, as the original does.

    `latency` is in seconds, before each answer, and other requests go on meanwhile; during `work` they wait.
    """

    def __init__(
        self,
        state: State,
        *,
        faults: Faults,
        reset: Callable[[], None],
        latency: float = 0.0,
        work: float = 0.0,
        verbose: bool = False,
    ) -> None:
        self._state = state
        self._faults = faults
        self._reset = reset
        self._latency = latency
        self._work = work
        self._turn = asyncio.Lock()
        self._verbose = verbose
        self.counters: Counter[tuple[str, str]] = Counter()
        """Requests by (method, type or action)."""
        self.refused = 0
        """Requests that the guard did not let through; they are not counted as requests."""
        self.snapshot: State | None = None
        """What `restore` goes back to, and stale answers come from."""
        self.onlooker: Callable[[State], None] | None = None
        """Called after each request that may have written."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        content = await request.read() if request.body_exists else b""
        if request.path.startswith(CONTROL):
            return self._control(request.method, request.path, content)
        began = time.monotonic()
        self.counters[request.method, object_type_of(request.path)] += 1
        fault = self._faults.take(request.method, request.path)
        if self._latency:
            await asyncio.sleep(self._latency)
        if self._work:
            async with self._turn:
                await asyncio.sleep(self._work)
        said = await self._answer(request, content, fault)
        if self._verbose:
            took = (time.monotonic() - began) * 1000
            status = said.status if said else "dropped"
            logger.info("method=%s path=%s status=%s ms=%.1f", request.method, request.path_qs, status, took)
        if said is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # never sent: the connection is gone
        return _response(said)

    async def _answer(self, request: web.BaseRequest, content: bytes, fault: Fault | None) -> Answer | None:
        """What is said; None to cut the connection."""
        trouble = fault.trouble if fault is not None else None
        if fault is not None and trouble is Trouble.LATENCY:
            await asyncio.sleep(fault.seconds)
        if trouble is Trouble.DROP_BEFORE:
            return None
        if fault is not None and trouble is Trouble.STATUS:
            return _ordered(fault)
        call = _call(request, content)
        if trouble is Trouble.QUOTA:
            refusal = over_quota(f"{call.base}{call.path}", 0, object_type_of(call.path).replace("-", "_"))
            return Answer(status=refusal.status, text=refusal.text)
        said = answer(self._believed(trouble), call)
        if self.onlooker is not None and call.method != "GET":
            self.onlooker(self._state)
        if trouble is Trouble.DROP_AFTER:
            return None
        return _ordered(fault) if fault is not None and trouble is Trouble.STATUS_AFTER else said

    def _believed(self, trouble: Trouble | None) -> State:
        """The state that the request is put to: the true one, unless the answer shall be a lie."""
        if trouble is Trouble.NOTHING:
            return self._state.copied()
        if trouble is Trouble.STALE and self.snapshot is not None:
            return self.snapshot.copied()
        return self._state

    def take_snapshot(self) -> None:
        """Remember everything as it is."""
        self.snapshot = self._state.copied()

    def restore(self) -> None:
        """Go back to the last snapshot, as after the restore of a backup; ValueError if there is none."""
        if self.snapshot is None:
            raise ValueError("no snapshot was taken")
        self._state.become(self.snapshot)

    def _control(self, method: str, path: str, content: bytes) -> web.Response:
        what = (method, path.removeprefix(CONTROL))
        try:
            asked = msgspec.json.decode(content) if content else {}
            return _response(self._command(what, asked))
        except (msgspec.DecodeError, TypeError, ValueError) as error:
            return _response(Answer(status=400, text=f"{path}: {error}"))

    def _command(self, what: tuple[str, str], asked: Json) -> Answer:
        match what:
            case ("GET", "counters"):
                return Answer({f"{method} {type_}": n for (method, type_), n in sorted(self.counters.items())})
            case ("DELETE", "counters"):
                self.counters.clear()
            case ("POST", "faults"):
                self._faults.add(Fault.from_json(asked))
            case ("DELETE", "faults"):
                self._faults.clear()
            case ("POST", "reset"):
                self._reset()
            case ("POST", "snapshot"):
                self.take_snapshot()
            case ("POST", "restore"):
                self.restore()
            case ("GET", "faults"):
                pass
            case _:
                return Answer(status=404, text=f"Not found: '{CONTROL}{what[1]}'")
        return Answer([dataclasses.asdict(fault) for fault in self._faults.waiting])


def _ordered(fault: Fault) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return Answer(status=fault.status, text=fault.text, headers=headers)


def guarded(front: Front, guard: Guard) -> Handle:
    """Requests go to the front if the guard lets them; those about the simulator itself always do."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith(CONTROL):
            if request.body_exists:
                await request.read()  # else the connection could not be used again
            refusal = await guard(request.headers)
            if refusal is not None:
                front.refused += 1
                return _response(refusal)
        return await front.handle(request)

    return front.handle if guard is everybody else handle


def _call(request: web.BaseRequest, content: bytes) -> Call:
    headers = request.headers
    return Call(
        method=request.method,
        path=request.path,
        base=f"http://{headers.get('Host', '')}",
        query_text=request.rel_url.raw_query_string,
        content_type=headers.get("Content-Type", ""),
        content=content,
        if_none_match=headers.get("If-None-Match", ""),
    )


def _response(said: Answer) -> web.Response:
    if said.json is not None:
        return web.Response(
            body=msgspec.json.encode(said.json), status=said.status, headers={**said.headers, "Content-Type": _JSON}
        )
    return web.Response(body=said.text.encode(), status=said.status, headers={**said.headers, "Content-Type": _TEXT})
