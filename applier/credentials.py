"""Who we are towards the Contrail API: a header for every call (shell: a password's file is read).

A header is made once and used until it is refused or grows old; to have it costs a call nothing.
"""

from __future__ import annotations

import base64
import logging
from typing import Protocol

from applier.keystone import KeystoneTokens
from applier.tls import Tls
from schemas.contrail.settings import BASIC, KEYSTONE
from schemas.errors import SettingsError
from schemas.settings import ContrailSettings

logger = logging.getLogger(__name__)


class Credentials(Protocol):
    """What is sent with every call; thread-safe."""

    @property
    def identity(self) -> str:
        """Who calls and how that is shown, for messages; never a secret."""
        ...

    def header(self) -> bytes:
        """A whole header line, or none. Raises ContrailUnavailable or ContrailDenied when there is none to be had."""
        ...

    def renewed(self, refused: bytes) -> bytes:
        """What to send instead of a header that was answered with 401: the same when there is no other."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Nobody:
    """Calls without credentials."""

    identity = "without credentials (CONTRAIL_KUBE_CONTRAIL_AUTH is none)"

    def header(self) -> bytes:
        """Nothing."""
        return b""

    def renewed(self, refused: bytes) -> bytes:
        """Nothing."""
        return refused

    def close(self) -> None:
        """Nothing to do."""


class Basic:
    """User and password with every call; the password is read again when it is refused."""

    def __init__(self, settings: ContrailSettings) -> None:
        self._settings = settings
        self._header = self._made()

    @property
    def identity(self) -> str:
        """The user."""
        return f"as user {self._settings.user!r} with basic authentication"

    def header(self) -> bytes:
        """`Authorization: Basic …`"""
        return self._header

    def renewed(self, refused: bytes) -> bytes:
        """With the password that is in its file now."""
        try:
            self._header = self._made()
        except SettingsError as error:
            logger.warning("the password stays as it was: %s", error)
        return self._header

    def close(self) -> None:
        """Nothing to do."""

    def _made(self) -> bytes:
        pair = f"{self._settings.user}:{self._settings.current_password()}"
        return b"Authorization: Basic " + base64.b64encode(pair.encode()) + b"\r\n"


def credentials_of(settings: ContrailSettings, *, tls: Tls | None) -> Credentials:
    """Those that the settings name."""
    if settings.auth == KEYSTONE:
        return KeystoneTokens(settings, tls=tls)
    return Basic(settings) if settings.auth == BASIC else Nobody()
