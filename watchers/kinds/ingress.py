"""Ingress (networking.k8s.io/v1): raw JSON to IngressRecord; its status is never read (pure)."""

from __future__ import annotations

import msgspec

from schemas.errors import MalformedObject
from schemas.records import IngressBackend, IngressPath, IngressRecord, IngressRule, IngressTls
from watchers.kinds.annotations import kept
from watchers.kinds.canonical import one_of, sorted_texts
from watchers.kinds.kind import Kind, Metadata, Port

LEGACY_CLASS = "kubernetes.io/ingress.class"
ADDRESS = frozenset({"externalIP"})
"""Contrail's own annotation for the address that an Ingress asks for."""
PATH_TYPES = ("Exact", "Prefix", "ImplementationSpecific")


class PortInput(msgspec.Struct, gc=False):
    """A service's port: by number or by name."""

    number: Port = 0
    name: str = ""


class ServiceInput(msgspec.Struct, gc=False):
    """A back-end's `service`."""

    name: str
    port: PortInput | None = None


class ResourceInput(msgspec.Struct, gc=False, rename="camel"):
    """A back-end's `resource`."""

    kind: str
    name: str
    api_group: str | None = None


class BackendInput(msgspec.Struct, gc=False):
    """A back-end."""

    service: ServiceInput | None = None
    resource: ResourceInput | None = None


class PathInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `paths`."""

    backend: BackendInput
    path: str = ""
    path_type: str | None = None


class HttpInput(msgspec.Struct, gc=False):
    """`http` of a rule."""

    paths: list[PathInput] | None = None


class RuleInput(msgspec.Struct, gc=False):
    """One entry of `spec.rules`."""

    host: str = ""
    http: HttpInput | None = None


class TlsInput(msgspec.Struct, gc=False, rename="camel"):
    """One entry of `spec.tls`; the Secret itself is never read."""

    hosts: list[str] | None = None
    secret_name: str = ""


class IngressSpec(msgspec.Struct, gc=False, rename="camel"):
    """`spec`."""

    ingress_class_name: str | None = None
    default_backend: BackendInput | None = None
    rules: list[RuleInput] | None = None
    tls: list[TlsInput] | None = None


class IngressInput(msgspec.Struct, gc=False):
    """What is read of an Ingress."""

    metadata: Metadata
    spec: IngressSpec | None = None


def normalize(raw: IngressInput) -> IngressRecord:
    """The record of one Ingress."""
    spec, annotations = raw.spec or IngressSpec(), raw.metadata.annotations
    default = spec.default_backend
    return IngressRecord(
        annotations=kept(annotations, ADDRESS),
        class_name=spec.ingress_class_name or "",
        legacy_class=(annotations or {}).get(LEGACY_CLASS, ""),
        default_backend=None if default is None else _backend(default, "spec.defaultBackend"),
        rules=tuple(_rule(each, f"spec.rules[{i}].http") for i, each in enumerate(spec.rules or ())),
        tls=tuple(IngressTls(hosts=sorted_texts(each.hosts), secret_name=each.secret_name) for each in spec.tls or ()),
        deleting=raw.metadata.deletion_timestamp is not None,
    )


def _rule(raw: RuleInput, field: str) -> IngressRule:
    paths = (raw.http.paths if raw.http else None) or ()
    return IngressRule(host=raw.host, paths=tuple(_path(each, f"{field}.paths[{i}]") for i, each in enumerate(paths)))


def _path(raw: PathInput, field: str) -> IngressPath:
    return IngressPath(
        backend=_backend(raw.backend, f"{field}.backend"),
        path=raw.path,
        path_type=one_of(raw.path_type or "ImplementationSpecific", PATH_TYPES, f"{field}.pathType"),
    )


def _backend(raw: BackendInput, field: str) -> IngressBackend:
    if (raw.service is None) == (raw.resource is None):
        found = "neither" if raw.service is None else "both"
        raise MalformedObject(f"{field} has {found} of service and resource; accepted is one of them")
    if raw.resource is not None:
        return IngressBackend(resource=f"{raw.resource.api_group or ''}/{raw.resource.kind}/{raw.resource.name}")
    assert raw.service is not None
    port = raw.service.port or PortInput()
    return IngressBackend(service=raw.service.name, port=port.number, port_name=port.name)


KIND = Kind("Ingress", "ingresses", IngressInput, normalize, api_version="networking.k8s.io/v1")
