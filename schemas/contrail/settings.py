"""Where the Contrail config API is, and how it is spoken to: endpoints, credentials, TLS.

Reads no file but the password's; certificates are read by who connects. A combination that cannot work is a
SettingsError that names the variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from schemas.errors import SettingsError

NONE, BASIC, KEYSTONE = "none", "basic", "keystone"
"""Ways to authenticate."""


@dataclass(frozen=True, slots=True)
class ContrailSettings:
    """The Contrail config API."""

    PREFIX: ClassVar[str] = "CONTRAIL"

    urls: tuple[str, ...] = ("http://127.0.0.1:8082",)
    """API servers of one Contrail: the first is used as long as it answers, then the next."""
    auth: str = NONE
    """none, basic (user and password with every call) or keystone (a token of Keystone v3)."""
    user: str = ""
    """Who we are, for basic and keystone."""
    password: str = field(default="", repr=False, metadata={"secret": True})
    """Password of the user."""
    password_file: str = ""
    """File that holds the password; read again for each new token, so that it can be changed without a restart."""
    keystone_url: str = ""
    """Keystone's identity API with its version: http://keystone:5000/v3."""
    project: str = ""
    """Keystone project that the token is for; the user needs a role in it that Contrail accepts, such as admin."""
    user_domain: str = "Default"
    """Name of the user's domain in Keystone."""
    project_domain: str = "Default"
    """Name of the project's domain in Keystone."""
    ca_file: str = ""
    """PEM certificates that the servers' must be signed by, for https; empty means those of the system."""
    client_certificate_file: str = ""
    """PEM certificate that we show to the servers (mutual TLS)."""
    client_key_file: str = ""
    """PEM key of that certificate, without a passphrase; empty if the certificate's file holds it."""
    verify: bool = True
    """Check certificates and host names; false lets anybody in between read and change everything."""
    connect_timeout: float = 5.0
    """Seconds to wait for a connection, TLS included."""
    read_timeout: float = 30.0
    """Seconds to wait for an answer, to its last byte."""

    def __post_init__(self) -> None:
        for problem in chain(self._wrong_urls(), self._wrong_credentials(), self._wrong_tls()):
            raise SettingsError(problem)

    def current_password(self) -> str:
        """The password as it is now: read from its file if it has one. Raises SettingsError if that cannot be."""
        if not self.password_file:
            return self.password
        try:
            found = Path(self.password_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise SettingsError(f"{_name('password_file')}={self.password_file}: cannot be read: {said}") from error
        if not found:
            raise SettingsError(f"{_name('password_file')}={self.password_file}: is empty")
        return found

    def _wrong_urls(self) -> Iterator[str]:
        if not self.urls:
            yield f"{_name('urls')} is empty: at least one URL, such as http://contrail:8082"
        for url in self.urls:
            if problem := _wrong_url(url):
                yield f"{_name('urls')}={_shown(url)!r}: {problem}"
        if len({url.rstrip("/") for url in self.urls}) < len(self.urls):
            yield f"{_name('urls')} names the same server twice"
        for name in ("connect_timeout", "read_timeout"):
            if getattr(self, name) <= 0:
                yield f"{_name(name)}={getattr(self, name):g}: must be above 0"

    def _wrong_credentials(self) -> Iterator[str]:
        if self.auth not in (NONE, BASIC, KEYSTONE):
            yield f"{_name('auth')}={self.auth!r}: accepted are {NONE}, {BASIC}, {KEYSTONE}"
        needed = {NONE: (), BASIC: ("user",), KEYSTONE: ("user", "keystone_url", "project")}[self.auth]
        for name in needed:
            if not getattr(self, name):
                yield f"{_name('auth')}={self.auth} needs {_name(name)}"
        if self.auth != NONE and not (self.password or self.password_file):
            yield f"{_name('auth')}={self.auth} needs {_name('password')} or {_name('password_file')}"
        for name in ("user", "password", "password_file", "keystone_url", "project"):
            unused = self.auth == NONE or (self.auth == BASIC and name in ("keystone_url", "project"))
            if unused and getattr(self, name):
                yield f"{_name(name)} is set, but {_name('auth')} is {self.auth}"
        if self.auth == BASIC and ":" in self.user:
            yield f"{_name('user')}={self.user!r}: must be without ':' for basic authentication"
        if self.auth != NONE and self.password_file:
            self.current_password()
        if self.keystone_url and (problem := _wrong_url(self.keystone_url)):
            yield f"{_name('keystone_url')}={_shown(self.keystone_url)!r}: {problem}"
        if self.keystone_url and not urlsplit(self.keystone_url).path.rstrip("/").endswith("/v3"):
            yield f"{_name('keystone_url')}={self.keystone_url!r}: must end with /v3; older versions are not spoken"

    def _wrong_tls(self) -> Iterator[str]:
        if not any(url.startswith("https://") for url in (*self.urls, self.keystone_url)):
            for name in ("ca_file", "client_certificate_file", "client_key_file"):
                if getattr(self, name):
                    yield f"{_name(name)} is set, but no URL begins with https://"
            if not self.verify:
                yield f"{_name('verify')} is false, but no URL begins with https://"
        if self.client_key_file and not self.client_certificate_file:
            yield f"{_name('client_key_file')} needs {_name('client_certificate_file')}"
        if self.ca_file and not self.verify:
            yield f"{_name('ca_file')} is set, but {_name('verify')} is false: nothing is checked against it"


def _name(name: str) -> str:
    return f"CONTRAIL_KUBE_{ContrailSettings.PREFIX}_{name.upper()}"


def _shown(url: str) -> str:
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _wrong_url(url: str) -> str:
    """Why it is no URL of a server; '' if it is one."""
    if not url.startswith(("http://", "https://")):
        return "must begin with http:// or https://"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if not parts.hostname or port == 0:
        return "names no server"
    if parts.username is not None or parts.password is not None:
        return f"must be without user and password, which would be logged: use {_name('user')}"
    if parts.query or parts.fragment:
        return "must be without ? and #"
    return "" if url.isascii() and url.isprintable() and " " not in url else "must be plain ASCII without spaces"
