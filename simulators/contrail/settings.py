"""Settings of the simulated config API as a process."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from schemas.errors import SettingsError
from simulators.contrail.access import Guard, asks_keystone, everybody, with_password, with_token

_VARIABLE = "CONTRAIL_KUBE_SIMULATOR_"


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Read from CONTRAIL_KUBE_SIMULATOR_…; options on the command line count more."""

    PREFIX: ClassVar[str] = "SIMULATOR"

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 in a container."""
    port: int = 8082
    """Port to listen on, the real API's by default; 0 picks a free one."""
    latency: float = 0.0
    """Seconds before each answer."""
    work: float = 0.0
    """Seconds of work on each request, one after another: the original is one process, and takes about 0.002."""
    nodes: tuple[str, ...] = ()
    """Virtual-routers that exist from the start, as name=address."""
    verbose: bool = False
    """Log every request."""
    auth: str = "none"
    """none, basic (as `user` with `password`) or keystone (a token that `keystone_url` knows)."""
    user: str = "admin"
    """Who may call, with basic authentication."""
    password: str = field(default="", repr=False, metadata={"secret": True})
    """The user's password."""
    keystone_url: str = ""
    """Keystone's identity API with its version, which is asked about each token."""
    certificate_file: str = ""
    """PEM certificate of the server, which then speaks https."""
    key_file: str = ""
    """PEM key of that certificate; empty if the certificate's file holds it."""
    client_ca_file: str = ""
    """PEM certificates that clients' certificates must be signed by (mutual TLS)."""

    def __post_init__(self) -> None:
        self.routers()
        self.guard()
        if (self.key_file or self.client_ca_file) and not self.certificate_file:
            raise SettingsError(f"{_VARIABLE}KEY_FILE and _CLIENT_CA_FILE need {_VARIABLE}CERTIFICATE_FILE")

    def guard(self) -> Guard:
        """Who may call."""
        if self.auth == "basic" and self.user and self.password:
            return with_password(self.user, self.password)
        if self.auth == "keystone" and self.keystone_url:
            return with_token(asks_keystone(self.keystone_url), keystone_url=self.keystone_url)
        if self.auth != "none":
            raise SettingsError(
                f"{_VARIABLE}AUTH={self.auth!r}: accepted are none, basic (which needs _USER and _PASSWORD) and "
                "keystone (which needs _KEYSTONE_URL)"
            )
        return everybody

    def tls(self) -> ssl.SSLContext | None:
        """For https; raises SettingsError for files that cannot be used."""
        if not self.certificate_file:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate_file, self.key_file or None)
            if self.client_ca_file:
                context.load_verify_locations(self.client_ca_file)
                context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:
            raise SettingsError(f"{_VARIABLE}CERTIFICATE_FILE and its companions cannot be used: {error}") from error
        return context

    def routers(self) -> Mapping[str, str]:
        """Names of the nodes with their addresses."""
        found = {}
        for node in self.nodes:
            name, _, address = node.partition("=")
            if not name or not address:
                raise SettingsError(f"{_VARIABLE}NODES: {node!r} is not name=address")
            found[name] = address
        return found
