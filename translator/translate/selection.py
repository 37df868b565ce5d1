"""What a pod's annotations ask of its interfaces: attachments, addresses and MACs (pure).

Attachments are asked for as every tool of the Network Plumbing Working Group reads them: a comma list of
`[namespace/]name[@interface]`, or JSON objects. An interface that is given no name gets the one that Multus would give:
`net` and its place in the list, counted from 1, whatever else the list holds.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from schemas.contrail.objects import Json
from translator.translate import annotated, names

NETWORKS = "k8s.v1.cni.cncf.io/networks"
ADDRESSES = "opencontrail.org/ips"
"""Addresses of the first interface: one, or one of each family."""
MAC = "opencontrail.org/mac"
"""MAC of the first interface."""
MOST = 64
"""Attachments of one pod."""

_LIST = f"a comma list of [namespace/]name[@interface], or a JSON list of objects, {MOST} at most"
_OBJECT = (
    '"name" and, if wanted, "namespace", "interface" (15 letters, digits, or ._-), "ips" (one of each family) and "mac"'
)
_IPS = "one address, or one of each family, as a comma list or a JSON list"
_MAC = "six hexadecimal bytes with ':', not a group's"
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_INTERFACE = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.-]{1,15}")
_WORD = re.compile(r"(?:([^/@]*)/)?([^/@]*)(?:@([^/@]*))?")
_HEXADECIMAL = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


class Selection(msgspec.Struct, frozen=True, gc=False):
    """One attachment that a pod asks for; no `addresses` and '' as `mac` where it leaves them to us.

    `addresses` are in canonical form, one of a family at most, IPv4 first.
    """

    namespace: str
    name: str
    interface: str
    addresses: tuple[str, ...] = ()
    mac: str = ""


class _Wrong(Exception):
    """What would have been accepted."""


def selections(label: str, namespace: str, annotations: Mapping[str, str]) -> tuple[Selection, ...]:
    """Attachments that a pod of this namespace asks for, in order; raises TranslationError."""
    text = annotations.get(NETWORKS)
    if not text:
        return ()
    try:
        return _selections(namespace, text)
    except _Wrong as wrong:
        raise annotated.unaccepted(label, NETWORKS, text, str(wrong)) from None


def first_addresses(label: str, annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses that the pod's first interface asks for; raises TranslationError."""
    text = annotations.get(ADDRESSES)
    if text is None:
        return ()
    read = annotated.parsed(text)
    try:
        return _addresses(read if isinstance(read, list | str) else text.split(","))
    except _Wrong:
        raise annotated.unaccepted(label, ADDRESSES, text, _IPS) from None


def first_mac(label: str, annotations: Mapping[str, str]) -> str:
    """MAC that the pod's first interface asks for, '' if none; raises TranslationError."""
    text = annotations.get(MAC)
    try:
        return "" if text is None else _mac(text)
    except _Wrong:
        raise annotated.unaccepted(label, MAC, text or "", _MAC) from None


@lru_cache(maxsize=1024)
def _selections(namespace: str, text: str) -> tuple[Selection, ...]:
    if text.lstrip()[:1] in ("[", "{"):
        entries = annotated.parsed(text)
    else:
        entries = [_entry(word.strip()) for word in text.split(",")] if text.strip() else []
    if not isinstance(entries, list) or len(entries) > MOST:
        raise _Wrong(_LIST)
    found = tuple(_selection(namespace, entry, f"net{place}") for place, entry in enumerate(entries, 1))
    used = [names.DEFAULT_INTERFACE, *(each.interface for each in found)]
    if twice := sorted({name for name in used if used.count(name) > 1}):
        raise _Wrong(f"another name for each interface, but {twice[0]} is there twice")
    return found


def _entry(word: str) -> Json:
    """The object that one word of a comma list stands for."""
    match = _WORD.fullmatch(word)
    if match is None:
        raise _Wrong(_LIST)
    given = zip(("namespace", "name", "interface"), match.groups(), strict=True)
    return {key: value for key, value in given if value is not None}


def _selection(namespace: str, entry: Json, interface: str) -> Selection:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise _Wrong(_LIST if not isinstance(entry, dict) else _OBJECT)
    return Selection(
        _text(_NAMESPACE, entry.get("namespace", namespace)),
        _text(_NAME, entry["name"]),
        _text(_INTERFACE, entry.get("interface", interface)),
        _addresses(entry.get("ips") or []),
        _mac(entry["mac"]) if entry.get("mac") is not None else "",
    )


def _text(form: re.Pattern[str], value: Json) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _Wrong(_OBJECT)
    return value


def _addresses(given: Json) -> tuple[str, ...]:
    """Addresses in canonical form; a prefix length is left out, because the network's subnet says it."""
    texts = [given] if isinstance(given, str) else given
    read = [_address(each) for each in texts] if isinstance(texts, list) else []
    if not isinstance(texts, list) or len({address.version for address in read}) < len(read):
        raise _Wrong(f'as "ips" {_IPS}')
    return tuple(str(address) for address in sorted(read, key=lambda address: address.version))


def _address(text: Json) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_interface(text.strip()).ip
    except (AttributeError, ValueError):
        raise _Wrong(f'as "ips" {_IPS}') from None
    if address.is_multicast or address.is_loopback or address.is_unspecified or address.is_link_local:
        raise _Wrong('as "ips" addresses that a pod can have')
    return address


def _mac(text: Json) -> str:
    mac = text.strip().lower() if isinstance(text, str) else ""
    if not _HEXADECIMAL.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise _Wrong(f'as "mac" {_MAC}')
    return mac
