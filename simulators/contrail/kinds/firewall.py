"""Firewall rules, policies and policy sets: endpoints become tag ids, protocols become numbers."""

from __future__ import annotations

from collections.abc import Mapping

from simulators.contrail.answers import Json, Refusal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.kinds.tags import type_number
from simulators.contrail.state import Item, State

_ENDPOINTS = ("endpoint_1", "endpoint_2")
_ENDPOINT_KINDS = ("tags", "address_group", "virtual_network", "subnet", "any")
_PROTOCOLS = {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}
_MATCHED_BY_DEFAULT = ("application",)
_GLOBAL = "global:"
_SERVICES = "service_group_firewall_service_list"
_ALL = "all_applications"


def _create_rule(state: State, draft: Draft) -> None:
    _check_rule(draft)
    if not draft.asked.get("service") and not draft.asked.get("service_group_refs"):
        raise Refusal(400, "Firewall Rule requires at least 'service' property or Service Group references(s)")
    _complete_rule(state, draft, _scope(draft.parent), {})
    if "match_tags" not in draft.properties:
        _match(state, draft, _MATCHED_BY_DEFAULT)


def _update_rule(state: State, item: Item, draft: Draft) -> None:
    _check_rule(draft)
    parent = state.get(item.parent_uuid)
    _complete_rule(state, draft, _scope(parent), item.properties)


def _check_rule(draft: Draft) -> None:
    asked = draft.asked
    if asked.get("tag_refs"):
        raise Refusal(
            400,
            "Cannot directly define Tags reference from a Firewall Rule. "
            "Use 'tags' endpoints property in the Firewall Rule",
        )
    if asked.get("service") and asked.get("service_group_refs"):
        raise Refusal(400, "Firewall Rule cannot have both defined 'service' property and Service Group reference(s)")
    for name in _ENDPOINTS:
        if sum(bool((asked.get(name) or {}).get(kind)) for kind in _ENDPOINT_KINDS) > 1:
            raise Refusal(400, "Endpoint is limited to only one endpoint type at a time")


def _scope(parent: Item | None) -> list[str]:
    """Where tags are looked for: in the project, or among the global ones."""
    return parent.fq_name if parent is not None and parent.type == "project" else []


def _complete_rule(state: State, draft: Draft, scope: list[str], known: Mapping[str, Json]) -> None:
    service = draft.properties.get("service")
    if service:
        draft.properties["service"] = _numbered(service)
    if (draft.properties.get("match_tags") or {}).get("tag_list") is not None:
        _match(state, draft, draft.properties["match_tags"]["tag_list"])
    if not any(name in draft.properties for name in _ENDPOINTS):
        return
    draft.references |= {"tag_refs": [], "address_group_refs": [], "virtual_network_refs": []}
    for name in _ENDPOINTS:
        endpoint = draft.properties.get(name, known.get(name))
        if not endpoint:
            continue
        tags = [_tag(state, text, scope) for text in endpoint.get("tags") or ()]
        for tag in tags:
            draft.refer("tag_refs", tag)
        for kind in ("address_group", "virtual_network"):
            target = state.named(kind.replace("_", "-"), (endpoint.get(kind) or "").split(":"))
            if target is not None:
                draft.refer(f"{kind}_refs", target)
        draft.properties[name] = {**endpoint, "tag_ids": [int(tag.properties["tag_id"], 16) for tag in tags]}


def _tag(state: State, text: str, scope: list[str]) -> Item:
    if text.startswith(_GLOBAL):
        scope, text = [], text.removeprefix(_GLOBAL)
    if "=" not in text:
        raise Refusal(404, f"Invalid tag name '{text}'")
    fq_name = [*scope, text]
    found = state.named("tag", fq_name)
    if found is None:
        raise Refusal(404, f"Unknown id: tag {':'.join(fq_name)}")
    return found


def _match(state: State, draft: Draft, names: tuple[str, ...] | list[str]) -> None:
    numbers = []
    for name in names:
        tag_type = state.named("tag-type", [name.lower()])
        if tag_type is None:
            raise Refusal(404, f"Unknown id: tag_type {name}")
        numbers.append(type_number(tag_type))
    draft.properties["match_tag_types"] = {"tag_type": numbers}


def _numbered(service: Mapping[str, Json]) -> dict[str, Json]:
    """A service with the number of its protocol, and all source ports where none are named."""
    protocol = str(service.get("protocol"))
    number = int(protocol) if protocol.isdigit() and int(protocol) <= 255 else _PROTOCOLS.get(protocol)
    if number is None:
        raise Refusal(400, f"Invalid protocol: {protocol}")
    return {**service, "protocol_id": number}


def _number_services(state: State, draft: Draft) -> None:
    services = draft.properties.get(_SERVICES)
    if services:
        numbered = [_numbered(service) for service in services.get("firewall_service") or ()]
        draft.properties[_SERVICES] = {**services, "firewall_service": numbered}


def _renumber_services(state: State, item: Item, draft: Draft) -> None:
    _number_services(state, draft)


def _find_members(target: str) -> Rules:
    """Policies of rules and sets of policies look for their members before anything else."""

    def named(state: State, draft: Draft) -> None:
        name = target.replace("-", "_")
        for reference in draft.asked.get(f"{name}_refs") or ():
            fq_name = reference.get("to") or []
            if state.named(target, fq_name) is None:
                raise Refusal(404, f"Unknown id: {name} {':'.join(fq_name)}")
        _check_all_applications(draft)

    return Rules(named=named, update=lambda state, item, draft: _check_all_applications(draft))


def _check_all_applications(draft: Draft) -> None:
    if draft.asked.get(_ALL) is not None:
        raise Refusal(400, "Application policy set 'all-applications' flag is read-only")


RULES = {
    "firewall-rule": Rules(create=_create_rule, update=_update_rule),
    "firewall-policy": _find_members("firewall-rule"),
    "application-policy-set": _find_members("firewall-policy"),
    "service-group": Rules(create=_number_services, update=_renumber_services),
}
