"""Requests of the plugin, parsed and checked (pure).

One line of JSON per connection: {"protocol": 1, "command", "container", "netns", "ifname", "args" (CNI_ARGS as it
came), "timeout" (seconds the plugin waits), "config": {"cniVersion", "name", "mtu"?, "prevResult"?,
"cni.dev/valid-attachments"?, "runtimeConfig"?}}. The plugin has checked most of it; the socket is a border all the
same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from cni.answers import BAD_CONFIG, BAD_ENVIRONMENT, INCOMPATIBLE, UNDECODABLE
from cni.limits import UNLIMITED, Limits, limits_of
from schemas.errors import RequestRefused

Json = Any
PROTOCOL = 1
COMMANDS = ("ADD", "DEL", "CHECK", "GC", "STATUS")
VERSIONS = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
_OF_A_CONTAINER = ("ADD", "DEL", "CHECK")

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}")
_IFNAME = re.compile(r"[^\s/:]{1,15}")
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Pod:
    """Which pod: `uid` is '' where the runtime gave none, or none that the Kubernetes API knows.

    A static pod runs under a uid that its kubelet invented (32 hex digits); its object in the API has another.
    """

    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Attachment:
    """One interface of one container (sandbox): what a record, a DEL and a GC are about."""

    container: str
    ifname: str

    def __str__(self) -> str:
        return f"{self.container}/{self.ifname}"


@dataclass(frozen=True, slots=True)
class Request:
    """One command; fields that the command does not use are empty. `timeout` in seconds, `mtu` None for the default."""

    command: str
    version: str
    network: str
    timeout: float
    attachment: Attachment = Attachment("", "")
    netns: str = ""
    pod: Pod | None = None
    mtu: int | None = None
    previous: Json = None
    valid: frozenset[Attachment] = frozenset()
    limits: Limits = UNLIMITED
    """Of the pod's first interface; for ADD only."""


def parse(line: bytes) -> Request:
    """Request of one line; raises RequestRefused naming the field."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise RequestRefused(UNDECODABLE, "the request is not JSON") from None
    if not isinstance(message, dict) or message.get("protocol") != PROTOCOL:
        raise RequestRefused(
            INCOMPATIBLE,
            f"protocol: this agent speaks {PROTOCOL}; install the plugin of this version (python -m cni install)",
        )
    command, config = message.get("command"), message.get("config")
    if command not in COMMANDS:
        raise RequestRefused(BAD_ENVIRONMENT, "CNI_COMMAND: unknown command")
    if not isinstance(config, dict):
        raise RequestRefused(UNDECODABLE, "config: not a JSON object")
    with_container = command in _OF_A_CONTAINER
    return Request(
        command=command,
        version=_version(config),
        network=_matching(_NAME, config.get("name"), BAD_CONFIG, "name"),
        timeout=_timeout(message),
        attachment=_attachment(message) if with_container else Attachment("", ""),
        netns=_netns(message, needed=command in ("ADD", "CHECK")),
        pod=pod_of(message.get("args"), needed=command == "ADD") if with_container else None,
        mtu=_mtu(config),
        previous=config.get("prevResult"),
        valid=_valid(config) if command == "GC" else frozenset(),
        limits=limits_of(config.get("runtimeConfig")) if command == "ADD" else UNLIMITED,
    )


def pod_of(args: Json, *, needed: bool) -> Pod | None:
    """Pod named by CNI_ARGS ('K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=…'); None if not named."""
    pairs = dict(part.partition("=")[::2] for part in (args if isinstance(args, str) else "").split(";"))
    namespace, name = pairs.get("K8S_POD_NAMESPACE", ""), pairs.get("K8S_POD_NAME", "")
    if not needed and not (namespace and name):
        return None
    for field, value in (("K8S_POD_NAMESPACE", namespace), ("K8S_POD_NAME", name)):
        _matching(_KUBERNETES_NAME, value, BAD_ENVIRONMENT, f"CNI_ARGS: {field}")
    uid = pairs.get("K8S_POD_UID", "").lower()
    return Pod(namespace, name, uid if _UID.fullmatch(uid) else "")


def _matching(pattern: re.Pattern[str], value: Json, code: int, field: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RequestRefused(code, f"{field}: missing or malformed")
    return value


def _version(config: dict[str, Json]) -> str:
    version = config.get("cniVersion")
    if version not in VERSIONS:
        raise RequestRefused(INCOMPATIBLE, f"cniVersion: supported are {', '.join(VERSIONS)}")
    return str(version)


def _timeout(message: dict[str, Json]) -> float:
    timeout = message.get("timeout")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 60:
        raise RequestRefused(BAD_CONFIG, "timeout-seconds: must be a number above 0 and at most 60")
    return float(timeout)


def _attachment(message: dict[str, Json]) -> Attachment:
    container = _matching(_NAME, message.get("container"), BAD_ENVIRONMENT, "CNI_CONTAINERID")
    ifname = _matching(_IFNAME, message.get("ifname"), BAD_ENVIRONMENT, "CNI_IFNAME")
    if ifname in (".", ".."):
        raise RequestRefused(BAD_ENVIRONMENT, "CNI_IFNAME: missing or malformed")
    return Attachment(container, ifname)


def _netns(message: dict[str, Json], *, needed: bool) -> str:
    netns = message.get("netns")
    path = netns if isinstance(netns, str) else ""
    if "\0" in path or (needed and not path.startswith("/")):
        raise RequestRefused(BAD_ENVIRONMENT, "CNI_NETNS: must be the absolute path of a network namespace")
    return path


def _mtu(config: dict[str, Json]) -> int | None:
    mtu = config.get("mtu")
    if mtu is None:
        return None
    if isinstance(mtu, bool) or not isinstance(mtu, int) or not 576 <= mtu <= 65535:
        raise RequestRefused(BAD_CONFIG, "mtu: must be a whole number from 576 to 65535")
    return mtu


def _valid(config: dict[str, Json]) -> frozenset[Attachment]:
    """Attachments that a GC keeps. A list that is absent is refused: it must not read as 'keep none'."""
    entries = config.get("cni.dev/valid-attachments")
    if not isinstance(entries, list):
        raise RequestRefused(BAD_CONFIG, "cni.dev/valid-attachments: must be a list")
    found = set()
    for entry in entries:
        if not isinstance(entry, dict):
            raise RequestRefused(BAD_CONFIG, "cni.dev/valid-attachments: must hold objects")
        container, ifname = entry.get("containerID"), entry.get("ifname")
        if not isinstance(container, str) or not isinstance(ifname, str):
            raise RequestRefused(BAD_CONFIG, "cni.dev/valid-attachments: needs containerID and ifname")
        found.add(Attachment(container, ifname))
    return frozenset(found)
