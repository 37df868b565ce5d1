"""Events of ingresses and their classes in few words."""

from __future__ import annotations

from schemas.events import ChangeEvent, Op
from schemas.records import IngressBackend, IngressClassRecord, IngressPath, IngressRecord, IngressRule
from tests.translator.facts import event

OURS = "opencontrail.org/ingress"
CART = IngressBackend(service="cart", port=80)


def ingress(
    name: str = "front", *rules: IngressRule, namespace: str = "shop", of: str = "", **fields: object
) -> ChangeEvent:
    """An ingress of our class; other keywords are fields of the record."""
    body = IngressRecord(**{"class_name": "opencontrail", "rules": rules, **fields})  # type: ignore[arg-type]
    return event(Op.UPSERT, "Ingress", namespace, name, 1, body, of=of)


def ingress_class(name: str, controller: str = OURS, *, is_default: bool = False) -> ChangeEvent:
    """An IngressClass."""
    return event(
        Op.UPSERT, "IngressClass", "", name, 1, IngressClassRecord(controller=controller, is_default=is_default)
    )


def rule(host: str, *paths: IngressPath) -> IngressRule:
    """A rule of this host, '' for all."""
    return IngressRule(host=host, paths=paths)


def path(text: str, service: str = "cart", kind: str = "Prefix", port: int = 80, port_name: str = "") -> IngressPath:
    """A path that leads to this service of the ingress's namespace."""
    backend = IngressBackend(service=service, port=0 if port_name else port, port_name=port_name)
    return IngressPath(path=text, path_type=kind, backend=backend)
