"""A cluster's namespaces and pods in the store, as watchers and translator leave them there."""

from __future__ import annotations

import json
import uuid as uuids
from typing import Any

import msgspec
from sqlalchemy import Engine, text

from schemas.contrail.objects import Desired
from schemas.records import (
    RECORD_OF_KIND,
    Endpoint,
    EndpointPort,
    EndpointSliceRecord,
    IngressBackend,
    IngressRecord,
    NamespaceRecord,
    NetworkAttachmentDefinitionRecord,
    NodeAddress,
    NodeRecord,
    PodRecord,
    ServicePort,
    ServiceRecord,
    SettingsRecord,
)
from tests.applier.desired import DesiredStore
from translator.notice import objects_of
from translator.resource import NOWHERE, Cause, Key, Resource, canonical, digest_of, key_of, list_key, list_keys
from translator.translate.registry import require_valid, translate
from translator.view import View

_RESOURCE = text("""
    INSERT INTO k8s_resource (cluster, kind, namespace, name, api_version, uid, resource_version, epoch, body, digest,
                              topic, partition, at_offset)
    VALUES (:cluster, :kind, :namespace, :name, 'v1', :uid, '1', 1, CAST(:body AS jsonb), '', 't', 0, 1)
    ON CONFLICT (cluster, kind, namespace, name) DO UPDATE SET uid = excluded.uid, body = excluded.body
""")
_EPOCH = text("""
    INSERT INTO watch_epoch (cluster, kind, topic, partition, epoch, state, at_offset, listed_at)
    VALUES (:cluster, :kind, 't', 0, 1, :state, 1, now() + :seconds * interval '1 second')
    ON CONFLICT (cluster, kind, topic, partition) DO UPDATE
    SET state = excluded.state, listed_at = excluded.listed_at
""")
_SOURCE = text("""
    INSERT INTO desired_source (object_uuid, cluster, resource, digest) VALUES (:uuid, :cluster, :resource, '')
    ON CONFLICT DO NOTHING
""")


def uid_of(namespace: str, name: str) -> str:
    """A pod's uid: the same name gives the same one."""
    return str(uuids.uuid5(uuids.NAMESPACE_URL, f"{namespace}/{name}"))


class KubernetesInStore:
    """Fills the store of one cluster; what is desired is translated from it."""

    def __init__(self, engine: Engine, *, cluster: str = "k8s", owner: str = "k8s", pods: str = "10.32.0.0/12") -> None:
        self.engine = engine
        self.cluster = cluster
        self.desired = DesiredStore(engine, cluster=cluster)
        self.settings = SettingsRecord(
            cluster=cluster,
            owner=owner,
            domain="default-domain",
            pod_subnets=(pods,),
            service_subnets=("10.96.0.0/12",),
            ip_fabric_subnets=("10.64.0.0/12",),
        )
        self._found: dict[Key, Resource] = {}

    def start(self, *namespaces: str) -> None:
        """The cluster's own objects, its namespaces, and complete listings, which began when all else was made."""
        self._put("Settings", "", self.cluster, self.settings)
        for namespace in namespaces:
            self.namespace(namespace)
        for kind in ("Namespace", "Node", "Pod"):
            self.epoch(kind)

    def epoch(self, kind: str, *, state: str = "streaming", seconds: float = 600.0) -> None:
        """A listing of a kind that began in so many seconds from now."""
        with self.engine.begin() as connection:
            connection.execute(_EPOCH, {"cluster": self.cluster, "kind": kind, "state": state, "seconds": seconds})

    def namespace(self, name: str, *, isolated: bool = False) -> tuple[Desired, ...]:
        """A namespace."""
        annotations = {"opencontrail.org/isolation": "true"} if isolated else {}
        return self._put("Namespace", "", name, NamespaceRecord(annotations=annotations), uid=uid_of("", name))

    def node(self, name: str, address: str) -> tuple[Desired, ...]:
        """A node with an internal address."""
        return self._put("Node", "", name, NodeRecord(addresses=(NodeAddress("InternalIP", address),)))

    def pod(
        self, namespace: str, name: str, *, uid: str = "", node: str = "node-1", **body: Any
    ) -> tuple[Desired, ...]:
        """A pod that runs."""
        record = PodRecord(node_name=node, phase=body.pop("phase", "Running"), **body)
        return self._put("Pod", namespace, name, record, uid=uid or uid_of(namespace, name))

    def service(
        self, namespace: str, name: str, *pods: str, uid: str, address: str, port: int = 80
    ) -> tuple[Desired, ...]:
        """A service of one port with these ready pods, which listen on port 8080."""
        ports = (ServicePort(port=port, target_port=8080, name="http"),)
        record = ServiceRecord(cluster_ips=(address,), ports=ports, selector={"app": name})
        members = tuple(Endpoint(pod_name=pod, pod_uid=uid_of(namespace, pod)) for pod in pods)
        self.epoch("EndpointSlice")
        slice_ = EndpointSliceRecord(service=name, endpoints=members, ports=(EndpointPort(port=8080, name="http"),))
        return (
            *self._put("Service", namespace, name, record, uid=uid),
            *self._put("EndpointSlice", namespace, f"{name}-1", slice_, uid=f"{uid}-1"),
        )

    def ingress(self, namespace: str, name: str, service: str, *, port: int = 80) -> tuple[Desired, ...]:
        """An ingress of our class that leads to a service."""
        backend = IngressBackend(service=service, port=port)
        record = IngressRecord(class_name="opencontrail", default_backend=backend)
        return self._put("Ingress", namespace, name, record, uid=uid_of(namespace, f"ingress {name}"))

    def attachment(self, namespace: str, name: str, cidr: str) -> tuple[Desired, ...]:
        """An attachment with a network of its own."""
        record = NetworkAttachmentDefinitionRecord(
            annotations={"opencontrail.org/cidr": cidr}, config='{"type": "contrail-k8s-cni"}'
        )
        return self._put("NetworkAttachmentDefinition", namespace, name, record, uid=uid_of(namespace, f"nad {name}"))

    def remove_pod(self, namespace: str, name: str) -> None:
        """A pod that is deleted."""
        key = key_of("Pod", namespace, name)
        objects = self._translated(self._found.pop(key))
        with self.engine.begin() as connection:
            connection.execute(
                text("DELETE FROM k8s_resource WHERE cluster = :c AND kind = 'Pod' AND namespace = :n AND name = :p"),
                {"c": self.cluster, "n": namespace, "p": name},
            )
        self.desired.remove(*objects)

    def _put(self, kind: str, namespace: str, name: str, body: Any, *, uid: str = "") -> tuple[Desired, ...]:
        told = canonical(body)
        resource = Resource(
            kind=kind,
            namespace=namespace,
            name=name,
            api_version="v1",
            uid=uid,
            resource_version="1",
            epoch=1,
            body=body,
            text=told,
            digest=digest_of(told),
            cause=Cause(NOWHERE),
        )
        self._found[key_of(kind, namespace, name)] = resource
        with self.engine.begin() as connection:
            connection.execute(
                _RESOURCE,
                {
                    "cluster": self.cluster,
                    "kind": kind,
                    "namespace": namespace,
                    "name": name,
                    "uid": uid,
                    "body": json.dumps(msgspec.to_builtins(body)),
                },
            )
        objects = self._translated(resource)
        self.desired.put(*objects, namespace=namespace or (name if kind == "Namespace" else ""))
        with self.engine.begin() as connection:
            for each in objects:
                require_valid(each)
                connection.execute(
                    _SOURCE,
                    {"uuid": each.uuid, "cluster": self.cluster, "resource": f"{kind}/{namespace}/{name}"},
                )
        return objects

    def _translated(self, resource: Resource) -> tuple[Desired, ...]:
        found: dict[Key, Resource | None] = {**self._found}
        if resource.kind == "Pod":
            node = resource.body.node_name  # type: ignore[union-attr]
            found.setdefault(key_of("Node", "", node), None)
        if resource.kind == "Ingress":
            found.setdefault(key_of("IngressClass", "", "opencontrail"), None)
        spaces = (None, "", *{each.home for each in self._found.values()})
        listed: dict[Key, tuple[Resource, ...]] = {list_key(x, space): () for x in RECORD_OF_KIND for space in spaces}
        for key in sorted(self._found):
            for each in list_keys(key):
                listed[each] = (*listed.get(each, ()), self._found[key])
        return tuple(objects_of(translate(resource, View(self.settings, found, listed))))
