"""One simulated Keystone in a thread (shell): started, used, stopped. A stopped one keeps its tokens."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from types import TracebackType
from typing import Any

import msgspec
from aiohttp import web

from simulators.contrail.faults import Faults, Trouble
from simulators.keystone.identity import Identity, Json, Refusal
from simulators.serving import HttpThread

_TOKENS = "/v3/auth/tokens"


class KeystoneSimulator:
    """Serves `identity` on `host` and `port` (0 picks a free one, which is kept over restarts).

    `faults` are those of the simulated config API; of them STATUS, LATENCY and DROP_BEFORE have a meaning here.
    """

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.identity = identity or Identity()
        self.faults = Faults()
        self.asked = 0
        """Requests for a token so far."""
        self._http = HttpThread(self._handle, name="keystone-simulator", host=host, port=port, tls=tls)

    @property
    def url(self) -> str:
        """The identity API, with its version."""
        return f"{self._http.url}/v3"

    async def is_valid(self, token: str) -> bool:
        """Whether a token is good now; for a simulated config API in the same process."""
        return self.identity.valid(token, now=time.time()) is not None

    def revoke(self) -> None:
        """Make all tokens worthless."""
        self._http.ask(self.identity.tokens.clear)

    def set_password(self, password: str) -> None:
        """Change the user's password; tokens stay good, as Keystone can be told to leave them."""
        self.identity.password = password

    def start(self) -> KeystoneSimulator:
        """Begin to listen; raises OSError if the port is taken."""
        self._http.start()
        return self

    def request_stop(self) -> None:
        """Begin to stop; safe in a signal handler."""
        self._http.request_stop()

    def stop(self) -> None:
        """Stop listening and cut all connections."""
        self._http.stop()

    def wait(self) -> None:
        """Block until stopped."""
        self._http.wait()

    def __enter__(self) -> KeystoneSimulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.read() if request.body_exists else b""
        self.asked += (request.method, request.path) == ("POST", _TOKENS)
        fault = self.faults.take(request.method, request.path)
        if fault is not None and fault.trouble is Trouble.LATENCY:
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.trouble is Trouble.STATUS:
            return _answer(fault.status, _error(fault.status, "Fault", fault.text))
        elif fault is not None:
            if request.transport is not None:
                request.transport.abort()
            return _answer(500, {})  # never sent: the connection is gone
        try:
            return self._answer(request, content)
        except Refusal as refusal:
            return _answer(refusal.status, _error(refusal.status, refusal.title, str(refusal)))

    def _answer(self, request: web.BaseRequest, content: bytes) -> web.Response:
        match (request.method, request.path):
            case ("POST", "/v3/auth/tokens"):
                return self._issue(content)
            case ("GET", "/v3/auth/tokens"):
                return self._validate(request)
            case ("GET", "/v3" | "/v3/"):
                return _answer(200, {"version": {"id": "v3.14", "status": "stable"}})
        raise Refusal(404, "Not Found", f"(http://{request.host}{request.path}): The resource could not be found.")

    def _issue(self, content: bytes) -> web.Response:
        try:
            asked = msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            raise Refusal(400, "Bad Request", f"Malformed JSON: {error}") from error
        token = self.identity.issue(asked, value=secrets.token_urlsafe(120), now=time.time())
        return _answer(201, self.identity.shown(token), {"X-Subject-Token": token.value})

    def _validate(self, request: web.BaseRequest) -> web.Response:
        now = time.time()
        if self.identity.valid(request.headers.get("X-Auth-Token", ""), now=now) is None:
            raise Refusal(401, "Unauthorized", "The request you have made requires authentication.")
        subject = self.identity.valid(request.headers.get("X-Subject-Token", ""), now=now)
        if subject is None:
            raise Refusal(404, "Not Found", "Failed to validate token")
        return _answer(200, self.identity.shown(subject), {"X-Subject-Token": subject.value})


def _error(status: int, title: str, message: str) -> Json:
    return {"error": {"code": status, "message": message, "title": title}}


def _answer(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    sent: dict[str, Any] = {**(headers or {}), "Content-Type": "application/json", "Vary": "X-Auth-Token"}
    return web.Response(body=msgspec.json.encode(body), status=status, headers=sent)
