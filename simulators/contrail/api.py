"""From a call to an answer: the paths of the API, and what each leads to (shell of the state)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from schemas.contrail.shapes import CONFIG_ROOT
from schemas.contrail.types import TYPES
from simulators.contrail import actions, changing, creating, elements, listing, references, tagging
from simulators.contrail.answers import Answer, Call, Json, Refusal, internal, not_allowed
from simulators.contrail.rendering import View, whole
from simulators.contrail.state import State

logger = logging.getLogger(__name__)

_Action = Callable[[State, Call], Answer]
_NetworkAction = Callable[[State, str, Call], Answer]
_ACTIONS: Mapping[str, Mapping[str, _Action]] = {
    "prop-collection-get": {"GET": elements.prop_collection_get},
    "prop-collection-update": {"POST": elements.prop_collection_update},
    "ref-update": {"POST": references.ref_update},
    "ref-relax-for-delete": {"POST": references.ref_relax},
    "fqname-to-id": {"POST": actions.fqname_to_id},
    "id-to-fqname": {"POST": actions.id_to_fqname},
    "useragent-kv": {"POST": actions.useragent_kv},
    "list-bulk-collection": {"POST": listing.list_bulk},
    "obj-perms": {"GET": actions.obj_perms},
    "chown": {"POST": actions.chown},
    "chmod": {"POST": actions.chmod},
    "aaa-mode": {"GET": actions.aaa_mode, "PUT": actions.aaa_mode},
    "watch": {"GET": actions.watch},
    "set-tag": {"POST": tagging.set_tag},
    "documentation/index.html": {"GET": actions.documentation},
}
_NETWORK_ACTIONS: Mapping[str, _NetworkAction] = {
    "ip-alloc": actions.ip_alloc,
    "ip-free": actions.ip_free,
    "subnet-ip-count": actions.subnet_ip_count,
}
_LINKED = {"fqname-to-id": "name-to-id", "id-to-fqname": "id-to-name", "useragent-kv": "useragent-keyvalue"}
"""Actions that the home page calls otherwise."""
_NOT_LINKED = {("documentation/index.html", "GET"), ("aaa-mode", "GET"), ("watch", "GET")}
_OF_COLLECTION = ("GET", "POST")
_OF_OBJECT = ("GET", "HEAD", "PUT", "DELETE")
_COLLECTIONS = {f"{type_}s": type_ for type_ in TYPES if type_ != CONFIG_ROOT}


def answer(state: State, call: Call) -> Answer:
    """The answer to any call; whatever goes wrong is an answer too."""
    try:
        return _dispatch(state, call)
    except Refusal as refusal:
        return Answer(status=refusal.status, text=refusal.text)
    except Exception:
        # The original, too, answers requests of a shape that it does not foresee in this way.
        logger.warning("request not foreseen method=%s path=%s", call.method, call.path, exc_info=True)
        unforeseen = internal()
        return Answer(status=unforeseen.status, text=unforeseen.text)


def object_type_of(path: str) -> str:
    """Type or action that a path is about, for counting: 'virtual-network', 'ref-update'."""
    first = path.strip("/").partition("/")[0]
    return _COLLECTIONS.get(first, first)


def _dispatch(state: State, call: Call) -> Answer:
    path = call.path.strip("/")
    if path in _ACTIONS:
        action = _ACTIONS[path].get(call.method)
        return action(state, call) if action else not_allowed(_ACTIONS[path])
    if path in _COLLECTIONS:
        return _on_collection(state, _COLLECTIONS[path], call)
    first, _, rest = path.partition("/")
    if first in TYPES and rest and "/" not in rest:
        return _on_object(state, first, rest, call)
    uuid, _, action_name = rest.partition("/")
    if first == "virtual-network" and action_name in _NETWORK_ACTIONS and call.method == "POST":
        return _NETWORK_ACTIONS[action_name](state, uuid, call)
    if not path and call.method in ("GET", "HEAD"):
        return _home(call.base)
    raise Refusal(404, f"Not found: '{call.path}'")


def _on_collection(state: State, type_: str, call: Call) -> Answer:
    if call.method == "GET":
        return listing.list_objects(state, type_, call)
    if call.method == "POST":
        return creating.create(state, type_, call)
    return not_allowed(_OF_COLLECTION)


def _on_object(state: State, type_: str, uuid: str, call: Call) -> Answer:
    if call.method in ("GET", "HEAD"):
        return _read(state, type_, uuid, call)
    if call.method == "PUT":
        return changing.update(state, type_, uuid, call)
    if call.method == "DELETE":
        return changing.delete(state, type_, uuid, call)
    return not_allowed(_OF_OBJECT)


def _read(state: State, type_: str, uuid: str, call: Call) -> Answer:
    item = changing.find(state, type_, uuid)
    if call.if_none_match and call.if_none_match.strip('"') == item.last_modified:
        return Answer(status=304)
    headers = {"Etag": f'"{item.last_modified}"'}
    return Answer({type_: whole(state, item, View.of(call.query, call.base))}, headers=headers)


def _home(base: str) -> Answer:
    links = [_link("documentation", f"{base}/documentation/index.html", "documentation", "GET")]
    links.append(_link("root", f"{base}/{CONFIG_ROOT}", CONFIG_ROOT, None))
    for plural, type_ in _COLLECTIONS.items():
        links.append(_link("collection", f"{base}/{plural}", type_, None))
        links.append(_link("resource-base", f"{base}/{type_}", type_, None))
    for path, methods in _ACTIONS.items():
        for method in methods:
            if (path, method) not in _NOT_LINKED:
                links.append(_link("action", f"{base}/{path}", _LINKED.get(path, path), method))
    for name in _NETWORK_ACTIONS:
        links.append(_link("action", f"{base}/virtual-network/%s/{name}", f"virtual-network-{name}", "POST"))
    return Answer({"href": base, "links": links})


def _link(rel: str, href: str, name: str, method: str | None) -> Json:
    return {"link": {"rel": rel, "href": href, "name": name, "method": method}}
