"""Load-balancer objects: a balancer, its listeners, their pools and members, as svc-monitor reads them (pure).

svc-monitor, Contrail's own process, turns them into what forwards: of provider `native` into floating-ips, of
`opencontrail` into HAProxy processes. It asks for keys that may well be null, but must be there. All of a balancer
hangs on its uuid: it can neither move to another interface nor a listener to another port, so that each is another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from schemas.contrail.objects import ContrailObject, Json
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.translate import names
from translator.translate.names import Known, Named

BALANCER = "loadbalancer"
LISTENER = "loadbalancer-listener"
POOL = "loadbalancer-pool"
MEMBER = "loadbalancer-member"
NATIVE = "native"
"""Provider whose balancers are floating-ips."""
HAPROXY = "opencontrail"
"""Provider whose balancers are HAProxy processes on two nodes, one of which takes over for the other."""
DEVICE_OWNER = "K8S:LOADBALANCER"
"""By the owner of its interface svc-monitor knows that several listeners of a balancer may share a port."""


class Balancer(msgspec.Struct, frozen=True, gc=False):
    """What all objects of one balancer are made from: itself, its project, and their owner annotations."""

    named: Named
    project: Known
    marks: Mapping[str, Json]


class Port(msgspec.Struct, frozen=True, gc=False):
    """A port of a balancer: `protocol` as listeners know them, and a key that tells apart what shares the port."""

    protocol: str
    number: int
    key: str = ""
    unique: bool = True
    """Whether no other listener of the balancer has the port: then its name holds no uuid."""


def balancer_uuid(settings: SettingsRecord, uid: str, network: Known) -> str:
    """The balancer's uuid: the uid of what it is made for, as the original has it; another one in another network."""
    key = names.part_key(settings, uid, BALANCER, network)
    return uid if "@" not in key else object_uuid(settings.cluster, BALANCER, key)


def balancer(of: Balancer, interface: Named, provider: str, address: str, addressing: Iterable[str]) -> ContrailObject:
    """The balancer itself, listening at `address` of this interface.

    `addressing` are the uuids of what gives the interface its addresses: svc-monitor looks at them when it is told of
    the balancer, so they come first and go last.
    """
    properties = {
        "annotations": of.marks,
        "loadbalancer_provider": provider,
        "loadbalancer_properties": {
            "admin_state": True,
            "operating_status": "ONLINE",
            "provisioning_status": "ACTIVE",
            "vip_address": address,
            "vip_subnet_id": None,
        },
    }
    made = _object(of.named, of.project, properties, interface)
    return replace(made, needs=tuple(sorted(addressing)))


def listener(
    settings: SettingsRecord, of: Balancer, port: Port, marks: Mapping[str, Json], **tls: Json
) -> ContrailObject:
    """The listener of a port; `tls` are `default_tls_container` and `sni_containers`, if it ends TLS."""
    properties = {
        "annotations": marks,
        "loadbalancer_listener_properties": {
            "admin_state": True,
            "connection_limit": None,
            "default_tls_container": None,
            "protocol": port.protocol,
            "protocol_port": port.number,
            "sni_containers": [],
            **tls,
        },
    }
    return _object(_named(settings, of, LISTENER, port), of.project, properties, of.named)


def pool_name(settings: SettingsRecord, of: Balancer, port: Port) -> Named:
    """The pool behind a port's listener; it has the listener's name."""
    return _named(settings, of, POOL, port)


def pool(
    settings: SettingsRecord, of: Balancer, port: Port, protocol: str, marks: Mapping[str, Json]
) -> ContrailObject:
    """The pool of a port, whose members speak `protocol`."""
    properties = {
        "annotations": marks,
        "loadbalancer_pool_properties": {
            "admin_state": True,
            "loadbalancer_method": "ROUND_ROBIN",
            "protocol": protocol,
        },
    }
    return _object(pool_name(settings, of, port), of.project, properties, _named(settings, of, LISTENER, port))


def member(
    settings: SettingsRecord, pool: Named, key: str, port: int, marks: Mapping[str, Json], address: str
) -> ContrailObject:
    """A member of a pool at an address, `key` among the others."""
    return _member(settings, pool, key, port, marks, address, ())


def interface_member(
    settings: SettingsRecord, pool: Named, interface: Named, machine: str, port: int, marks: Mapping[str, Json]
) -> ContrailObject:
    """A member of a native pool: the interface of a machine, which must be there when svc-monitor is told of it."""
    said = with_more(marks, vm=machine, vmi=interface.uuid)
    return _member(settings, pool, interface.uuid, port, said, None, (interface.uuid,))


def _member(
    settings: SettingsRecord,
    pool: Named,
    key: str,
    port: int,
    marks: Mapping[str, Json],
    address: str | None,
    needs: tuple[str, ...],
) -> ContrailObject:
    uuid = object_uuid(settings.cluster, MEMBER, f"{pool.uuid}/{key}")
    properties = {
        "annotations": marks,
        "loadbalancer_member_properties": {
            "address": address,
            "admin_state": True,
            "protocol_port": port,
            "weight": 1,
        },
    }
    fq_name = (*pool.fq_name, uuid)
    return ContrailObject(MEMBER, fq_name, uuid, POOL, properties, parent_uuid=pool.uuid, needs=needs)


def with_more(marks: Mapping[str, Json], **more: str) -> dict[str, Json]:
    """Owner annotations and these beside them, sorted by key."""
    pairs = [*marks["key_value_pair"], *({"key": key, "value": value} for key, value in more.items())]
    return {"key_value_pair": sorted(pairs, key=lambda pair: str(pair["key"]))}


def _named(settings: SettingsRecord, of: Balancer, type_: str, port: Port) -> Named:
    key = f"{of.named.uuid}/{port.protocol}/{port.number}/{port.key}"
    name = f"{of.named.fq_name[-1]}-{port.protocol}-{port.number}"
    if not port.unique:
        name += f"-{object_uuid(settings.cluster, LISTENER, key)}"
    return Named(type_, (*of.project.fq_name, name), object_uuid(settings.cluster, type_, key))


def _object(named: Named, project: Known, properties: dict[str, Json], to: Named) -> ContrailObject:
    references = (to.reference(),)
    return ContrailObject(
        named.type, named.fq_name, named.uuid, names.PROJECT, properties, references, parent_uuid=project.uuid
    )
