"""Annotations of ours, read strictly (pure).

A value that cannot be read is a TranslationError that names the object, the key, what was read and what is accepted.
`registry.require_well_formed` reads all of them before the fold, so an object keeps what it had before a bad one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from schemas.contrail.objects import FqName
from schemas.errors import TranslationError

ISOLATION = "opencontrail.org/isolation"
NETWORK = "opencontrail.org/network"
NETWORK_CONNECT = "opencontrail.org/network-connect"
"""Whether the network named by NETWORK, on the same object, is connected to the default services and the nodes."""
SNAT = "opencontrail.org/ip_fabric_snat"
FORWARDING = "opencontrail.org/ip_fabric_forwarding"
EXTERNAL_NETWORK = "opencontrail.org/external-network"
"""Network that a namespace's pod network is joined with by a router that translates addresses."""
POOL = "opencontrail.org/fip-pool"
HEALTH_CHECK = "opencontrail.org/health-check"
"""How the members of a service are checked (translator/translate/health_check.py)."""
APP = "opencontrail.org/name"
"""Label, not annotation: the app that a pod, workload or service belongs to."""

NETWORK_KEYS = ("domain", "project", "name")
POOL_KEYS = ("domain", "project", "network", "name")
_FAMILIES = ("v4", "v6")
_FLAGS = {"true": True, "false": False}
_LONGEST_PART = 253
"""Characters of a part of a name: what Kubernetes has for names, as they become keys of the store."""
# Beside what parts names: an escape may give a text that no store keeps, a NUL or half of a surrogate pair.
_NEVER = re.compile(r"[:\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def flag(label: str, annotations: Mapping[str, str], key: str) -> bool | None:
    """True or false, whatever the case of the letters; None if it is absent."""
    text = annotations.get(key)
    if text is None:
        return None
    value = _FLAGS.get(text.strip().lower())
    if value is None:
        raise unaccepted(label, key, text, "'true' or 'false'")
    return value


def network(label: str, annotations: Mapping[str, str], key: str = NETWORK) -> FqName | None:
    """fq_name of a network that is there already; None if the annotation is absent."""
    return _name(label, annotations, key, NETWORK_KEYS)


def pool(label: str, annotations: Mapping[str, str]) -> FqName | None:
    """fq_name of a floating-ip-pool that is there already; None if the annotation is absent."""
    return _name(label, annotations, POOL, POOL_KEYS)


def families(label: str, annotations: Mapping[str, str]) -> tuple[str, ...] | None:
    """Address families that the network named by NETWORK has, 'v4' first; None if that does not say."""
    text = annotations.get(NETWORK)
    if text is None:
        return None
    read = mapping(label, NETWORK, text, NETWORK_KEYS, ("families",)).get("families")
    if read is None:
        return None
    named = tuple(str(read).replace(",", " ").split())
    if not named or not set(named) <= set(_FAMILIES):
        raise unaccepted(label, NETWORK, text, "as 'families' one of 'v4', 'v6', 'v4,v6'")
    return tuple(sorted(set(named)))


def require_network(label: str, annotations: Mapping[str, str]) -> None:
    """Raise TranslationError unless everything about NETWORK can be read; to connect it, it must be named."""
    if flag(label, annotations, NETWORK_CONNECT) and NETWORK not in annotations:
        raise TranslationError(
            f"{label}: annotation {NETWORK_CONNECT} needs {NETWORK} beside it, which names the network"
        )
    network(label, annotations)
    families(label, annotations)


def mapping(label: str, key: str, text: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, str]:
    """Texts by name from JSON, or from the same with single quotes; all `required` ones and no unknown ones."""
    read = parsed(text)
    if isinstance(read, dict) and set(read) <= {*required, *optional}:
        given = {name: value for name, value in read.items() if isinstance(value, str) and _is_part(value)}
        if len(given) == len(read) and given.keys() >= set(required):
            return given
    shape = ", ".join(f'"{name}": "…"' for name in required)
    more = f" and perhaps {', '.join(optional)}" if optional else ""
    part = f"each of 1 to {_LONGEST_PART} characters without a ':' and control characters"
    raise unaccepted(label, key, text, f"{{{shape}}}{more}, {part}")


def unaccepted(label: str, key: str, text: str, accepted: str) -> TranslationError:
    """The error of an annotation: `label` names its object."""
    return TranslationError(f"{label}: annotation {key} is {text[:300]!r}; accepted is {accepted}")


def _name(label: str, annotations: Mapping[str, str], key: str, keys: Sequence[str]) -> FqName | None:
    text = annotations.get(key)
    if text is None:
        return None
    read = mapping(label, key, text, keys, ("families",) if key == NETWORK else ())
    return tuple(read[each] for each in keys)


def _is_part(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_PART and not _NEVER.search(text)


@lru_cache(maxsize=1024)
def parsed(text: str) -> object:
    """The value of JSON or of a literal with single quotes, None for neither; deep nesting is neither, too.

    Not to be changed: it is kept.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
