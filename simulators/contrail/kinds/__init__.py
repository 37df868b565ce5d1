"""Rules of single types, one module per group of types that belong together."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.contrail.kinds import (
    addresses,
    firewall,
    interfaces,
    ipams,
    networks,
    policies,
    projects,
    routers,
    services,
    tags,
)
from simulators.contrail.kinds.rules import Rules

_NONE = Rules()
_RULES: Mapping[str, Rules] = {
    **addresses.RULES,
    **firewall.RULES,
    **interfaces.RULES,
    **ipams.RULES,
    **networks.RULES,
    **policies.RULES,
    **projects.RULES,
    **routers.RULES,
    **services.RULES,
    **tags.RULES,
}


def rules_of(type_: str) -> Rules:
    """Rules of a type; most types have none of their own."""
    return _RULES.get(type_, _NONE)
