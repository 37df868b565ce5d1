"""What a pod adds to the ServiceChains of its namespace: a port-tuple for each service that it provides (pure).

The pod says which of its interfaces is which side, and links them to the port-tuple. These are Links, so its own
objects never wait for a chain's. Only a pod with several interfaces asks for chains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from schemas.contrail.objects import ContrailObject, Link
from schemas.records import ChainService, LabelRequirement, LabelSelector, PodRecord, ServiceChainRecord
from translator.notice import Notice, Outcome
from translator.resource import Key, Resource
from translator.translate import names
from translator.translate.interface import Plug
from translator.translate.membership import label_of
from translator.translate.names import Named
from translator.translate.owner import owner_annotations
from translator.translate.service_chain_ends import KIND, LEFT, RIGHT, SIDES, Ends, ends_of, instance, port_tuple
from translator.view import NotLoaded, View

NOT_PROVIDED = "ServiceNotProvided"
"""Reason of the notice of a pod that a service selects and that lacks an interface for it."""


class Duty(msgspec.Struct, frozen=True, gc=False):
    """The pod's interfaces, those that serve chains with their side; and what else follows."""

    plugs: tuple[Plug, ...]
    more: tuple[Outcome, ...] = ()


def duty(pod: Resource, plugs: tuple[Plug, ...], view: View) -> Duty:
    """What the pod does for chains, of the chains that are complete; those that are not speak for themselves."""
    sides: dict[str, str] = {}
    provided: list[tuple[Named, dict[str, str]]] = []
    notices: list[Notice] = []
    for chain, service, ends in _wanted(pod, view):
        found = _interfaces(service, ends, plugs)
        if wrong := _wrong(found, sides, ends):
            said = f"{label_of(pod)}: service {service.name!r} of {label_of(chain)} wants this pod, {wrong}"
            notices.append(Notice(NOT_PROVIDED, said))
            continue
        sides |= {name: side for side, name in found.items()}
        provided.append((instance(view.settings, pod.namespace, chain.name, service), found))
    if not sides:
        return Duty(plugs, tuple(notices))
    marked = tuple(
        msgspec.structs.replace(plug, side=sides[plug.name]) if plug.name in sides else plug for plug in plugs
    )
    by_name = {plug.name: plug for plug in plugs}
    made = [one for parent, found in provided for one in _tuple(pod, parent, found, by_name, view)]
    return Duty(marked, (*made, *notices))


def is_selected(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether the selector selects an object with these labels."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    return (value is not None) == (requirement.operator == "Exists")


def _wanted(pod: Resource, view: View) -> list[tuple[Resource, ChainService, Ends]]:
    """The services that select the pod, of chains with both networks; by name of the chain, in its order."""
    labels = cast(PodRecord, pod.body).labels
    found: list[tuple[Resource, ChainService, Ends]] = []
    missing = frozenset[Key]()
    for chain in view.list(KIND, pod.namespace):
        services = [
            service
            for service in cast(ServiceChainRecord, chain.body).services
            if is_selected(service.pod_selector, labels)
        ]
        try:
            ends = ends_of(chain, view) if services else None
        except NotLoaded as ask:  # one round loads what all chains ask for
            missing |= ask.keys
            continue
        if isinstance(ends, Ends):
            found += [(chain, service, ends) for service in services]
    if missing:
        raise NotLoaded(missing)
    return found


def _interfaces(service: ChainService, ends: Ends, plugs: Iterable[Plug]) -> dict[str, str]:
    """Name of the interface by side: the one that the chain names, else the first one in that side's network."""
    found = {}
    for side, wanted in ((LEFT, service.left_interface), (RIGHT, service.right_interface)):
        network = ends.of(side).network.fq_name
        fitting = [plug.name for plug in plugs if plug.network.fq_name == network]
        if chosen := [name for name in fitting if wanted in ("", name)]:
            found[side] = chosen[0]
    return found


def _wrong(found: Mapping[str, str], sides: Mapping[str, str], ends: Ends) -> str:
    """Why the pod cannot provide the service, '' if it can. An interface has one side, in all chains."""
    for side in SIDES:
        if side not in found:
            return f"which has no such interface in the {side} network {ends.of(side).network.joined}"
        if sides.get(found[side], side) != side:
            return f"whose interface {found[side]} is the {sides[found[side]]} one of a service already, not the {side}"
    return ""


def _tuple(
    pod: Resource, parent: Named, found: Mapping[str, str], plugs: Mapping[str, Plug], view: View
) -> Iterable[ContrailObject | Link]:
    """The port-tuple, and a link to it from each of the two interfaces."""
    named = port_tuple(view.settings, parent, pod.name, pod.uid)
    marks = owner_annotations(view.settings, "Pod", pod.namespace, pod.name, k8s_uuid=pod.uid)
    yield ContrailObject(
        named.type, named.fq_name, named.uuid, parent.type, {"annotations": marks}, parent_uuid=parent.uuid
    )
    for side in SIDES:
        plug = plugs[found[side]]
        owner = names.pod_interface(view.settings, pod.namespace, pod.name, pod.uid, plug.network, plug.name)
        yield Link(owner.type, owner.fq_name, named.type, named.fq_name, named.uuid, owner_uuid=owner.uuid)
