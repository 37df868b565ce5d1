"""Which ingresses are ours to serve: by class, by the annotation of old, or by the default class (pure)."""

from __future__ import annotations

from typing import cast

from schemas.records import IngressClassRecord, IngressRecord
from translator.resource import Resource
from translator.view import View

CONTROLLER = "opencontrail.org/ingress"
"""What `spec.controller` of an IngressClass says that is ours."""
CLASS = "opencontrail"
"""Name of a class that is ours without an IngressClass, as contrail-kube-manager has it."""
_KIND = "IngressClass"


def is_ours(ingress: Resource, view: View) -> bool:
    """Whether we serve it; the annotation counts before the field, as everywhere in Kubernetes.

    One that names no class was made while no class was the default. It belongs to the class that is the default now;
    where there is none the settings say.
    """
    record = cast(IngressRecord, ingress.body)
    if name := record.legacy_class or record.class_name:
        named = view.get(_KIND, "", name)
        return name == CLASS if named is None else _is_served(named)
    defaults = [each for each in view.list(_KIND) if cast(IngressClassRecord, each.body).is_default]
    return any(map(_is_served, defaults)) if defaults else view.settings.ingress_without_class


def _is_served(named: Resource) -> bool:
    return cast(IngressClassRecord, named.body).controller == CONTROLLER
