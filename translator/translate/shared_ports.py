"""The one mapping of ports that a service has where there can be only one for all of its members (pure).

A public address, and a balancer's listener, lead all members to one port. Where members resolve a named port
differently, those of the mapping that most of them share are behind it.
"""

from __future__ import annotations

from collections import Counter
from typing import cast

from schemas.records import EndpointSliceRecord, ServiceRecord
from translator.resource import Resource
from translator.translate.service_ports import Ports, is_fixed, resolve
from translator.view import View

FAMILY = {"IPv4": "v4", "IPv6": "v6"}
"""Address family by a slice's address type; slices of host names have none."""


def most_shared(service: Resource, view: View, *, family: str = "") -> Ports:
    """The mapping that most endpoints share, of one family or all: of the ready ones, else of those that still serve.

    Pods that have none of the ports do not count beside others, however many they are: nothing leads to them. Only
    where a slice has a say in it, all slices are looked at.
    """
    record = cast(ServiceRecord, service.body)
    if is_fixed(record):
        return resolve(record)
    families = (family,) if family else tuple(FAMILY.values())
    ready, ending = Counter[Ports](), Counter[Ports]()
    for each in view.list("EndpointSlice", service.namespace):
        slice_ = cast(EndpointSliceRecord, each.body)
        if slice_.service == service.name and FAMILY.get(slice_.address_type) in families:
            ports = resolve(record, slice_.ports)
            ready[ports] += sum(each.ready or record.publish_not_ready for each in slice_.endpoints)
            ending[ports] += sum(each.serving and each.terminating for each in slice_.endpoints)
    return min(
        ready,
        key=lambda ports: (not ports.mappings, -ready[ports], -ending[ports], ports.resolved),
        default=resolve(record),
    )
