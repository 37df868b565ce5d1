"""Security groups and network policies: their rules."""

from __future__ import annotations

import ipaddress

from simulators.contrail.answers import Json, Refusal
from simulators.contrail.drafts import Draft
from simulators.contrail.kinds.rules import Rules
from simulators.contrail.state import Item, State

GROUP = "security_group_entries"
POLICY = "network_policy_entries"
_NUMBER = "security_group_id"
_PROTOCOLS = frozenset(("any", "icmp", "tcp", "udp", "icmp6"))
_NOT_COMPARED = ("rule_uuid", "created", "last_modified")


def _create_group(state: State, draft: Draft) -> None:
    _check_rules(state, draft, GROUP)
    draft.properties[_NUMBER] = state.numbers.security_groups.take()


def _update_group(state: State, item: Item, draft: Draft) -> None:
    if draft.properties.get(_NUMBER, item.properties[_NUMBER]) != item.properties[_NUMBER]:
        raise Refusal(403, "Cannot update the security group ID")
    _check_rules(state, draft, GROUP)


def _delete_group(state: State, item: Item) -> None:
    state.numbers.security_groups.free(item.properties[_NUMBER])


def _create_policy(state: State, draft: Draft) -> None:
    _check_rules(state, draft, POLICY)


def _update_policy(state: State, item: Item, draft: Draft) -> None:
    _check_rules(state, draft, POLICY)


def _check_rules(state: State, draft: Draft, name: str) -> None:
    entries: dict[str, Json] = draft.properties.get(name) or {}
    rules = entries.get("policy_rule") or []
    seen: list[dict[str, Json]] = []
    for rule in rules:
        _check_protocol(rule)
        compared = {key: value for key, value in rule.items() if key not in _NOT_COMPARED}
        if compared in seen:
            raise Refusal(409, f"Rule already exists : {rule.get('rule_uuid')}")
        seen.append(compared)
        if name == GROUP:
            _check_sides(rule)
        elif not rule.get("action_list"):
            raise Refusal(400, "Action is required")
    if rules:
        numbered = [{**rule, "rule_uuid": rule.get("rule_uuid") or state.make_uuid("policy-rule")} for rule in rules]
        draft.properties[name] = {**entries, "policy_rule": numbered}


def _check_protocol(rule: dict[str, Json]) -> None:
    protocol = str(rule.get("protocol"))
    if protocol.isdigit() and int(protocol) <= 255:
        return
    if protocol not in _PROTOCOLS:
        raise Refusal(400, f"Rule with invalid protocol : {protocol}")


def _check_sides(rule: dict[str, Json]) -> None:
    addresses = [*(rule.get("src_addresses") or ()), *(rule.get("dst_addresses") or ())]
    if not any(address.get("security_group") == "local" for address in addresses):
        raise Refusal(400, "At least one of source or destination addresses must be 'local'")
    family = rule.get("ethertype")
    for address in addresses:
        subnet = address.get("subnet")
        if not subnet or not family:
            continue
        cidr = f"{subnet['ip_prefix']}/{subnet['ip_prefix_len']}"
        if f"IPv{ipaddress.ip_network(cidr, strict=False).version}" != family:
            raise Refusal(400, f"Rule subnet {cidr} doesn't match ethertype {family}")


RULES = {
    "security-group": Rules(create=_create_group, update=_update_group, delete=_delete_group),
    "network-policy": Rules(create=_create_policy, update=_update_policy),
}
