#!/usr/bin/python3 -IS
"""contrail-k8s-cni: the file that kubelet's runtime executes; it asks the CNI agent of its node and prints the answer.

Stdlib only, imports kept few (start-up time is most of its cost), nothing of ours: it is installed alone, beside
any Python from 3.8. It checks environment and network configuration as CNI spec 1.1 demands, sends one JSON line
over a unix socket, waits at most `timeout-seconds`, and prints a result or an error object on standard output.
It never writes a value of the configuration into an error, only the names of fields: values may be secrets.
"""

from __future__ import annotations

import json
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket
from time import monotonic

VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
NEEDS = {
    "ADD": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "CHECK": ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"),
    "DEL": ("CNI_CONTAINERID", "CNI_IFNAME"),
    "GC": (),
    "STATUS": (),
    "VERSION": (),
}
"""Variables that each command demands (spec 1.1, section 2)."""
SINCE = {"CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}
"""First specification version that has the command."""

AGENT_SOCKET = "/run/contrail-kube/cni.sock"
LONGEST_WAIT = 43.0
"""Seconds: below every runtime's own limit, so that the caller hears why instead of killing us."""
LARGEST = 1 << 20
"""Bytes of configuration or answer that are read."""

INCOMPATIBLE, BAD_ENVIRONMENT, IO_FAILURE, UNDECODABLE, BAD_CONFIG, TRY_AGAIN, UNAVAILABLE = 1, 4, 5, 6, 7, 11, 50

_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME = _ALNUM | frozenset("_.-")


class Refusal(Exception):
    """An error object of the specification: its code, one sentence, and what to do."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def is_name(text: str) -> bool:
    """Whether the specification takes the text as a container id or network name; ours ends at 200 characters."""
    return 0 < len(text) <= 200 and text[0] in _ALNUM and all(c in _NAME for c in text)


def is_ifname(text: str) -> bool:
    """Whether the kernel takes the text as an interface name."""
    return 0 < len(text) <= 15 and text not in (".", "..") and not any(c in "/:" or c.isspace() for c in text)


def command_of(environ: dict[str, str]) -> str:
    """CNI_COMMAND, with everything that the command demands present and well-formed; raises Refusal."""
    command = environ.get("CNI_COMMAND", "")
    if not command:
        raise Refusal(BAD_ENVIRONMENT, "CNI_COMMAND is not set", "this program is started by a container runtime")
    if command not in NEEDS:
        raise Refusal(BAD_ENVIRONMENT, "CNI_COMMAND: unknown command", f"known are {', '.join(NEEDS)}")
    for name in NEEDS[command]:
        if not environ.get(name):
            raise Refusal(BAD_ENVIRONMENT, f"{name} is not set", f"{command} demands it")
    if "CNI_CONTAINERID" in NEEDS[command] and not is_name(environ["CNI_CONTAINERID"]):
        raise Refusal(BAD_ENVIRONMENT, "CNI_CONTAINERID: letters, digits, '_', '.' and '-' only, at most 200")
    if "CNI_IFNAME" in NEEDS[command] and not is_ifname(environ["CNI_IFNAME"]):
        raise Refusal(BAD_ENVIRONMENT, "CNI_IFNAME: 1 to 15 characters, no '/', ':', space, '.' or '..'")
    return command


def decode(text: bytes, what: str) -> dict[str, object]:
    """JSON object of the bytes; raises Refusal without showing any of them."""
    if len(text) > LARGEST:
        raise Refusal(UNDECODABLE, f"{what}: longer than {LARGEST} bytes")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Refusal(UNDECODABLE, f"{what}: nested too deeply") from None
    except ValueError as error:
        at = getattr(error, "pos", None)
        raise Refusal(UNDECODABLE, f"{what}: not JSON" + ("" if at is None else f" (at byte {at})")) from None
    if not isinstance(value, dict):
        raise Refusal(UNDECODABLE, f"{what}: not a JSON object")
    return value


def _no_constant(_: str) -> object:
    raise ValueError("NaN and Infinity are no JSON")


def version_of(config: dict[str, object], command: str) -> str:
    """cniVersion of the configuration, if we speak it and it has the command; raises Refusal."""
    version = config.get("cniVersion")
    known = f"supported are {', '.join(VERSIONS)}"
    if not isinstance(version, str) or version not in VERSIONS:
        raise Refusal(INCOMPATIBLE, "cniVersion: missing or not supported", known)
    if VERSIONS.index(version) < VERSIONS.index(SINCE.get(command, VERSIONS[0])):
        raise Refusal(INCOMPATIBLE, f"cniVersion: {version} has no {command}", f"it came with {SINCE[command]}")
    return version


def check_config(config: dict[str, object]) -> None:
    """Raise Refusal for a field of ours that is missing or malformed."""
    name = config.get("name")
    if not isinstance(name, str) or not is_name(name):
        raise Refusal(BAD_CONFIG, "name: missing, or not made of letters, digits, '_', '.' and '-'")
    path = config.get("agent-socket", AGENT_SOCKET)
    if not isinstance(path, str) or not path.startswith("/") or len(path) > 107 or "\0" in path:
        raise Refusal(BAD_CONFIG, "agent-socket: must be an absolute path of at most 107 characters")
    mtu = config.get("mtu")
    if mtu is not None and (not isinstance(mtu, int) or isinstance(mtu, bool) or not 576 <= mtu <= 65535):
        raise Refusal(BAD_CONFIG, "mtu: must be a whole number from 576 to 65535")
    wait = config.get("timeout-seconds", LONGEST_WAIT)
    if not isinstance(wait, (int, float)) or isinstance(wait, bool) or not 1 <= wait <= LONGEST_WAIT:
        raise Refusal(BAD_CONFIG, f"timeout-seconds: must be a number from 1 to {LONGEST_WAIT:.0f}")


def request_of(command: str, environ: dict[str, str], config: dict[str, object]) -> dict[str, object]:
    """What the agent is asked: of the configuration only the fields that it uses."""
    return {
        "protocol": 1,
        "command": command,
        "container": environ.get("CNI_CONTAINERID", ""),
        "netns": environ.get("CNI_NETNS", ""),
        "ifname": environ.get("CNI_IFNAME", ""),
        "args": environ.get("CNI_ARGS", ""),
        "timeout": config.get("timeout-seconds", LONGEST_WAIT),
        "config": {
            key: config[key]
            for key in ("cniVersion", "name", "mtu", "prevResult", "cni.dev/valid-attachments", "runtimeConfig")
            if config.get(key) is not None
        },
    }


def ask(path: str, request: dict[str, object], wait: float) -> dict[str, object]:
    """The agent's answer within `wait` seconds; raises Refusal."""
    absent = UNAVAILABLE if request["command"] == "STATUS" else TRY_AGAIN
    advice = "is the contrail-kube CNI agent running on this node? its log says more"
    deadline = monotonic() + wait
    connection = socket(AF_UNIX, SOCK_STREAM)
    received = b""
    try:
        connection.settimeout(wait)
        connection.connect(path)
        try:  # noqa: SIM105 — contextlib would cost a millisecond of every start
            connection.sendall(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            pass  # An agent with too much to do answers before it listens.
        while not received.endswith(b"\n") and len(received) <= LARGEST:
            connection.settimeout(max(deadline - monotonic(), 0.001))
            part = connection.recv(65536)
            if not part:
                raise Refusal(absent, f"the CNI agent at {path} ended before it had answered", advice)
            received += part
    except OSError as error:
        reason = error.strerror or "no answer in time"
        raise Refusal(absent, f"no answer from the CNI agent at {path}: {reason}", advice) from None
    finally:
        connection.close()
    return decode(received, "answer of the CNI agent")


def run(environ: dict[str, str], text: bytes) -> tuple[int, dict[str, object] | None]:
    """Exit code and what to print, None for nothing."""
    version = VERSIONS[-1]
    try:
        command = command_of(environ)
        if command == "VERSION":
            asked = decode(text, "stdin").get("cniVersion", version) if text.strip() else version
            return 0, {"cniVersion": asked if asked in VERSIONS else version, "supportedVersions": list(VERSIONS)}
        config = decode(text, "stdin")
        version = version_of(config, command)
        check_config(config)
        path, wait = config.get("agent-socket", AGENT_SOCKET), config.get("timeout-seconds", LONGEST_WAIT)
        assert isinstance(path, str) and isinstance(wait, (int, float))
        answer = ask(path, request_of(command, environ, config), float(wait))
        error, result = answer.get("error"), answer.get("result")
        if isinstance(error, dict):
            return 1, {"cniVersion": version, **error}
        return 0, result if isinstance(result, dict) else None
    except Refusal as refusal:
        said = {"cniVersion": version, "code": refusal.code, "msg": refusal.message}
        return 1, {**said, "details": refusal.details} if refusal.details else said


def main() -> int:
    """Run once, as the specification wants a plugin to."""
    code, output = run(dict(os.environ), sys.stdin.buffer.read(LARGEST + 1))
    if output is not None:
        sys.stdout.write(json.dumps(output, indent=2) + "\n")
        sys.stdout.flush()
    return code


if __name__ == "__main__":
    # No clean-up of the interpreter: nothing is left to flush, and it costs a millisecond.
    os._exit(main())
