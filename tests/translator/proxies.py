"""What svc-monitor and HAProxy make of load-balancer objects: a model of both, and a configuration.

svc-monitor puts the listeners of one port together, in no particular order, and writes the annotations of their pools
into conditions word by word; HAProxy takes the first back-end whose conditions hold, else the default one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

Object = Mapping[str, Any]


class Pool(msgspec.Struct, frozen=True):
    """A pool: its conditions by name, and where its members are."""

    uuid: str
    conditions: Mapping[str, str]
    members: tuple[str, ...]


class Frontend(msgspec.Struct, frozen=True):
    """All listeners of one port: certificates in their order, and pools in the order of the listeners."""

    port: int
    protocol: str
    certificates: tuple[str, ...]
    pools: tuple[Pool, ...]

    def backend(self, host: str | None, path: str) -> tuple[str, ...] | None:
        """Members that a request is sent to, none for 503; None where not even a default back-end is there."""
        default = None
        for pool in self.pools:
            if pool.conditions["type"] == "default":
                default = pool
            elif _holds(pool.conditions, host, path):
                return pool.members
        return None if default is None else default.members

    def configuration(self, address: str, servers: Mapping[str, str]) -> str:
        """HAProxy's configuration of this port, as svc-monitor writes it; `servers` are stand-ins of the members."""
        lines, backends = [f"frontend f{self.port}", f"bind {address}", "mode http"], []
        for pool in self.pools:
            said, words = pool.conditions, []
            if said["type"] == "default":
                lines.append(f"default_backend {pool.uuid}")
            else:
                if "host" in said:
                    words.append(f"{pool.uuid}_host")
                    lines.append(f"acl {pool.uuid}_host hdr(host) -i {said['host']}")
                if "path" in said:
                    words.append(f"{pool.uuid}_path")
                    lines.append(f"acl {pool.uuid}_path path {said['path']}")
                lines.append(f"use_backend {pool.uuid} if {' '.join(words)}")
            backends += [f"backend {pool.uuid}", "\tmode http", "\tbalance roundrobin"]
            backends += [f"\tserver s{n} {servers[member]} weight 1" for n, member in enumerate(pool.members)]
        return "\n\t".join(lines) + "\n\n" + "\n".join(backends) + "\n"


def frontends(listeners: Sequence[Object], pools: Iterable[Object], members: Iterable[Object]) -> dict[int, Frontend]:
    """By port, what svc-monitor makes of a balancer's objects, given as the API reads them, in this order."""
    behind: dict[str, list[str]] = {}
    for each in members:
        said = each["loadbalancer_member_properties"]
        assert said["admin_state"] and said["weight"] == 1
        behind.setdefault(each["parent_uuid"], []).append(f"{said['address']}:{said['protocol_port']}")
    by_listener = {
        each["loadbalancer_listener_refs"][0]["uuid"]: Pool(
            each["uuid"], _conditions(each), tuple(behind.get(each["uuid"], ()))
        )
        for each in pools
    }
    ports: dict[int, list[Object]] = {}
    for each in listeners:
        ports.setdefault(each["loadbalancer_listener_properties"]["protocol_port"], []).append(each)
    return {port: _frontend(port, group, by_listener) for port, group in ports.items()}


def _frontend(port: int, listeners: Sequence[Object], pools: Mapping[str, Pool]) -> Frontend:
    said = [each["loadbalancer_listener_properties"] for each in listeners]
    others = [name for each in said for name in each["sni_containers"]]  # as svc-monitor: it must be a list
    first = said[0]["default_tls_container"]  # of whichever comes first
    assert all("connection_limit" in each and each["admin_state"] for each in said)
    return Frontend(
        port,
        said[0]["protocol"],
        (*([first] if first else []), *others),
        tuple(pools[each["uuid"]] for each in listeners),
    )


def _conditions(pool: Object) -> dict[str, str]:
    pairs = {each["key"]: each["value"] for each in pool["annotations"]["key_value_pair"]}
    return {key: pairs[key] for key in ("type", "host", "path") if key in pairs}


def _holds(said: Mapping[str, str], host: str | None, path: str) -> bool:
    if "host" in said and (host is None or not _fits(said["host"], host, re.IGNORECASE)):
        return False
    return "path" not in said or _fits(said["path"], path, re.NOFLAG)


def _fits(pattern: str, text: str, flags: re.RegexFlag) -> bool:
    """Flags of an ACL, then its patterns, of which one must fit."""
    words = [re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), word) for word in pattern.split(" ")]
    if words[0] != "-m":
        return any(word.lower() == text.lower() if flags else word == text for word in words)
    method, patterns = words[1], words[2:]
    if method == "beg":
        return any(text.startswith(word) for word in patterns)
    assert method == "reg"
    return any(re.search(word, text, flags) for word in patterns)
