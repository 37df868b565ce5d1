"""NetworkPolicies of a namespace to what shall be in Contrail because of them (pure).

Asks for pods and other namespaces only where a policy cannot be said in labels (census.py): then, and only then, the
namespace is translated again with each pod or namespace that it asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import msgspec

from schemas.contrail.objects import Desired
from schemas.errors import TranslationError
from schemas.records import NetworkPolicyRecord
from translator.policy import admin, emit, guards, size
from translator.policy.census import Census, Members
from translator.policy.heads import heads
from translator.policy.model import Endpoint, Head, Rule, Tags
from translator.policy.place import Place, place_of
from translator.policy.product import rules_of
from translator.policy.room import MOST, MOST_SAID, TooLong
from translator.resource import Resource
from translator.translate import source_ranges
from translator.view import View


class Firewall(msgspec.Struct, frozen=True, gc=False):
    """The compiled policies of a namespace: both heads, the list that comes of them, and who carries which tag."""

    place: Place
    egress: Head
    ingress: Head
    rules: tuple[Rule, ...]
    members: Members


def compiled(namespace: Resource, policies: Sequence[Resource], view: View) -> Firewall | None:
    """The list of the namespace; None where no policy isolates anything: then nothing is enforced at all.

    Raises TranslationError for a list that is too long for Contrail: what was there before stays.
    """
    concern = admin.concern(namespace, view)
    try:
        return _compiled(namespace, policies, concern, view)
    except TooLong:
        raise TranslationError(_too_long(namespace, policies, concern)) from None


def _compiled(namespace: Resource, policies: Sequence[Resource], concern: admin.Concern, view: View) -> Firewall | None:
    if sum(_sizes(policies).values()) + sum(map(size.of_admin, concern.all)) > MOST_SAID:
        raise TooLong
    place, census = place_of(namespace, view.settings), Census(namespace, view)
    guarding = guards.decisions(source_ranges.of_namespace(namespace, view), view.settings)
    egress, ingress = heads(policies, concern, census, place, guarding)
    if not egress and not ingress:
        return None

    def own(wanted: Tags, inside: tuple[str, ...] = ()) -> Endpoint | None:
        return census.own_addresses(wanted, inside) if inside else place.own(wanted)

    return Firewall(place, egress, ingress, rules_of(egress, ingress, own), census.members)


def _sizes(policies: Sequence[Resource]) -> dict[str, int]:
    return {each.name: size.of_policy(cast(NetworkPolicyRecord, each.body)) for each in policies}


def _too_long(namespace: Resource, policies: Sequence[Resource], concern: admin.Concern) -> str:
    """The namespace, how much there is of what, and the largest."""
    sizes = _sizes(policies)
    largest = ", ".join(f"{name} ({sizes[name]})" for name in sorted(sizes, key=lambda name: (-sizes[name], name))[:5])
    return (
        f"Namespace {namespace.name}: its {len(sizes)} NetworkPolicies and {len(concern.all)} of administrators make "
        f"more than {MOST} firewall rules, pods by peers by ports of both directions, or too many pairs of these to "
        f"find out; accepted are {MOST} rules, because Contrail's API takes no longer list at once. What was compiled "
        f"before stays. The largest: {largest}"
    )


def translate(namespace: Resource, view: View) -> tuple[Desired, ...]:
    """Objects and links of the namespace's policies."""
    found = compiled(namespace, view.list("NetworkPolicy", namespace.name), view)
    if found is None:
        return ()
    used = {text for each in found.rules for end in (each.source, each.target) for text in end.tags}
    links = [link for text in sorted(used & found.members.keys()) for link in found.members[text].values()]
    return (*emit.policy_set(view.settings, namespace.name, found.rules), *links)
