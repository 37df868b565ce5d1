"""Events of endpoint slices in few words, and a service with its pods as the tests of services want it."""

from __future__ import annotations

from schemas.events import ChangeEvent, Op
from schemas.records import Endpoint, EndpointPort, EndpointSliceRecord, ServicePort
from tests.translator.facts import event, namespace, node, pod, service, uid

HTTP = ServicePort(port=80, target_port=8080, name="http")
NAMED = ServicePort(port=80, target_port_name="web", name="http")
SELECTOR = {"app": "cart"}


def cart(*ports: ServicePort, **fields: object) -> ChangeEvent:
    """Service shop/cart at 10.96.20.7; other keywords are fields of the record."""
    every: dict[str, object] = {"cluster_ips": ("10.96.20.7",), "selector": SELECTOR, "ports": ports or (HTTP,)}
    return service("cart", **{**every, **fields})  # type: ignore[arg-type]


def endpoint(name: str, *, space: str = "shop", **fields: object) -> Endpoint:
    """An endpoint that is this pod; other keywords are fields of the endpoint."""
    return Endpoint(pod_name=name, **{"pod_uid": uid(f"Pod/{space}/{name}"), **fields})  # type: ignore[arg-type]


def endpoints(
    name: str,
    *members: Endpoint | str,
    of: str = "cart",
    port: int = 8080,
    port_name: str = "http",
    ports: tuple[EndpointPort, ...] | None = None,
    address_type: str = "IPv4",
    space: str = "shop",
) -> ChangeEvent:
    """A slice of service `of`; a member that is a text is the ready pod of that name."""
    every = tuple(endpoint(each, space=space) if isinstance(each, str) else each for each in members)
    told = (EndpointPort(port=port, name=port_name),) if ports is None else ports
    body = EndpointSliceRecord(service=of, address_type=address_type, endpoints=every, ports=told)
    return event(Op.UPSERT, "EndpointSlice", space, name, 1, body)


def shop(*names: str, **annotations: str) -> tuple[ChangeEvent, ...]:
    """Namespace shop with these pods on node n1; keywords are annotations of the namespace."""
    return (namespace(**annotations), node(), *(pod(name) for name in names))  # type: ignore[arg-type]
