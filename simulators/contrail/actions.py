"""What is neither an object nor a list: look-ups, permissions, addresses of a network, key-values (shell)."""

from __future__ import annotations

import uuid as uuids

from simulators.contrail.addressing import Request
from simulators.contrail.answers import Answer, Call, Refusal, internal, unknown_id
from simulators.contrail.changing import find
from simulators.contrail.references import type_named
from simulators.contrail.state import Item, State

_MODES = ("no-auth", "cloud-admin", "rbac")
_ACCESS = ("owner_access", "global_access")
_BY_HAND = "ip-alloc"
"""Owner of addresses that are taken without an object."""


def fqname_to_id(state: State, call: Call) -> Answer:
    """Uuid of an object by type and fq_name."""
    asked = call.fields()
    type_ = type_named(asked.get("type"))
    if not isinstance(asked.get("fq_name"), list):
        raise internal()
    found = state.named(type_, asked["fq_name"])
    if found is None:
        raise Refusal(404, f"Name {asked['fq_name']} not found")
    return Answer({"uuid": found.uuid})


def id_to_fqname(state: State, call: Call) -> Answer:
    """Type and fq_name of an object by uuid."""
    asked = call.fields()
    if "uuid" not in asked:
        raise internal()
    found = state.get(asked["uuid"])
    if found is None:
        raise Refusal(404, f"UUID {asked['uuid']} not found")
    return Answer({"fq_name": found.fq_name, "type": found.type})


def chown(state: State, call: Call) -> Answer:
    """Give an object to another owner."""
    asked = call.fields()
    item = _item(state, asked.get("uuid"))
    owner = str(asked.get("owner"))
    try:
        uuids.UUID(owner)
    except ValueError:
        raise Refusal(400, "Bad Request, invalid owner UUID") from None
    item.properties["perms2"] = item.properties["perms2"] | {"owner": owner}
    state.touch(item)
    return Answer({})


def chmod(state: State, call: Call) -> Answer:
    """Change who may do what with an object."""
    asked = call.fields()
    item = _item(state, asked.get("uuid"))
    perms = dict(item.properties["perms2"])
    for name in _ACCESS:
        if name in asked:
            if asked[name] not in range(8):
                raise Refusal(400, f"Bad Request, invalid {name} value")
            perms[name] = asked[name]
    perms |= {name: asked[name] for name in ("owner", "share") if name in asked}
    item.properties["perms2"] = perms
    state.touch(item)
    return Answer({})


def obj_perms(state: State, call: Call) -> Answer:
    """What the caller may do: everything, since nobody is asked who he is."""
    return Answer(
        {"token_info": None, "is_cloud_admin_role": False, "is_global_read_only_role": False, "permissions": "RWX"}
    )


def aaa_mode(state: State, call: Call) -> Answer:
    """Read or set the mode of authorization; it changes nothing here."""
    if call.method == "PUT":
        mode = call.fields().get("aaa-mode")
        if mode not in _MODES:
            raise internal()
        state.aaa_mode = mode
    return Answer({"aaa-mode": state.aaa_mode})


def useragent_kv(state: State, call: Call) -> Answer:
    """A small store of keys and values."""
    asked = call.fields()
    operation, key = asked.get("operation"), asked.get("key")
    if operation == "STORE":
        state.key_values[str(key)] = asked.get("value")
        return Answer()
    if operation not in ("RETRIEVE", "DELETE"):
        raise Refusal(404, f"Invalid Operation {operation}")
    if operation == "DELETE":
        state.key_values.pop(str(key), None)
        return Answer()
    if key is None:
        return Answer({"value": [{"key": k, "value": v} for k, v in sorted(state.key_values.items())]})
    if key not in state.key_values:
        raise Refusal(404, f"Unknown User-Agent key {key}")
    return Answer({"value": state.key_values[key]})


def documentation(state: State, call: Call) -> Answer:
    """The original has none installed."""
    raise Refusal(404, "File does not exist.")


def watch(state: State, call: Call) -> Answer:
    """The change feed, which the simulator does not have."""
    if not call.query.get("resource_type"):
        raise Refusal(400, "resource_type required in request")
    raise Refusal(501, "The simulator has no change feed")


def ip_alloc(state: State, uuid: str, call: Call) -> Answer:
    """Take addresses of a network without an object; what was taken before they ran out stays taken."""
    asked = call.fields()
    network = find(state, "virtual-network", uuid)
    family = asked.get("family") or ""
    request = Request(
        owner=_BY_HAND, name=network.fq_name, family=family, subnet_uuid=asked.get("subnet") or "", status=409
    )
    taken = [state.addressing.allocate(uuid, request)[0] for _ in range(int(asked.get("count") or 1))]
    return Answer({"ip_addr": taken})


def ip_free(state: State, uuid: str, call: Call) -> Answer:
    """Give back addresses that were taken so."""
    for address in call.fields().get("ip_addr") or ():
        state.addressing.free(uuid, None, address, _BY_HAND)
    return Answer()


def subnet_ip_count(state: State, uuid: str, call: Call) -> Answer:
    """How many addresses of subnets are taken; a subnet is named by its uuid, and any other name counts 0."""
    counts = dict.fromkeys(call.fields().get("subnet_list") or (), 0)
    for subnet_uuid, subnet in state.addressing.subnets(uuid):
        if subnet_uuid in counts:
            counts[subnet_uuid] += subnet.count
    return Answer({"ip_count_list": list(counts.values())})


def _item(state: State, uuid: object) -> Item:
    item = state.get(uuid)
    if item is None:
        raise unknown_id(uuid)
    return item
