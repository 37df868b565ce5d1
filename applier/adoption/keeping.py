"""What becomes of an object that is taken over (pure): which fields stay as they are, and which are written.

What translation does not know of must survive: tags that firewall policies match by, route targets that a person set,
the MAC address that a running pod has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from applier.adoption.matching import Pair
from applier.adoption.objects import INTERFACE, NETWORK
from applier.aliases import BESIDE, Aliases, body_as_known, managed_fields
from applier.compare import difference, is_same, without_servers
from applier.rows import Alias
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Json, joined
from schemas.contrail.shapes import reference_field
from schemas.contrail.types import type_of
from schemas.errors import ModelError

_STAYING: Mapping[str, tuple[str, ...]] = {
    INTERFACE: ("virtual_machine_interface_mac_addresses",),
    # They decide how the network's pods reach others, and where their addresses come from.
    NETWORK: ("address_allocation_mode", "fabric_snat", "virtual_network_properties", "network_ipam_refs"),
}
"""Fields of a running pod's way, by type: they stay even where something else is desired."""
_EMPTY: tuple[Json, ...] = (None, [], {}, "")
_SEVERAL = "label"
"""The type of tag of which an object may have many."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """One pair put into practice: `changes` are fields that will be written, `stays` those that differ and stay.

    `alias` is None where the uuid is the same; `fault` says why it is impossible.
    """

    pair: Pair
    alias: Alias | None = None
    changes: tuple[str, ...] = ()
    stays: tuple[str, ...] = field(default=())
    fault: str = ""


def take_over(pairs: Iterable[Pair]) -> dict[str, Takeover]:
    """By the store's uuid, how each pair is put into practice."""
    pairs = list(pairs)
    aliases = {pair.wanted.uuid: alias for pair in pairs if (alias := _plain_alias(pair)) is not None}
    return {pair.wanted.uuid: _take_over(pair, aliases) for pair in pairs}


def _plain_alias(pair: Pair) -> Alias | None:
    wanted, live = pair.wanted, pair.live
    if live.uuid == wanted.uuid:
        return None
    if wanted.alias is not None and wanted.alias.contrail_uuid == live.uuid:
        return wanted.alias
    return Alias(wanted.uuid, wanted.type, wanted.fq_name, live.uuid, joined(live.fq_name))


def _take_over(pair: Pair, aliases: Aliases) -> Takeover:
    wanted, live = pair.wanted, pair.live
    alias = aliases.get(wanted.uuid)
    try:
        if alias is not None and alias is not wanted.alias:
            alias = _keep(alias, pair, aliases)
        known = _fields(pair, alias, aliases)
        changes = difference(known, live.fields, managed_fields(wanted.type, alias))
    except ModelError as error:
        return Takeover(pair, alias, fault=f"it would break the model: {error}")
    stays = sorted({*(alias.kept if alias else ()), *(_fixed(pair) if alias else ())})
    return Takeover(pair, alias, tuple(sorted(changes)), tuple(stays))


def _keep(alias: Alias, pair: Pair, aliases: Aliases) -> Alias:
    wanted, live = pair.wanted, pair.live
    desired = _fields(pair, alias, aliases)
    kept: dict[str, Json] = {
        name: without_servers(live.fields[name])
        for name in _STAYING.get(wanted.type, ())
        if live.fields.get(name) not in _EMPTY and not is_same(name, desired.get(name), live.fields[name])
    }
    if wanted.type == INTERFACE and live.pairs.get("index") not in (None, wanted.pair("index")):
        kept["annotations"] = live.fields["annotations"]  # the agent on the node counts the pod's interfaces by it
    for name, refs in desired.items():
        if name.endswith("_refs") and name not in kept and (more := _beyond(refs, live.fields.get(name) or ())):
            kept[name] = without_servers(_beside(refs, more) if name in BESIDE else [*refs, *more])
    undesired = (name for name in wire.managed_fields(wanted.type) if name not in desired)
    kept |= {name: None for name in undesired if live.fields.get(name) not in _EMPTY}
    return Alias(alias.uuid, alias.type, alias.fq_name, alias.contrail_uuid, alias.contrail_fq_name, kept)


def _beyond(desired: Sequence[Json], there: Sequence[Json]) -> list[Json]:
    """References that somebody added to those that are desired: a policy on a network, a group on an interface."""
    names = [ref["to"] for ref in desired]
    return [{"to": ref["to"], "uuid": ref["uuid"], "attr": ref.get("attr")} for ref in there if ref["to"] not in names]


def _beside(desired: Sequence[Json], more: Sequence[Json]) -> list[Json]:
    """Tags that may stay: of the type by which an interface chooses its rules it can have one, and that is ours."""
    ours = {_tag_type(ref) for ref in desired} - {_SEVERAL}
    return [ref for ref in more if _tag_type(ref) not in ours]


def _tag_type(reference: Json) -> str:
    return str(reference["to"][-1]).partition("=")[0]


def _fields(pair: Pair, alias: Alias | None, aliases: Aliases) -> wire.Fields:
    wanted, live = pair.wanted, pair.live
    body = body_as_known(wanted.type, wanted.body, alias, aliases)
    return wire.update_fields(ContrailObject.from_body(wanted.type, joined(live.fq_name), live.uuid, body))


def _fixed(pair: Pair) -> set[str]:
    """Fields that cannot change and are not as desired."""
    known = type_of(pair.wanted.type).properties
    desired, live = pair.wanted.body["properties"], pair.live.fields
    return {
        name
        for name, value in desired.items()
        if name in known and known[name].fixed and live.get(name) not in _EMPTY and not is_same(name, value, live[name])
    }


def fields_of(type_: str) -> tuple[str, ...]:
    """All properties and references of a type: what must be read to compare."""
    known = type_of(type_)
    return tuple(sorted({*known.properties, *(reference_field(rule.target) for rule in known.references.values())}))
