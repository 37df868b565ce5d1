"""Pod to its virtual-machine, interfaces, addresses and the link from its node's virtual-router (pure).

Everything but the link exists as soon as the pod does; the link needs the node. What its annotations say now counts:
an attachment that comes, changes or goes later takes its interface with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

from schemas.contrail.objects import ContrailObject, FqName, Link
from schemas.contrail.trunk import Trunk
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import NamespaceRecord, NodeRecord, PodRecord
from translator.notice import Outcome
from translator.resource import Resource
from translator.translate import annotated, attachment, names, nested, pod_notices, selection, service_chain_pods, tags
from translator.translate.interface import Plug, hung, of_pod, plug, require_inside
from translator.translate.membership import Membership, label_of, pod_membership
from translator.translate.names import Named
from translator.translate.selection import Selection
from translator.translate.service_chain_pods import Duty
from translator.translate.tags import Worn
from translator.view import View

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"
"""Set by the kubelet on the API's copy of a pod that it runs from a file."""
ENDED = frozenset({"Succeeded", "Failed"})
_ASKING = frozenset({selection.NETWORKS, selection.ADDRESSES, selection.MAC})
_FIRST = "default"
"""What the first interface's annotation `network` says, whatever its network is."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NODE_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def translate(pod: Resource, view: View) -> tuple[Outcome, ...]:
    """Objects of the pod; none while its namespace is unknown, or when it needs no interface of ours.

    In nested mode none, too, before it is scheduled (see nested.py).
    """
    record = cast(PodRecord, pod.body)
    if not has_interface(record) or nested.waits_for_node(view.settings, record):
        return ()
    namespace = view.get("Namespace", "", pod.namespace)
    if namespace is None:
        return ()
    member = pod_membership(pod, namespace, view)
    objects, duty, worn = _made(pod, namespace, member, view)
    link = (_link(objects[0], record, view, nested.trunk_of(record.node_name, view)),) if record.node_name else ()
    noticed = pod_notices.notices(pod, view)
    return (*objects, *link, *member.shared, *duty.more, *worn.objects, *noticed)


def first_interface(pod: Resource, namespace: Resource, view: View) -> ContrailObject | None:
    """The pod's first interface as its translation makes it, for who asks more of it; None where that fails."""
    if nested.waits_for_node(view.settings, cast(PodRecord, pod.body)):
        return None
    try:
        objects, _, _ = _made(pod, namespace, pod_membership(pod, namespace, view), view)
    except TranslationError:
        return None
    return objects[1]


def _made(
    pod: Resource, namespace: Resource, member: Membership, view: View
) -> tuple[tuple[ContrailObject, ...], Duty, Worn]:
    """Machine, interfaces and addresses, with what the pod does in chains and the tags that it wears."""
    record, plugs = cast(PodRecord, pod.body), _plugs(pod, member, view)
    duty = service_chain_pods.duty(pod, plugs, view) if len(plugs) > 1 else Duty(plugs)
    inherited = cast(NamespaceRecord, namespace.body).labels if view.settings.project else {}
    worn = tags.of_pod(view.settings, pod.namespace, record.labels, inherited)
    trunk = nested.trunk_of(record.node_name, view)
    objects = of_pod(view.settings, pod.namespace, pod.name, pod.uid, hung(duty.plugs, trunk), worn)
    return objects, duty, worn


def interfaces(pod: Resource, view: View) -> tuple[Named, ...]:
    """The interfaces that the pod's translation gives it, by name; none where that gives none, or fails."""
    namespace = view.get("Namespace", "", pod.namespace)
    record = cast(PodRecord, pod.body)
    if namespace is None or not has_interface(record) or nested.waits_for_node(view.settings, record):
        return ()
    try:
        plugs = _plugs(pod, pod_membership(pod, namespace, view), view)
    except TranslationError:
        return ()
    names_of = (names.pod_interface(view.settings, pod.namespace, pod.name, pod.uid, p.network, p.name) for p in plugs)
    return tuple(names_of)


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for a pod that can have no machine or no link."""
    record = cast(PodRecord, event.body)
    if not has_interface(record):
        return
    if not _UUID.fullmatch(event.uid):
        raise TranslationError(
            f"Pod {event.namespace}/{event.name}: metadata.uid is {event.uid!r}; accepted is a lower-case uuid, "
            "because the virtual-machine takes it"
        )
    if record.node_name and not _NODE_NAME.fullmatch(record.node_name):
        raise TranslationError(
            f"Pod {event.namespace}/{event.name}: spec.nodeName is {record.node_name[:300]!r}; accepted is a name of "
            "at most 253 lower-case letters, digits, '-' and '.'"
        )
    held, label = record.annotations, f"Pod {event.namespace}/{event.name}"
    if annotated.NETWORK in held or annotated.NETWORK_CONNECT in held:
        annotated.require_network(label, held)
    if not held.keys().isdisjoint(_ASKING):
        selection.first_addresses(label, held)
        selection.first_mac(label, held)
        selection.selections(label, event.namespace, held)


def has_interface(record: PodRecord) -> bool:
    """Whether the pod has, or keeps, an interface of ours.

    Not one in the host's network, not the API's copy of a static pod (its sandbox has another uid), and no
    longer one that ended: its address is free again.
    """
    return not (record.host_network or record.phase in ENDED or is_mirror(record))


def is_mirror(record: PodRecord) -> bool:
    """Whether this is the API's copy of a static pod."""
    for owner in record.owners:
        if owner.kind == "Node":
            return True
    return MIRROR_ANNOTATION in record.annotations


def _plugs(pod: Resource, member: Membership, view: View) -> tuple[Plug, ...]:
    """The pod's interfaces: the first one, and one for each attachment of ours that is there."""
    held, network = cast(PodRecord, pod.body).annotations, member.network
    if held.keys().isdisjoint(_ASKING):
        return (plug(names.DEFAULT_INTERFACE, _FIRST, network, member.families),)
    label = label_of(pod)
    asked, mac = selection.first_addresses(label, held), selection.first_mac(label, held)
    if member.subnets:
        require_inside(f"{label}: annotation {selection.ADDRESSES}", asked, member.subnets)
    first = plug(names.DEFAULT_INTERFACE, _FIRST, network, member.families, asked, mac)
    return (first, *_attached(pod, selection.selections(label, pod.namespace, held), view))


def _attached(pod: Resource, wanted: tuple[Selection, ...], view: View) -> Iterator[Plug]:
    found = view.get_all([(attachment.KIND, each.namespace, each.name) for each in wanted])
    for each, definition in zip(wanted, found, strict=True):
        place = None if definition is None else _place(definition, view)
        if place is None:
            continue
        if place.subnets:
            asker = f"interface {each.interface} in {each.namespace}/{each.name}"
            label = f"{label_of(pod)}: annotation {selection.NETWORKS}: {asker}"
            require_inside(label, each.addresses, place.subnets)
        label = each.name if each.namespace == pod.namespace else f"{each.namespace}/{each.name}"
        yield plug(each.interface, label, place.network, place.families, each.addresses, each.mac)


def _place(definition: Resource, view: View) -> attachment.Place | None:
    """Where its interfaces belong; None, too, for one that an older version took in and nobody can read.

    Whoever looks for that finds it at the attachment itself: its translation fails, and says so.
    """
    try:
        return attachment.place_of(definition, view)
    except TranslationError:
        return None


def _link(machine: ContrailObject, record: PodRecord, view: View, trunk: Trunk | None) -> Link:
    """The virtual-router is found by its name, else by the node's address, or '' where nobody tells it.

    The pod tells it, too, and goes on when its node is gone: else the link could no longer be found to be taken away.
    In nested mode the virtual-router is that of the host on which the machine with the trunk runs.
    """
    node = view.get("Node", "", record.node_name)
    told = next((address for address in record.host_ips if "." in address), "")
    address = told if node is None else cast(NodeRecord, node.body).internal_address()
    return _router_link(record.node_name, address, machine.fq_name, machine.uuid, trunk)


@lru_cache(maxsize=4096)
def _router_link(node: str, address: str, machine: FqName, uuid: str, trunk: Trunk | None) -> Link:
    """Kept, because most events of a pod's life change nothing of it."""
    return Link(
        names.ROUTER, (names.GLOBAL_SYSTEM, node), names.MACHINE, machine, uuid, owner_address=address, trunk=trunk
    )
