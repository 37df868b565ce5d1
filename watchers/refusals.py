"""What an API server's refusal, or its silence, means and what a person can do about it (pure)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import msgspec
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from schemas.errors import KubernetesForbidden, KubernetesUnavailable, NotServed, VersionExpired

LONGEST_MESSAGE = 300


class _Status(msgspec.Struct):
    message: str = ""


def refused(status: int, headers: Mapping[str, str], body: bytes, *, doing: str) -> KubernetesUnavailable:
    """The error for an HTTP status outside 2xx; `doing` is method and URL without its query."""
    said = _message(body)
    text = f"{doing}: {status} {said}"
    if status == 410:
        return VersionExpired(text)
    if status == 403:
        return KubernetesForbidden(f"{text}; grant this verb to the watchers with a ClusterRole")
    if status == 401:
        return KubernetesUnavailable(f"{text}; is the token or client certificate expired, or of another cluster?")
    if status == 404:
        return NotServed(f"{text}; is this the address of a Kubernetes API server?")
    error = KubernetesUnavailable(f"{text}; the server asks to wait, or is ill: see its log if this goes on")
    error.retry_after = _seconds(headers.get("Retry-After", ""))
    return error


def failed(code: int, message: str, retry_after: float, *, doing: str) -> KubernetesUnavailable:
    """The error for a Status inside a stream that was answered with 200."""
    text = f"{doing}: {code} {message[:LONGEST_MESSAGE]}"
    if code == 410:
        return VersionExpired(text)
    error = KubernetesUnavailable(text)
    error.retry_after = retry_after
    return error


def unreachable(error: Exception, *, doing: str) -> KubernetesUnavailable:
    """The error for a request that got no answer, or half of one."""
    return KubernetesUnavailable(f"{doing}: {_culprit(error)}")


def _culprit(error: Exception) -> str:
    match error:
        case NameResolutionError():
            return "the server's name is not known to DNS; is the address in the kubeconfig right?"
        case NewConnectionError(__cause__=BrokenPipeError() | ConnectionResetError() as broken):
            return f"the connection broke ({_short(broken)})"  # it was made, and ended within the handshake
        case NewConnectionError():
            reason = error.__cause__ or error
            return f"cannot connect ({_short(reason)}); is the API server running, and is its address right?"
        case ConnectTimeoutError():
            return "no answer to the connection; is the server up, and does a firewall let this host reach it?"
        case ReadTimeoutError() | socket.timeout():
            return "the connection went silent; the server or the path to it is gone, connecting anew"
        case SSLError(args=(ssl.SSLEOFError(), *_)):  # within the handshake, too: it says nothing of certificates
            return f"the connection broke ({_short(error)})"
        case SSLError():
            return f"TLS failed ({_short(error)}); does the kubeconfig hold this cluster's certificate authority?"
        case ProtocolError():
            reason = error.args[-1] if error.args and isinstance(error.args[-1], Exception) else error
            return f"the connection broke ({_short(reason)})"
        case HTTPError() | OSError():
            return f"failed ({_short(error)})"
    raise TypeError(f"not an error of a request: {error!r}")


def _message(body: bytes) -> str:
    """The message of a Status, else the beginning of whatever it is."""
    try:
        text = msgspec.json.decode(body, type=_Status).message
    except (ValueError, RecursionError):
        text = body.decode(errors="replace")
    return " ".join(text.split())[:LONGEST_MESSAGE]


def _seconds(retry_after: str) -> float:
    """Retry-After in seconds; the API server never sends the form with a date."""
    return float(retry_after) if retry_after.isdecimal() else 0.0


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:LONGEST_MESSAGE]
