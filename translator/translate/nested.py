"""Nested mode: pods are VLAN sub-interfaces of the interface of the virtual machine that their node is (pure).

Contrail changes neither the parent nor the tag of an interface that is there, so a pod has none before it is scheduled;
afterwards it never changes its node. Which interface the node's is, is named by an annotation of the Node, or found by
the applier by the node's address; the applier also chooses the tag, because that needs a memory (docs/decisions.md).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from schemas.contrail.objects import Desired, Link
from schemas.contrail.trunk import Trunk
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.records import NodeRecord, PodRecord, SettingsRecord
from translator.resource import SETTINGS
from translator.translate import names, networks
from translator.translate.names import Foreign
from translator.translate.owner import owner_annotations
from translator.view import View

INTERFACE = "opencontrail.org/interface"
"""Annotation of a Node: uuid, or colon-joined fq_name, of the virtual-machine-interface that the machine has."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DEPTH = 3


def waits_for_node(settings: SettingsRecord, pod: PodRecord) -> bool:
    """Whether nothing can be made for the pod yet: its interface would be without a parent for ever."""
    return settings.nested and not pod.node_name


def trunk_of(node_name: str, view: View) -> Trunk | None:
    """The interface that carries the node's pods, as far as Kubernetes tells; None outside of nested mode."""
    settings = view.settings
    if not settings.nested:
        return None
    node = view.get("Node", "", node_name)
    record = NodeRecord() if node is None else cast(NodeRecord, node.body)
    return _trunk(node_name, record.annotations.get(INTERFACE, ""), record.internal_address(), settings.nested_network)


@lru_cache(maxsize=8192)
def _trunk(node: str, interface: str, address: str, network: str) -> Trunk:
    """What names the interface leaves nothing else to be looked for by."""
    return Trunk(node, interface=interface) if interface else Trunk(node, address=address, network=network)


def require_well_formed_node(event: ChangeEvent) -> None:
    """Raise TranslationError for a Node whose annotation names no interface."""
    text = cast(NodeRecord, event.body).annotations.get(INTERFACE)
    if text is None or _UUID.fullmatch(text):
        return
    parts = text.split(":")
    if len(parts) != _DEPTH or not all(parts):
        raise TranslationError(
            f"Node {event.name}: annotation {INTERFACE} is {text[:300]!r}; accepted is the lower-case uuid of a "
            "virtual-machine-interface, or its name as domain:project:interface"
        )


def underlay(settings: SettingsRecord) -> tuple[Desired, ...]:
    """That policy, and the Link that puts the machines' network, which is not ours, under it."""
    if not settings.nested_network:
        return ()
    named = names.nested_policy(settings)
    machines = Foreign(names.NETWORK, tuple(settings.nested_network.split(":")))
    marks = owner_annotations(settings, SETTINGS, "", settings.cluster)
    source, project = {"network_policy": named.joined}, names.default_project(settings)
    return (
        networks.policy(settings, named, project, source, machines.joined, marks),
        Link(machines.type, machines.fq_name, named.type, named.fq_name, named.uuid, attr=networks.SEQUENCE),
    )
