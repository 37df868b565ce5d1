"""Load-balancer objects of a service, for who leaves its cluster addresses to svc-monitor (pure).

A native balancer with a listener and a pool per port, and a member per port and pod. svc-monitor makes a floating-ip
of each cluster address, one mapping for each port of it: so all of a port's members must listen on one port, and a
listener whose members move to another port is another listener, made once the first is gone. The public addresses
stay what they are without balancers: floating-ips of ours, which svc-monitor does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from schemas.contrail.objects import ContrailObject
from schemas.records import ServiceRecord, SettingsRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import load_balancer, names, service_address
from translator.translate.load_balancer import Balancer, Port
from translator.translate.names import Known, Named
from translator.translate.service_address import ClusterAddress
from translator.translate.service_ports import Ports
from translator.translate.shared_ports import most_shared
from translator.view import View

NOT_SERVED = "PortNotServed"
_PROTOCOLS = frozenset({"TCP", "UDP"})

Member = tuple[Named, str]
"""Interface of a pod, and the pod's uid."""


def objects(service: Resource, network: Known, addresses: Sequence[ClusterAddress], view: View) -> Iterator[Outcome]:
    """Balancer, listeners and pools of the service, and a notice of ports that listeners cannot have."""
    settings, of = view.settings, _balancer(view.settings, service, network)
    interface = service_address.interface(settings, service, network)
    first, held = addresses[0].address, [each.named.uuid for each in addresses]
    yield load_balancer.balancer(of, interface, load_balancer.NATIVE, first, held)
    record = cast(ServiceRecord, service.body)
    for port, name in _ports(record, most_shared(service, view)):
        marks = load_balancer.with_more(of.marks, portName=name)
        yield load_balancer.listener(settings, of, port, marks)
        yield load_balancer.pool(settings, of, port, port.protocol, of.marks)
    for each in record.ports:
        if each.protocol not in _PROTOCOLS:
            said = f"port {each.port}/{each.protocol} is not served: load-balancer objects know TCP and UDP alone"
            yield Notice(NOT_SERVED, said)


def members(
    service: Resource, network: Known, ports: Ports, found: Iterable[Member], view: View
) -> Iterator[ContrailObject]:
    """The members that a slice with these ports has; none where most others of the service resolve them otherwise."""
    if ports != most_shared(service, view):
        return
    of = _balancer(view.settings, service, network)
    for port, _ in _ports(cast(ServiceRecord, service.body), ports):
        pool = load_balancer.pool_name(view.settings, of, port)
        for interface, machine in found:
            number = int(port.key)
            yield load_balancer.interface_member(view.settings, pool, interface, machine, number, of.marks)


def _balancer(settings: SettingsRecord, service: Resource, network: Known) -> Balancer:
    project = names.project(settings, service.namespace)
    uuid = load_balancer.balancer_uuid(settings, service.uid, network)
    named = Named(load_balancer.BALANCER, (*project.fq_name, f"{service.name}__{service.uid}"), uuid)
    return Balancer(named, project, service_address.marks(settings, service))


def _ports(record: ServiceRecord, ports: Ports) -> list[tuple[Port, str]]:
    """Listeners' ports, whose key is the members' port, and their names in the service."""
    called = {(each.protocol, each.port): each.name for each in record.ports}
    return [
        (Port(protocol, port, str(target)), called[protocol, port])
        for protocol, port, target in ports.mappings
        if protocol in _PROTOCOLS
    ]
