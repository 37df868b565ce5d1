"""Objects of Kubernetes that are written to, and the bodies of those writes (pure).

A write is a server-side apply that names nothing but the one field and the object's uid. So the API server keeps
who else wrote that field, refuses to take it from them, and never lets a namesake have what was meant for another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from watchers.kinds import KINDS

Json = dict[str, Any]
MANAGER = "contrail-kube-feedback"
"""Our name as a field manager."""
NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status"
KIND_OF = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Subject:
    """One object of Kubernetes; `namespace` is '' for one of the whole cluster, `uid` where it is not known."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    api_version: str = ""

    @classmethod
    def of(cls, key: str, *, uid: str = "", api_version: str = "") -> Subject:
        """From the store's key `Kind/namespace/name`."""
        kind, namespace, name = key.split("/")
        known = KIND_OF.get(kind)
        return cls(kind, namespace, name, uid, api_version or (known.api_version if known else ""))

    @property
    def key(self) -> str:
        """The store's key."""
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Path of the object in the API; only of kinds that are watched."""
        kind = KIND_OF[self.kind]
        place = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{kind.discovery_path}{place}/{kind.resource}/{self.name}"

    def reference(self) -> Json:
        """As an ObjectReference."""
        fields = {"namespace": self.namespace, "uid": self.uid, "apiVersion": self.api_version}
        return {"kind": self.kind, "name": self.name, **{name: value for name, value in fields.items() if value}}


def status_of(subject: Subject, addresses: tuple[str, ...]) -> Json:
    """The apply of `status.loadBalancer.ingress`; without addresses ours are taken back."""
    told = {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}} if addresses else {}
    return {**_head(subject, {}), "status": told}


def annotation_of(subject: Subject, text: str) -> Json:
    """The apply of a pod's network-status."""
    return _head(subject, {"annotations": {NETWORK_STATUS: text}})


def _head(subject: Subject, metadata: Json) -> Json:
    named = {"name": subject.name, "namespace": subject.namespace, "uid": subject.uid}
    return {"apiVersion": subject.api_version, "kind": subject.kind, "metadata": {**named, **metadata}}
