"""Ports of a policy's rules: as services, and named ones as what the pods behind them call so (pure).

A named port is the port of the pod that receives, whichever direction the rule is for: the first that its containers
declare under this name for this protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from schemas.records import PodRecord, PolicyPort
from translator.policy.census import Census
from translator.policy.model import ANY_SERVICE, NO_TAGS, Service, Tags
from translator.resource import Resource

_HIGHEST = 65535


def plain(ports: tuple[PolicyPort, ...]) -> tuple[Service, ...]:
    """Services of the ports that have no name; every port where the rule lists none."""
    return tuple(_service(each) for each in ports if not each.port_name) if ports else (ANY_SERVICE,)


def named(ports: tuple[PolicyPort, ...]) -> tuple[PolicyPort, ...]:
    """The ports that are names."""
    return tuple(each for each in ports if each.port_name)


def resolved(
    census: Census, what: object, port: PolicyPort, pods: Iterable[Resource]
) -> Iterator[tuple[Tags, Service]]:
    """What a named port is at these pods, which `what` describes: a service for those that carry the tags.

    Where all of them agree the tags say nothing more; else those of each number get a membership tag.
    """
    numbers: dict[int, list[Resource]] = {}
    for pod in pods:
        numbers.setdefault(number_of(cast(PodRecord, pod.body), port), []).append(pod)
    protocol = port.protocol.lower()
    if len(numbers) == 1 and 0 not in numbers:
        (number,) = numbers
        yield NO_TAGS, Service(protocol, number, number)
        return
    for number in sorted(numbers.keys() - {0}):
        told = ["port", what, port, number]
        yield census.member(told, numbers[number]), Service(protocol, number, number)


def number_of(pod: PodRecord, port: PolicyPort) -> int:
    """The pod's port of that name and protocol, 0 if it has none."""
    wanted = (port.port_name, port.protocol)
    return next((each.port for each in pod.ports if (each.name, each.protocol) == wanted), 0)


def _service(port: PolicyPort) -> Service:
    protocol = port.protocol.lower()
    if not port.port:
        return Service(protocol, 0, _HIGHEST)
    return Service(protocol, port.port, port.end_port or port.port)
