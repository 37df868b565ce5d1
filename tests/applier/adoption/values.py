"""Objects of Contrail and desired ones for unit tests, in few words."""

from __future__ import annotations

import uuid as uuids
from typing import Any

from applier.adoption.objects import Cluster, Live, Wanted
from schemas.contrail.objects import ContrailObject, joined
from schemas.records import NamespaceRecord, PodRecord, SettingsRecord
from tests.applier.kubernetes import uid_of
from translator.resource import BODY_OF_KIND, NOWHERE, Cause, Key, Resource, key_of, list_key
from translator.translate import namespace, pod, settings
from translator.view import View

MARK = ("k8s", "k8s")
DOMAIN = "default-domain"
HOUR_AGO = "2026-11-23T03:00:00"
LISTED = 4_000_000_000.0
"""A listing that knows of everything that was made before, for ever."""


def there(name: str) -> str:
    """A uuid that Contrail chose."""
    return str(uuids.uuid5(uuids.NAMESPACE_OID, name))


def live(
    type_: str, *fq_name: str, uuid: str = "", parent: str = "", mark: tuple[str, str] | None = MARK, **more: Any
) -> Live:
    """An object of Contrail; `more` are fields, and `pairs` further annotations."""
    pairs = {**({"owner": mark[0], "cluster": mark[1]} if mark else {}), **more.pop("pairs", {})}
    item = {
        "uuid": uuid or there(joined(fq_name)),
        "fq_name": list(fq_name),
        "parent_uuid": parent,
        "id_perms": {"created": HOUR_AGO},
        **more,
    }
    if pairs:
        item["annotations"] = {"key_value_pair": [{"key": key, "value": value} for key, value in pairs.items()]}
    return Live.of(type_, item)


def refs(*targets: Live) -> list[dict[str, Any]]:
    """References to them."""
    return [{"to": list(target.fq_name), "uuid": target.uuid, "attr": None} for target in targets]


def record(cluster: str = "k8s") -> SettingsRecord:
    """Settings of a cluster."""
    return SettingsRecord(
        cluster=cluster,
        owner="k8s",
        domain=DOMAIN,
        pod_subnets=("10.32.0.0/12",),
        service_subnets=("10.96.0.0/12",),
        ip_fabric_subnets=("10.64.0.0/12",),
    )


def _resource(kind: str, namespace_: str, name: str, uid: str, body: Any) -> Resource:
    return Resource(
        kind=kind,
        namespace=namespace_,
        name=name,
        api_version="v1",
        uid=uid,
        resource_version="1",
        epoch=1,
        body=body,
        text=b"",
        digest=b"",
        cause=Cause(NOWHERE),
    )


def _nothing(namespace_: str | None) -> dict[Key, tuple[Resource, ...]]:
    """Empty lists of every kind, of the cluster and of a namespace."""
    return {list_key(kind, space): () for kind in BODY_OF_KIND for space in (None, "", namespace_)}


def _wanted(objects: Any) -> list[Wanted]:
    return [Wanted(o.uuid, o.type, joined(o.fq_name), o.body()) for o in objects if isinstance(o, ContrailObject)]


def bootstrap(cluster: str = "k8s") -> list[Wanted]:
    """What a cluster desires by itself."""
    view = View(record(cluster), {}, _nothing(None))
    return _wanted(settings.translate(_resource("Settings", "", cluster, "", record(cluster)), view))


def of_namespace(name: str, *, cluster: str = "k8s") -> list[Wanted]:
    """What a namespace desires."""
    view = View(record(cluster), {}, _nothing(name))
    return _wanted(namespace.translate(_resource("Namespace", "", name, uid_of("", name), NamespaceRecord()), view))


def of_pod(namespace_: str, name: str, *, uid: str = "", cluster: str = "k8s", **labels: str) -> list[Wanted]:
    """Machine, interface and address that a pod desires."""
    space = _resource("Namespace", "", namespace_, "", NamespaceRecord())
    view = View(record(cluster), {key_of("Namespace", "", namespace_): space}, {})
    body = PodRecord(phase="Running", labels=labels)
    return _wanted(pod.translate(_resource("Pod", namespace_, name, uid or uid_of(namespace_, name), body), view))


def cluster_of(*wanted: Wanted, cluster: str = "k8s", **more: Any) -> Cluster:
    """A cluster that desires these."""
    more.setdefault("listed", {"Pod": LISTED, "Namespace": LISTED})
    return Cluster(mark=("k8s", cluster), domain=DOMAIN, wanted=wanted, **more)


class There:
    """What kube-manager made for cluster k8s: its projects, network, and pods as they are asked for."""

    def __init__(self, *, cluster: str = "k8s") -> None:
        self.cluster = cluster
        self.mark = ("k8s", cluster)
        self.home = live("project", DOMAIN, f"{cluster}-default", mark=None)
        self.network = self._in_home("virtual-network", "default-pod-network")
        self.project = live(
            "project", DOMAIN, f"{cluster}-shop", mark=self.mark, pairs={"kind": "Namespace", "namespace": "shop"}
        )
        self.objects: list[Live] = [self.home, self.network, self.project]

    def _in_home(self, type_: str, suffix: str) -> Live:
        return live(type_, *self.home.fq_name, f"{self.cluster}-{suffix}", mark=None, parent=self.home.uuid)

    def pod(self, name: str, *, uid: str = "") -> tuple[Live, Live, Live]:
        """A pod's machine, interface and address."""
        machine = live(
            "virtual-machine",
            f"{self.cluster}__shop__{name}",
            uuid=uid or uid_of("shop", name),
            mark=self.mark,
            pairs=_pod(name),
        )
        self.objects.append(machine)
        interface = self.interface(name, machine)
        return machine, interface, self.address(name, interface)

    def interface(
        self, name: str, *machines: Live, index: str = "0/1", called: str = "default", network: Live | None = None
    ) -> Live:
        """An interface of machines."""
        uuid = there(f"interface {self.cluster} {name} {len(self.objects)}")
        made = live(
            "virtual-machine-interface",
            *self.project.fq_name,
            f"{name}__{uuid}",
            uuid=uuid,
            parent=self.project.uuid,
            mark=self.mark,
            pairs={**_pod(name), "index": index, "network": called},
            virtual_machine_refs=refs(*machines),
            virtual_network_refs=refs(network or self.network),
            virtual_machine_interface_mac_addresses={"mac_address": ["02:11:22:33:44:55"]},
        )
        self.objects.append(made)
        return made

    def address(self, name: str, *interfaces: Live, address: str = "10.47.255.252", **more: Any) -> Live:
        """An address of interfaces."""
        uuid = there(f"address {self.cluster} {name} {len(self.objects)}")
        made = live(
            "instance-ip",
            f"{name}__{uuid}",
            uuid=uuid,
            mark=self.mark,
            pairs=_pod(name),
            virtual_network_refs=refs(self.network),
            virtual_machine_interface_refs=refs(*interfaces),
            instance_ip_address=address,
            **more,
        )
        self.objects.append(made)
        return made


def _pod(name: str) -> dict[str, str]:
    return {"kind": "Pod", "namespace": "shop", "name": name}
