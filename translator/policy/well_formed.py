"""What a NetworkPolicy must say to be compiled (pure): checked before the fold, so a bad one replaces nothing.

The API server refuses most of it; what comes another way, or from an older server, is named here with its field.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import cast

from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import IpBlock, LabelSelector, NetworkPolicyRecord, PolicyPeer, PolicyPort, PolicyRule
from translator.policy import blocks, room, size

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_WITH_VALUES = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}
_HIGHEST = 65535
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Wrong(Exception):
    """What was read in a field, and what is accepted."""


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for the first field that means nothing."""
    record = cast(NetworkPolicyRecord, event.body)
    try:
        _selector("spec.podSelector", record.pod_selector)
        for field, peers, rules in (("ingress", "from", record.ingress), ("egress", "to", record.egress)):
            for number, rule in enumerate(rules):
                _rule(f"spec.{field}[{number}]", peers, rule)
                _room(f"spec.{field}[{number}]", size.of_rule(record.pod_selector, rule))
                _prefixes_left(f"spec.{field}[{number}].{peers}", rule)
        _room("spec", size.of_policy(record))
    except _Wrong as wrong:
        raise TranslationError(f"{event.kind} {event.namespace}/{event.name}: {wrong}") from None


def _rule(field: str, peers: str, rule: PolicyRule) -> None:
    for number, peer in enumerate(rule.peers):
        _peer(f"{field}.{peers}[{number}]", peer)
    for number, port in enumerate(rule.ports):
        _port(f"{field}.ports[{number}]", port)


def _room(field: str, number: int) -> None:
    if number > room.MOST:
        raise _Wrong(
            f"{field} makes {number} rules, pods by peers by ports; accepted are {room.MOST} of all policies of a "
            "namespace, because Contrail's API takes no more at once"
        )


def _prefixes_left(field: str, rule: PolicyRule) -> None:
    number = len(blocks.prefixes(each.ip_block for each in rule.peers if each.ip_block is not None))
    if number > room.MOST_PREFIXES:
        raise _Wrong(
            f"{field} has blocks that are {number} prefixes without their exceptions; accepted are "
            f"{room.MOST_PREFIXES}, because Contrail's API takes no more at once"
        )


def _peer(field: str, peer: PolicyPeer) -> None:
    selectors = {"podSelector": peer.pod_selector, "namespaceSelector": peer.namespace_selector}
    given = {name: each for name, each in selectors.items() if each is not None}
    if bool(given) == (peer.ip_block is not None):
        found = " and ".join([*given, *(["ipBlock"] if peer.ip_block is not None else [])]) or "none of these"
        raise _Wrong(f"{field} has {found}; accepted is podSelector, namespaceSelector or both, or ipBlock alone")
    for name, selector in given.items():
        _selector(f"{field}.{name}", selector)
    if peer.ip_block is not None:
        _block(f"{field}.ipBlock", peer.ip_block)


def _selector(field: str, selector: LabelSelector) -> None:
    for number, each in enumerate(selector.match_expressions):
        place, wants = f"{field}.matchExpressions[{number}]", _WITH_VALUES.get(each.operator)
        if wants is None:
            raise _Wrong(f"{place}.operator is {each.operator[:100]!r}; accepted is one of {', '.join(_WITH_VALUES)}")
        if bool(each.values) != wants:
            accepted = "one or more" if wants else "none"
            raise _Wrong(f"{place}.values has {len(each.values)} values; accepted with {each.operator} are {accepted}")


def _block(field: str, block: IpBlock) -> None:
    whole = _prefix(f"{field}.cidr", block.cidr)
    for number, (text, hole) in enumerate(_prefixes(field, block.excluded)):
        if hole.version != whole.version or not hole.subnet_of(whole) or hole == whole:  # type: ignore[arg-type]
            raise _Wrong(f"{field}.except[{number}] is {text!r}; accepted is a smaller prefix inside of {block.cidr}")


def _prefixes(field: str, texts: tuple[str, ...]) -> Iterator[tuple[str, _Network]]:
    return ((text, _prefix(f"{field}.except[{number}]", text)) for number, text in enumerate(texts))


def _prefix(field: str, text: str) -> _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise _Wrong(
            f"{field} is {text[:100]!r} ({error}); accepted is a prefix without host bits as 10.0.0.0/8 or fd00::/64"
        ) from None


def _port(field: str, port: PolicyPort) -> None:
    if port.protocol not in _PROTOCOLS:
        raise _Wrong(f"{field}.protocol is {port.protocol[:100]!r}; accepted is one of {', '.join(_PROTOCOLS)}")
    if not 0 <= port.port <= _HIGHEST:
        raise _Wrong(f"{field}.port is {port.port}; accepted is 1 to {_HIGHEST}, or none")
    if port.port_name and (port.port or port.end_port):
        raise _Wrong(f"{field}.port is {port.port_name[:100]!r} beside numbers; accepted is a name alone")
    if port.end_port and not 0 < port.port <= port.end_port <= _HIGHEST:
        raise _Wrong(f"{field}.endPort is {port.end_port}; accepted is {port.port or 'a port number'} to {_HIGHEST}")
