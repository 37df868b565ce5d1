"""What every Kafka client of ours shares: options, connecting, and errors that say what is wrong.

kafka-python tells "unable to bootstrap" from nothing else, so that the cause is looked for here, once, after
the fact. Secrets are in the options only, never in a message.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import kafka
from kafka import errors
from kafka.net.compat import KafkaNetClient

from schemas.errors import BusMismatch, BusUnavailable
from schemas.settings import KafkaSettings

T = TypeVar("T")

PROBE_SECONDS = 2.0
"""Deadline of each look at a broker that does not answer."""
_REFUSED = (errors.SaslAuthenticationFailedError, errors.AuthorizationError)
_MISMATCHES = (
    errors.CorruptRecordError,
    errors.FencedInstanceIdError,
    errors.InvalidConfigurationError,
    errors.InvalidReplicationFactorError,
    errors.InvalidTopicError,
    errors.KafkaConfigurationError,
    errors.MessageSizeTooLargeError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
    errors.UnsupportedCodecError,
    errors.UnsupportedVersionError,
)
"""Errors that the same call meets again until a person changes something."""


def client_options(settings: KafkaSettings, client: str) -> dict[str, Any]:
    """Options of kafka-python that all its clients take; raises BusMismatch for files that cannot be read."""
    _quiet_library()
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": client,
        "security_protocol": settings.security_protocol,
        "bootstrap_timeout_ms": int(settings.connect_timeout * 1000),
        # The default of 30 s would let a broker that is back wait that long.
        "reconnect_backoff_max_ms": 1000,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def connect(make: Callable[..., T], settings: KafkaSettings, options: dict[str, Any]) -> T:
    """A client of kafka-python, connected; raises BusUnavailable or BusMismatch, and leaves nothing behind then."""
    begun: list[KafkaNetClient] = []

    def net_client(**given: Any) -> KafkaNetClient:
        begun.append(KafkaNetClient(**given))
        return begun[-1]

    try:
        with translated(settings, "connecting"):
            return make(**(options | {"kafka_client": net_client}))
    except BaseException as error:
        # A constructor that fails leaves its thread running: ten minutes of retries would be hundreds.
        for each in begun:
            each.close()
        if isinstance(error, RuntimeError):
            raise BusMismatch(f"compression {settings.compression!r} cannot be used: {error}") from error
        raise


@contextlib.contextmanager
def translated(settings: KafkaSettings, doing: str) -> Iterator[None]:
    """Turn kafka-python's errors into ours; `doing` says in a few words what was tried."""
    try:
        yield
    except errors.KafkaError as error:
        raise explained(error, settings, doing) from error


def explained(error: errors.KafkaError, settings: KafkaSettings, doing: str) -> BusUnavailable | BusMismatch:
    """Our error for one of kafka-python's, with the likely culprit."""
    where = f"{_where(settings)}: {doing}"
    if isinstance(error, _REFUSED):
        return BusUnavailable(f"{where}: refused for {_principal(settings)}: {error}")
    if isinstance(error, _MISMATCHES):
        return BusMismatch(f"{where}: {error}")
    if isinstance(error, errors.UnknownTopicOrPartitionError):
        return BusUnavailable(f"{where}: the topic is not there: {error}")
    if isinstance(error, (errors.KafkaTimeoutError, errors.KafkaConnectionError, errors.NodeNotReadyError)):
        return BusUnavailable(f"{where}: no answer in time: {culprit(settings)}")
    return BusUnavailable(f"{where}: {type(error).__name__}: {error}")


def culprit(settings: KafkaSettings) -> str:
    """Why the brokers do not answer, as far as it can be seen from outside."""
    found = dict.fromkeys(_look_at(server, settings) for server in settings.bootstrap_servers[:3])
    return "; ".join(found)


def _look_at(server: str, settings: KafkaSettings) -> str:
    protocol = settings.security_protocol
    host, _, port = server.rpartition(":")
    host, port = (host.strip("[]"), port) if host else (server, "9092")
    try:
        with contextlib.closing(socket.create_connection((host, int(port)), PROBE_SECONDS)) as plain:
            if protocol.endswith("SSL"):
                _ssl_context(settings).wrap_socket(plain, server_hostname=host).close()
    except socket.gaierror:
        return f"the name {host} cannot be resolved"
    except ssl.SSLCertVerificationError as error:
        return f"the certificate of {server} is not trusted ({error.verify_message}): is ssl_cafile its authority's?"
    except ssl.SSLError as error:
        return f"{server} does not speak TLS as we do ({error.reason}): is security_protocol the listener's?"
    except (OSError, ValueError) as error:
        return f"{server} cannot be reached ({error}): is the broker running, and is this its address?"
    if protocol.startswith("SASL"):
        return f"{server} answers, but perhaps refuses {_principal(settings)}, or is no {protocol} listener"
    refuses = f", or may refuse {_principal(settings)}" if protocol == "SSL" else ""
    return f"{server} accepts connections and no more: is it starting, or no {protocol} listener{refuses}?"


def _principal(settings: KafkaSettings) -> str:
    if settings.security_protocol.startswith("SASL"):
        return f"user {settings.sasl_username!r} ({settings.sasl_mechanism})"
    return f"the certificate {settings.ssl_certfile}" if settings.ssl_certfile else "an anonymous client"


def _where(settings: KafkaSettings) -> str:
    return f"Kafka at {', '.join(settings.bootstrap_servers)}"


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile or None)
        if settings.ssl_certfile:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile or None)
    except OSError as error:
        files = ", ".join(filter(None, (settings.ssl_cafile, settings.ssl_certfile, settings.ssl_keyfile)))
        raise BusMismatch(f"the TLS files {files} cannot be used: {error.strerror or error}") from error
    return context


def _quiet_library() -> None:
    """Keep kafka-python from the log, unless somebody set its level.

    At DEBUG it prints passwords; while a broker is away it prints ten lines a second. The adapter says what
    matters.
    """
    logger = logging.getLogger(kafka.__name__)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    elif logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
