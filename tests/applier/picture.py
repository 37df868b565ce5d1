"""What Contrail has, so that two runs that ended alike are equal: without times, and what it chose by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from schemas.contrail.types import TYPES
from simulators.contrail.rendering import View, whole
from simulators.contrail.server import ContrailSimulator

_CHOSEN = frozenset(
    {
        "instance_ip_address",
        "floating_ip_address",
        "alias_ip_address",
        "virtual_network_network_id",
        "security_group_id",
        "tag_id",
        "tag_ids",
        "tag_type_id",
        "rule_uuid",
        "subnet_uuid",
    }
)
"""Numbers, addresses and ids that the server gives out: which object gets which depends on the order of creation."""
_UNIQUE = ("instance_ip_address", "floating_ip_address", "alias_ip_address", "virtual_network_network_id", "tag_id")
_UUID_LENGTH = 36

Picture = dict[str, list[Any]]


def picture(contrail: ContrailSimulator, ours: Collection[str]) -> Picture:
    """All objects by type, with children and back references; of uuids only `ours` are shown.

    Fails if the server gave out anything twice.
    """
    view = View(base=None)
    objects = contrail.ask(lambda state: {t: [whole(state, item, view) for item in state.of_type(t)] for t in TYPES})
    for name in _UNIQUE:
        given = Counter(found[name] for of_type in objects.values() for found in of_type if found.get(name))
        assert not (twice := [value for value, times in given.items() if times > 1]), f"{name} twice: {twice}"
    return {type_: sorted((_shown(o, frozenset(ours)) for o in found), key=repr) for type_, found in objects.items()}


def differences(found: Picture, wanted: Picture) -> list[str]:
    """What is in one picture and not in the other, for a person."""
    lines = []
    for type_ in TYPES:
        lines += [f"{type_} should not be so: {o}" for o in found[type_] if o not in wanted[type_]]
        lines += [f"{type_} is missing: {o}" for o in wanted[type_] if o not in found[type_]]
        if len(found[type_]) != len(wanted[type_]):
            lines.append(f"{len(found[type_])} of {type_} instead of {len(wanted[type_])}")
    return lines


def _shown(value: Any, ours: frozenset[str]) -> Any:
    if isinstance(value, dict):
        kept = {name: _shown(part, ours) for name, part in sorted(value.items()) if name != "id_perms"}
        return {name: "chosen" if name in _CHOSEN and part else part for name, part in kept.items() if part != []}
    if isinstance(value, list):
        return sorted((_shown(part, ours) for part in value), key=repr)
    if isinstance(value, str) and len(value) == _UUID_LENGTH and value.count("-") == 4 and value not in ours:
        return "another's"
    return value
