"""Ingress to the load-balancer objects from which svc-monitor starts HAProxy processes (pure).

A listener, a pool and a member per route, and all of them once more for HTTPS where a secret is named. Secrets are
never read here: the nodes that run the proxies ask Kubernetes for them by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from schemas.contrail.objects import ContrailObject, Json, Link
from schemas.events import ChangeEvent
from schemas.records import IngressBackend, IngressRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import annotated, ingress_address, ingress_routes, ingress_tls, load_balancer, names
from translator.translate.ingress_backend import Target, target
from translator.translate.ingress_class import CLASS, is_ours
from translator.translate.ingress_routes import Route, Rules
from translator.translate.load_balancer import Balancer, Port
from translator.translate.membership import ingress_membership, label_of
from translator.translate.names import Named
from translator.translate.owner import owner_annotations
from translator.view import View

KIND = "Ingress"
_HTTP, _HTTPS = "HTTP", "TERMINATED_HTTPS"
_PORTS = {_HTTP: 80, _HTTPS: 443}


def translate(ingress: Resource, view: View) -> tuple[Outcome, ...]:
    """Objects of the ingress; none where its class is another controller's, or while its namespace is unknown."""
    if not is_ours(ingress, view):
        return ()
    namespace = view.get("Namespace", "", ingress.namespace)
    if namespace is None:
        return ()
    member, record = ingress_membership(namespace, view), cast(IngressRecord, ingress.body)
    _require_readable(label_of(ingress), record)
    of = _balancer(ingress, member.network, view)
    interface = ingress_address.interface(ingress, of, member, view)
    addresses = (
        *ingress_address.private(ingress, of, member, view),
        *ingress_address.public(ingress, namespace, of, member, view),
    )
    family = ingress_address.family_of(member)
    return (
        interface,
        *addresses,
        load_balancer.balancer(
            of,
            Named(interface.type, interface.fq_name, interface.uuid),
            load_balancer.HAPROXY,
            ingress_address.ANYWHERE[family],
            [each.uuid for each in addresses if isinstance(each, Link)],
        ),
        *_served(ingress, record, of, family, view),
        *member.shared,
    )


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for what cannot be read of an ingress that names our class.

    Whether any other one is ours is not known here: what it says to its own controller is none of our business.
    """
    record, label = cast(IngressRecord, event.body), f"{KIND} {event.namespace}/{event.name}"
    if (record.legacy_class or record.class_name) == CLASS:
        _require_readable(label, record)


def _require_readable(label: str, record: IngressRecord) -> None:
    ingress_routes.require_readable(label, record)
    ingress_tls.require_readable(label, record)
    ingress_address.asked(label, record)
    annotated.pool(label, record.annotations)


def _balancer(ingress: Resource, network: names.Known, view: View) -> Balancer:
    project = names.project(view.settings, ingress.namespace)
    uuid = load_balancer.balancer_uuid(view.settings, ingress.uid, network)
    named = Named(load_balancer.BALANCER, (*project.fq_name, f"{ingress.name}__{ingress.uid}"), uuid)
    marks = owner_annotations(view.settings, KIND, ingress.namespace, ingress.name, k8s_uuid=ingress.uid)
    return Balancer(named, project, marks)


def _served(ingress: Resource, record: IngressRecord, of: Balancer, family: str, view: View) -> Iterator[Outcome]:
    """Listeners, pools and members of every route, for HTTP and, where TLS ends here, for HTTPS."""
    rules = ingress_routes.rules(record)
    default = () if record.default_backend is None else (ingress_routes.default(record.default_backend),)
    targets = _targets(ingress, (*rules.routes, *default), family, view)
    yield from (found for found in targets.values() if isinstance(found, Notice))
    ending = ingress_tls.ending(ingress.namespace, record)
    yield from ending.notices
    for route in (*rules.routes, *default):
        yield from _objects(route, rules, targets.get(route.key), of, _HTTP, {}, view)
    if not ending.is_there:
        return
    # A default listener is there in any case: one has to carry the certificates, whatever the routes are.
    for route in (*rules.routes, *(default or (ingress_routes.default(IngressBackend()),))):
        tls = ending.of(is_default=route.is_default)
        yield from _objects(route, rules, targets.get(route.key), of, _HTTPS, tls, view)


def _targets(ingress: Resource, routes: tuple[Route, ...], family: str, view: View) -> dict[str, Target | Notice]:
    """By key of every route, where its requests go."""
    wanted = sorted({route.backend.service for route in routes} - {""})
    found = view.get_all([("Service", ingress.namespace, name) for name in wanted])
    services = dict(zip(wanted, found, strict=True))
    return {
        route.key: target(route.field, route.backend, services.get(route.backend.service), view.settings, family)
        for route in routes
    }


def _objects(
    route: Route,
    rules: Rules,
    target: Target | Notice | None,
    of: Balancer,
    protocol: str,
    tls: dict[str, Json],
    view: View,
) -> Iterator[ContrailObject]:
    port = Port(protocol, _PORTS[protocol], route.key, unique=False)
    yield load_balancer.listener(view.settings, of, port, of.marks, **tls)
    marks = load_balancer.with_more(of.marks, **rules.conditions(route, port.number))
    yield load_balancer.pool(view.settings, of, port, _HTTP, marks)
    if isinstance(target, Target):
        pool = load_balancer.pool_name(view.settings, of, port)
        marks = load_balancer.with_more(of.marks, serviceName=target.service)
        yield load_balancer.member(view.settings, pool, "service", target.port, marks, target.address)
