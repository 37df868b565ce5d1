"""TLS towards Contrail and Keystone (shell): one context for all connections, made anew when a file has changed.

So a certificate, key or CA that is replaced on disk counts for the next connection, without a restart.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading

from schemas.errors import SettingsError
from schemas.settings import ContrailSettings

logger = logging.getLogger(__name__)

_CA = "CONTRAIL_KUBE_CONTRAIL_CA_FILE"
_CERTIFICATE = "CONTRAIL_KUBE_CONTRAIL_CLIENT_CERTIFICATE_FILE"
_KEY = "CONTRAIL_KUBE_CONTRAIL_CLIENT_KEY_FILE"
_VERIFY = "CONTRAIL_KUBE_CONTRAIL_VERIFY"
_MISMATCH = (62, 64)
"""OpenSSL's codes for a certificate of another host name, or of another address."""
_SAYS = {
    "CERTIFICATE_REQUIRED": f"the server wants a certificate of ours ({_CERTIFICATE})",
    "UNKNOWN_CA": f"the server does not know the CA of our certificate ({_CERTIFICATE})",
    "CERTIFICATE_EXPIRED": f"the server finds our certificate expired ({_CERTIFICATE})",
    "BAD_CERTIFICATE": f"the server does not take our certificate ({_CERTIFICATE})",
    "WRONG_VERSION_NUMBER": "the server does not speak TLS there: does the URL begin with http://?",
}


class Tls:
    """Contexts for new connections; thread-safe. Raises SettingsError when a file cannot be used at the start."""

    def __init__(self, settings: ContrailSettings) -> None:
        self._settings = settings
        self._files = tuple(
            name for name in (settings.ca_file, settings.client_certificate_file, settings.client_key_file) if name
        )
        self._lock = threading.Lock()
        self._stamps = self._look()
        self._context = _make(settings)
        if not settings.verify:
            logger.warning(
                "certificates of the Contrail API are NOT checked (%s is false): anybody in between can read and "
                "change everything, the credentials included",
                _VERIFY,
            )

    def context(self) -> ssl.SSLContext:
        """The context for a connection to be made now; files that cannot be used leave the last good one in place."""
        with self._lock:
            if (stamps := self._look()) != self._stamps:
                self._stamps = stamps
                try:
                    self._context = _make(self._settings)
                    logger.info("certificates were replaced and are used from now on files=%s", ",".join(self._files))
                except SettingsError as error:
                    logger.warning("certificates were replaced, but the last ones stay in use: %s", error)
            return self._context

    @property
    def hint(self) -> str:
        """What it may mean that a server closes a new connection without an answer."""
        shown = self._settings.client_certificate_file
        return f"; does it {'refuse our' if shown else 'want a'} certificate ({_CERTIFICATE})?"

    def trouble(self, error: ssl.SSLError, host: str) -> str:
        """What went wrong between us and the server at `host`, for a person."""
        if not isinstance(error, ssl.SSLCertVerificationError):
            return _SAYS.get(_reason(error), f"TLS failed: {_reason(error) or error}")
        if error.verify_code in _MISMATCH:
            return f"its certificate is for another host than {host!r}: {error.verify_message}"
        trusted = f"the CA in {self._settings.ca_file}" if self._settings.ca_file else "the CAs of this system"
        return f"its certificate is not trusted by {trusted} ({_CA}): {error.verify_message}"

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(name) for name in self._files)


def _make(settings: ContrailSettings) -> ssl.SSLContext:
    if not settings.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_file:
        context = _trusting(settings.ca_file)
    else:
        context = ssl.create_default_context()
    if settings.client_certificate_file:
        _show(context, settings.client_certificate_file, settings.client_key_file)
    return context


def _trusting(ca_file: str) -> ssl.SSLContext:
    _check_readable(_CA, ca_file)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise SettingsError(f"{_CA}={ca_file}: holds no PEM certificate: {_reason(error) or error}") from error


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    _check_readable(_CERTIFICATE, certificate)
    if key:
        _check_readable(_KEY, key)
    try:
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key or None, password="")
    except ssl.SSLError as error:
        where = f"{_CERTIFICATE}={certificate}" + (f" and {_KEY}={key}" if key else "")
        said = "the key does not belong to the certificate" if _reason(error) == "KEY_VALUES_MISMATCH" else ""
        said = said or f"cannot be used ({_reason(error) or error}); PEM is expected, the key without a passphrase"
        raise SettingsError(f"{where}: {said}") from error


def _check_readable(variable: str, name: str) -> None:
    try:
        with open(name, "rb"):
            return
    except OSError as error:
        raise SettingsError(f"{variable}={name}: cannot be read: {error.strerror}") from error


def _reason(error: ssl.SSLError) -> str:
    # TLS 1.3 alerts come as TLSV13_ALERT_CERTIFICATE_REQUIRED, those before as SSLV3_ALERT_BAD_CERTIFICATE and so on.
    return (error.reason or "").rpartition("_ALERT_")[2]


def _stamp(name: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
