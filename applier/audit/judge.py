"""Whether what Contrail has is what the store wants (pure): one object, or one link, at a time.

Only rows that were applied before the audit began are judged: the rest is the applier's work, not drift. What is not
ours is never judged changed, whatever it looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from applier.aliases import managed_fields
from applier.audit.values import Finding, Live, LiveLink, Problem, Wanted
from applier.compare import difference, is_same
from applier.owners import ROUTER
from applier.writer import OwnerMark
from schemas.contrail import wire
from schemas.contrail.objects import ContrailObject, Json, Link, joined
from schemas.contrail.types import type_of
from schemas.errors import ModelError

_NOT_COMPARED = frozenset({"id_perms"})
_LONGEST = 500
_MOST_FIELDS = 20
_MADE_BY_CONTRAIL = frozenset({("application-policy-set", "default-application-policy-set")})
"""Children that the server gives to objects of ours by itself: (type, name)."""


def fields_of(type_: str) -> tuple[str, ...]:
    """Fields of a type that a comparison may need."""
    known = type_of(type_)
    return tuple(sorted((known.properties.keys() - _NOT_COMPARED) | known.references.keys()))


def judge(live: Live, wanted: Wanted) -> Finding | None:
    """What is wrong with an object that the store wants and Contrail has; None if nothing is."""
    row = wanted.row
    if row.absent or not wanted.settled:
        return None
    if live.fq_name != row.contrail_fq_name:
        return differs(wanted, {"fq_name": [row.contrail_fq_name, live.fq_name]})
    try:
        desired = ContrailObject.from_body(row.type, row.contrail_fq_name, row.contrail_uuid, row.body)
        fields = wire.update_fields(desired)
    except ModelError:
        return None  # never sent, so never applied in this form: the row says so itself
    changes = difference(fields, live.fields, managed_fields(row.type, row.alias), wanted.linked)
    if not changes:
        return None
    return differs(wanted, {name: [fields.get(name), live.fields.get(name)] for name in sorted(changes)})


def missing(wanted: Wanted) -> Finding:
    """The finding of an object, link or entry that Contrail lacks."""
    return _found(wanted, Problem.MISSING, "is not in Contrail any more", {})


def judge_unknown(live: Live, *, mark: OwnerMark, parent: str | None) -> Finding | None:
    """What an object is that the store does not know; `parent` names the object of ours that it hangs below."""
    if mark.is_on(live.fields):
        annotations = live.annotations
        namespace = annotations.get("namespace", "")
        reason = "carries our mark, and nothing in the store wants it"
        detail = {"annotations": annotations, "needs": _needs(live)}
        return Finding(live.uuid, live.type, live.fq_name, namespace, Problem.ORPHAN, reason, detail)
    if parent is None or (live.type, live.fq_name.rpartition(":")[2]) in _MADE_BY_CONTRAIL:
        return None
    reason = f"hangs below {parent}, and is not ours: left alone"
    return Finding(live.uuid, live.type, live.fq_name, "", Problem.FOREIGN, reason)


def _needs(live: Live) -> dict[str, list[str]]:
    """Uuids of what the object refers to, by field, and of its parent: it goes before them."""
    known = type_of(live.type).references
    found = {name: sorted(ref["uuid"] for ref in live.fields.get(name) or ()) for name in sorted(known)}
    parent = [live.parent_uuid] if live.parent_uuid else []
    return {name: uuids for name, uuids in {**found, "parent": parent}.items() if uuids}


def judge_link(wanted: Wanted, live: Iterable[LiveLink]) -> Finding | None:
    """What is wrong with a link, given the references to its target that Contrail has."""
    link = Link.from_body(wanted.row.body)
    found = [reference for reference in live if is_from_owner(link, reference)]
    if not found:
        return missing(wanted)
    target = {"to": list(link.target_fq_name)}
    for reference in found:
        if is_same("link_refs", [{**target, "attr": link.attr}], [{**target, "attr": reference.attr}]):
            return None
    return differs(wanted, {"attr": [link.attr, found[0].attr]})


def is_from_owner(link: Link, live: LiveLink) -> bool:
    """Whether a reference is from the owner that the link names (see applier/owners.py)."""
    if live.owner_type != link.owner_type or live.target_uuid != link.target_uuid:
        return False
    if link.owner_uuid is not None:
        return live.owner_uuid == link.owner_uuid
    if link.trunk is not None:
        return True  # of which host, the applier finds out: a router that has the machine will do here
    if live.owner_fq_name == joined(link.owner_fq_name):
        return True
    if link.owner_type != ROUTER:
        return False
    by_address = bool(link.owner_address) and live.owner_address == link.owner_address
    return by_address or live.owner_fq_name.rpartition(":")[2].lower() == link.owner_fq_name[-1].lower()


def differs(wanted: Wanted, fields: Mapping[str, list[Json]]) -> Finding:
    """The finding of an object, link or entry that is not as it shall be: {field: [desired, live]}."""
    names = ", ".join(fields)
    detail = {name: [_cut(value) for value in values] for name, values in list(fields.items())[:_MOST_FIELDS]}
    return _found(wanted, Problem.CHANGED, f"differs in {names}", detail)


def _found(wanted: Wanted, problem: Problem, reason: str, detail: Mapping[str, Json]) -> Finding:
    row = wanted.row
    return Finding(row.uuid, row.type, row.fq_name, wanted.namespace, problem, reason, detail)


def _cut(value: Json) -> Json:
    """The value, or the begin of its text where it is long: a finding is for a person."""
    text = msgspec.json.encode(value, order="sorted").decode()
    return value if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
