"""Certificates for tests, made by the openssl command: an authority, and what it signs."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path

    def server(self, *, client_authority: Path | None = None) -> ssl.SSLContext:
        """A server that shows it, and wants certificates signed by `client_authority` from its clients."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if client_authority is not None:
            context.load_verify_locations(client_authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def replace(self, other: Certificate) -> None:
        """Become another certificate, in the same files, each replaced at once."""
        for mine, theirs in ((self.certificate, other.certificate), (self.key, other.key)):
            fresh = mine.with_suffix(".new")
            fresh.write_bytes(theirs.read_bytes())
            fresh.replace(mine)


class Authority:
    """A certificate authority; `file` holds its certificate."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.file, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        subject = ("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign")
        _openssl("req", "-x509", *_KEY, *subject, "-keyout", str(self._key), "-out", str(self.file))

    def issue(self, name: str, *, alternative: str = "IP:127.0.0.1") -> Certificate:
        """A certificate for whoever has this name or address: 'IP:127.0.0.1', 'DNS:contrail'."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        subject = ("-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:FALSE")
        names = ("-addext", f"subjectAltName={alternative}")
        signer = ("-CA", str(self.file), "-CAkey", str(self._key))
        out = ("-keyout", str(made.key), "-out", str(made.certificate))
        _openssl("req", "-x509", *signer, *_KEY, *subject, *names, *out)
        return made


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
