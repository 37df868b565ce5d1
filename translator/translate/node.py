"""Node to its virtual-router, where the settings say that we make it (pure).

Else it belongs to whoever installs the vrouter there; pods read the node's address through the view.
"""

from __future__ import annotations

from typing import cast

from schemas.contrail.objects import ContrailObject, Desired, joined
from schemas.identity import object_uuid
from schemas.records import NodeRecord
from translator.resource import Resource
from translator.translate import names
from translator.translate.owner import owner_annotations
from translator.view import View


def translate(node: Resource, view: View) -> tuple[Desired, ...]:
    """The virtual-router, once the node has an address; no objects if others make it."""
    settings, address = view.settings, cast(NodeRecord, node.body).internal_address()
    if not settings.virtual_routers or not address:
        return ()
    fq_name = (names.GLOBAL_SYSTEM, node.name)
    properties = {
        "annotations": owner_annotations(settings, "Node", "", node.name, k8s_uuid=node.uid),
        "virtual_router_ip_address": address,
    }
    uuid = object_uuid(settings.cluster, names.ROUTER, joined(fq_name))
    return (ContrailObject(names.ROUTER, fq_name, uuid, names.GLOBAL_SYSTEM_TYPE, properties),)
