"""IngressClass (networking.k8s.io/v1): raw JSON to IngressClassRecord (pure)."""

from __future__ import annotations

import msgspec

from schemas.records import IngressClassRecord
from watchers.kinds.kind import Kind, Metadata

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"


class ClassSpec(msgspec.Struct, gc=False):
    """`spec`."""

    controller: str = ""


class ClassInput(msgspec.Struct, gc=False):
    """What is read of an IngressClass."""

    metadata: Metadata
    spec: ClassSpec | None = None


def normalize(raw: ClassInput) -> IngressClassRecord:
    """The record of one IngressClass."""
    return IngressClassRecord(
        controller=raw.spec.controller if raw.spec else "",
        is_default=(raw.metadata.annotations or {}).get(DEFAULT_CLASS) == "true",
    )


KIND = Kind(
    "IngressClass", "ingressclasses", ClassInput, normalize, api_version="networking.k8s.io/v1", namespaced=False
)
