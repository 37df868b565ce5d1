"""Tokens of Keystone v3, by password and for one project (shell).

A token is renewed before it ends, by one thread while the others go on with the old one, and at once when Contrail
does not take it. The password is read anew each time. One that Keystone refused is not tried again and again: that
would lock the account.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from applier import metrics
from applier.backoff import delay
from applier.connection import AnswerLost, NotConnected, Reply, Server
from applier.outcome import said
from applier.tls import Tls
from schemas.errors import ContrailDenied, ContrailUnavailable, SettingsError
from schemas.settings import ContrailSettings

logger = logging.getLogger(__name__)

RENEWED_AT = 0.8
"""Share of a token's life after which it is renewed."""
RETRY_EARLY = 10.0
"""Seconds between attempts to renew a token that is still good."""
LONGEST_PATIENCE = 60.0
"""Most seconds before a refused password is tried again."""
_PREFIX = "CONTRAIL_KUBE_CONTRAIL_"
_CHECK = f"check {_PREFIX}USER, _PASSWORD, _PROJECT and their domains"


@dataclass(frozen=True, slots=True)
class _Token:
    header: bytes = b""
    renew_at: float = float("-inf")
    ends_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class _Failure:
    """The last attempt, if it failed; `password` is the one that was refused, None if that was not the reason."""

    error: ContrailUnavailable
    at: float
    password: str | None = None
    refusals: int = 0

    def holds(self, password: str, *, waiting_since: float, now: float) -> bool:
        """Whether asking once more would only give the same answer."""
        if waiting_since <= self.at:
            return True  # somebody asked while we waited for our turn
        return password == self.password and now - self.at < delay(
            self.refusals, first=1.0, limit=LONGEST_PATIENCE, jitter=1.0
        )


class KeystoneTokens:
    """The token of one user in one project; thread-safe. `clock` gives monotonic seconds."""

    def __init__(
        self, settings: ContrailSettings, *, tls: Tls | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._server = Server(
            settings.keystone_url,
            tls=tls,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
        )
        self._lock = threading.Lock()
        self._token = _Token()
        self._failure: _Failure | None = None

    @property
    def identity(self) -> str:
        """User, project and Keystone."""
        return f"{self._who} with a token of Keystone {self._server.url}"

    def header(self) -> bytes:
        """`X-Auth-Token: …`; raises ContrailUnavailable when Keystone is away, ContrailDenied when it refuses."""
        token, now = self._token, self._clock()
        if now < token.renew_at:
            return token.header
        return self._renew_early(token) if now < token.ends_at else self._renew(token, since=now)

    def renewed(self, refused: bytes) -> bytes:
        """Another token than the one that Contrail refused; raises as `header` does."""
        token = self._token
        if token.header and token.header != refused:
            return token.header
        return self._renew(token, since=self._clock())

    def close(self) -> None:
        """Close the connection to Keystone."""
        self._server.close()

    @property
    def _who(self) -> str:
        return f"as user {self._settings.user!r} of project {self._settings.project!r}"

    def _renew_early(self, old: _Token) -> bytes:
        if not self._lock.acquire(blocking=False):
            return old.header  # another thread is at it
        try:
            if self._token is old:
                self._token = self._ask(since=self._clock())
            return self._token.header or old.header
        except ContrailUnavailable as error:
            self._token = replace(old, renew_at=min(self._clock() + RETRY_EARLY, old.ends_at))
            logger.warning("the token is still good, but no new one is to be had: %s", error)
            return old.header
        finally:
            self._lock.release()

    def _renew(self, old: _Token, *, since: float) -> bytes:
        with self._lock:
            if self._token.header and self._token.header != old.header:
                return self._token.header  # another thread was faster
            self._token = _Token()
            self._token = self._ask(since=since)
            return self._token.header

    def _ask(self, *, since: float) -> _Token:
        """One question to Keystone, unless the last one is answer enough for who wants a token since that time."""
        try:
            password = self._settings.current_password()
        except SettingsError as error:
            raise ContrailDenied(str(error)) from error
        if self._failure is not None and self._failure.holds(password, waiting_since=since, now=self._clock()):
            raise type(self._failure.error)(str(self._failure.error))
        try:
            token = self._asked(password)
        except ContrailUnavailable as error:
            before = self._failure.refusals if self._failure and self._failure.password == password else 0
            refused = (password, before + 1) if isinstance(error, ContrailDenied) else (None, 0)
            self._failure = _Failure(error, self._clock(), *refused)
            metrics.TOKENS.labels("refused" if refused[0] else "unanswered").inc()
            raise
        self._failure = None
        metrics.TOKENS.labels("issued").inc()
        return token

    def _asked(self, password: str) -> _Token:
        now = self._clock()
        where = f"Keystone {self._server.url}"
        body = msgspec.json.encode(_request(self._settings, password))
        headers = b"Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        try:
            reply = self._server.exchange("POST", "/auth/tokens", headers, body)
        except (NotConnected, AnswerLost) as error:
            raise ContrailUnavailable(
                f"{where} gave no token: {error}; check that it runs there ({_PREFIX}KEYSTONE_URL)"
            ) from error
        if reply.status == 201:
            return self._granted(reply, now)
        text = f"answered {reply.status}: {_message(reply.content)}"
        if reply.status == 429 or not 400 <= reply.status < 500:
            raise ContrailUnavailable(f"{where} gave no token: {text}")
        raise ContrailDenied(f"{where} refused us {self._who}: {text}; {_CHECK}")

    def _granted(self, reply: Reply, now: float) -> _Token:
        value = str(reply.headers.get("X-Subject-Token", ""))
        seconds = _lifetime(reply.content)
        if not (value.isascii() and value.isprintable() and value) or seconds is None:
            raise ContrailUnavailable(
                f"Keystone {self._server.url} answered 201, but not with a token: is this its v3 API?"
            )
        logger.info("token issued user=%s seconds=%.0f keystone=%s", self._settings.user, seconds, self._server.url)
        return _Token(f"X-Auth-Token: {value}\r\n".encode(), now + RENEWED_AT * seconds, now + seconds)


def _request(settings: ContrailSettings, password: str) -> dict[str, Any]:
    user = {"name": settings.user, "domain": {"name": settings.user_domain}, "password": password}
    project = {"name": settings.project, "domain": {"name": settings.project_domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


def _lifetime(content: bytes) -> float | None:
    """Seconds, by Keystone's clock alone: ours may differ."""
    try:
        token = msgspec.json.decode(content)["token"]
        ends, began = (datetime.fromisoformat(token[name]) for name in ("expires_at", "issued_at"))
        return max(0.0, (ends - began).total_seconds())
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None


def _message(content: bytes) -> str:
    try:
        return said(str(msgspec.json.decode(content)["error"]["message"]))
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return said(content.decode("utf-8", "replace"))
