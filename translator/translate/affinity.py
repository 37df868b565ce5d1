"""Client affinity of a service: a client's connections go to one member (pure).

Nodes hash what the interface of a member tells them to, and that interface is its pod's. So a slice of such a service
asks for the interface of each member as the pod does, with the fields to hash beside: of two wishes for one object the
slice's counts, whose key is smaller (translator/merge.py), and the pod's again when nobody else has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from schemas.contrail.objects import ContrailObject
from schemas.records import ServiceRecord
from translator.resource import Resource
from translator.translate.pod import first_interface
from translator.view import View

_BY_CLIENT = {
    "hashing_configured": True,
    "source_ip": True,
    "destination_ip": True,
    "ip_protocol": False,
    "source_port": False,
    "destination_port": False,
}
"""What chooses the back-end of a connection: not the ports, which differ by connection."""


def is_asked(service: Resource) -> bool:
    """Whether connections of one client shall go to one member."""
    return cast(ServiceRecord, service.body).affinity_seconds > 0


def interfaces(pods: Iterable[Resource], namespace: Resource, view: View) -> Iterator[ContrailObject]:
    """Interfaces of these members, which send all that comes from one client the same way."""
    for pod in pods:
        if (interface := first_interface(pod, namespace, view)) is not None:
            yield replace(interface, properties={**interface.properties, "ecmp_hashing_include_fields": _BY_CLIENT})
