"""Ingress and IngressClass (networking.k8s.io/v1) as networking sees them (pure)."""

from __future__ import annotations

import msgspec


class IngressBackend(msgspec.Struct, frozen=True, kw_only=True):
    """A service of the same namespace and its port, by number or by name; or another `resource`: `group/Kind/name`."""

    service: str = ""
    port: int = 0
    port_name: str = ""
    resource: str = ""


class IngressPath(msgspec.Struct, frozen=True, kw_only=True):
    """One path; `path_type` is Exact, Prefix or ImplementationSpecific."""

    backend: IngressBackend
    path: str = ""
    path_type: str = "ImplementationSpecific"


class IngressRule(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of one host, '' for every host; without paths the default back-end serves it."""

    host: str = ""
    paths: tuple[IngressPath, ...] = ()


class IngressTls(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate's Secret and the hosts that it is for, sorted; without hosts it is for the rest."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an ingress asks for; rules and paths are in the order of the object.

    `class_name` is `spec.ingressClassName`; `legacy_class` the annotation of old, which has precedence where both are
    there. Both are '' where the default class is meant.
    """

    annotations: dict[str, str] = {}
    class_name: str = ""
    legacy_class: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()
    deleting: bool = False


class IngressClassRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Which controller serves a class, and whether it is the one of ingresses that name none."""

    controller: str = ""
    is_default: bool = False
