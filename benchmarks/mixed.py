"""A synthetic log of everything that a cluster's networking is made of, the same for the same arguments.

The lives of benchmarks/synthetic.py, in namespaces of which every fifth is isolated, and around them what Kubernetes
tells at the same time: workloads, of which some make an app of their pods; a service per app, most with a slice that
changes whenever one of its pods becomes ready, ends or goes; attachments, which some pods ask for; ingresses; policies.
Now and then a service's ports, a workload's label, or an isolation is changed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import cast

from msgspec.structs import replace

from benchmarks.synthetic import Placed, as_records, happened, lives, snapshot
from schemas.bus.port import Record
from schemas.events import ChangeEvent, Op
from schemas.identity import ResourceKey, partition_of
from schemas.records import (
    Endpoint,
    EndpointPort,
    EndpointSliceRecord,
    IngressBackend,
    IngressPath,
    IngressRecord,
    IngressRule,
    LabelSelector,
    NamespaceRecord,
    NetworkAttachmentDefinitionRecord,
    NetworkPolicyRecord,
    OwnerReference,
    PodRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
    ServicePort,
    ServiceRecord,
    WorkloadRecord,
)

NAMESPACES, NODES, APPS = 50, 100, 8
_APP = "opencontrail.org/name"
_HTTP = ServicePort(port=80, target_port=8080, name="http")
_METRICS = ServicePort(port=9090, target_port_name="metrics", name="metrics")


def records(*, pods: int, partitions: int = 4, seed: int = 1) -> list[Record]:
    """The log as records, in order of publication."""
    return as_records(_events(pods, partitions, random.Random(seed)), partitions)


def _events(pods: int, partitions: int, chance: random.Random) -> Iterator[Placed]:
    for kind, listed in _listed().items():
        yield from snapshot(kind, listed, partitions)
    slices = _Slices()
    told = lives(pods=pods, namespaces=NAMESPACES, nodes=NODES, partitions=partitions, chance=chance, apps=APPS)
    for partition, event in told:
        if event.kind == "Namespace" and event.body is not None:
            event = _isolated(event) if _number(event.name) % 5 == 0 else event
        elif event.kind == "Pod" and event.name:
            event = _of_replicas(event)
        yield partition, event
        more = [*slices.after(event), *_now_and_then(event, chance)]
        yield from ((partition_of(each.key, partitions), each) for each in more)


def _listed() -> dict[str, list[ChangeEvent]]:
    """What is there from the beginning, by kind; the owners of a pod before the pods."""
    places = [(f"team-{space}", f"app-{app}") for space in range(NAMESPACES) for app in range(APPS)]
    spaces = sorted({space for space, _ in places})
    return {
        "Deployment": [_deployment(space, app, _number(app) == 0) for space, app in places],
        "ReplicaSet": [_replicas(space, app) for space, app in places],
        "Service": [
            _service(space, app, (_HTTP, _METRICS) if _number(app) == 1 else (_HTTP,)) for space, app in places
        ],
        "NetworkAttachmentDefinition": [_attachment(space) for space in spaces],
        "Ingress": [_ingress(space) for space in spaces],
        "NetworkPolicy": [_policy(space) for space in spaces if _number(space) % 2],
        "EndpointSlice": [],
    }


class _Slices:
    """The slice of each app, as its pods come and go."""

    def __init__(self) -> None:
        self._members: dict[tuple[str, str], dict[str, Endpoint]] = {}

    def after(self, event: ChangeEvent) -> Iterable[ChangeEvent]:
        """The slice, if what happened to a pod changes it."""
        if event.kind != "Pod" or not event.name:
            return ()
        app = event.name.rsplit("-", 2)[0]
        members = self._members.setdefault((event.namespace, app), {})
        before, pod = members.get(event.name), cast(PodRecord | None, event.body)
        if pod is None:
            members.pop(event.name, None)
        elif pod.ready:
            members[event.name] = Endpoint(
                addresses=pod.pod_ips,
                ready=not pod.deleting,
                terminating=pod.deleting,
                pod_uid=event.uid,
                pod_name=event.name,
                node_name=pod.node_name,
            )
        return () if members.get(event.name) == before else (_slice(event.namespace, app, members.values()),)


def _now_and_then(event: ChangeEvent, chance: random.Random) -> Iterator[ChangeEvent]:
    """Changes of what pods depend on: of a service one with a hundred events, the others far less often."""
    if event.kind != "Pod" or not event.name or (drawn := chance.randrange(2000)) >= 23:
        return
    space, app = event.namespace, event.name.rsplit("-", 2)[0]
    if drawn < 20:
        yield _service(space, app, (replace(_HTTP, target_port=8080 + drawn),))
    elif drawn < 22:
        yield _deployment(space, app, drawn == 20)
    else:
        team = NamespaceRecord(labels={"kubernetes.io/metadata.name": space})
        plain = happened(Op.UPSERT, ResourceKey("Namespace", "", space), team)
        yield _isolated(plain) if chance.random() < 0.5 else plain


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _isolated(event: ChangeEvent) -> ChangeEvent:
    body = cast(NamespaceRecord, event.body)
    return replace(event, body=replace(body, annotations={"opencontrail.org/isolation": "true"}))


def _of_replicas(event: ChangeEvent) -> ChangeEvent:
    """The pod below the ReplicaSet of its own namespace; every twentieth one has a second interface."""
    if event.body is None:
        return event
    app, number, _ = event.name.rsplit("-", 2)
    body = cast(PodRecord, event.body)
    body = replace(body, owners=(replace(body.owners[0], uid=_replicas(event.namespace, app).uid),))
    if int(number, 16) % 20 == 0:
        body = replace(body, annotations={"k8s.v1.cni.cncf.io/networks": "storage"})
    return replace(event, body=body)


def _deployment(space: str, app: str, is_app: bool) -> ChangeEvent:
    return happened(
        Op.UPSERT, ResourceKey("Deployment", space, app), WorkloadRecord(labels={_APP: app} if is_app else {})
    )


def _replicas(space: str, app: str) -> ChangeEvent:
    above = _deployment(space, app, False)
    owner = OwnerReference(api_version="apps/v1", kind=above.kind, name=app, uid=above.uid, controller=True)
    return happened(Op.UPSERT, ResourceKey("ReplicaSet", space, f"{app}-5d9c"), WorkloadRecord(owners=(owner,)))


def _service(space: str, app: str, ports: tuple[ServicePort, ...]) -> ChangeEvent:
    number = _number(space) * APPS + _number(app)
    body = ServiceRecord(
        labels={_APP: app} if _number(app) == 0 else {},
        cluster_ips=(f"10.96.{number // 250}.{number % 250 + 1}",),
        selector={"app": app},
        ports=ports,
    )
    return happened(Op.UPSERT, ResourceKey("Service", space, app), body)


def _slice(space: str, app: str, members: Iterable[Endpoint]) -> ChangeEvent:
    told = (EndpointPort(port=8080, name="http"), EndpointPort(port=9090, name="metrics"))
    every = tuple(sorted(members, key=lambda each: each.addresses))
    body = EndpointSliceRecord(service=app, endpoints=every, ports=told)
    return happened(Op.UPSERT, ResourceKey("EndpointSlice", space, f"{app}-x7f2q"), body)


def _attachment(space: str) -> ChangeEvent:
    body = NetworkAttachmentDefinitionRecord(
        annotations={"opencontrail.org/cidr": f"10.200.{_number(space)}.0/24"}, config='{"type": "contrail-k8s-cni"}'
    )
    return happened(Op.UPSERT, ResourceKey("NetworkAttachmentDefinition", space, "storage"), body)


def _ingress(space: str) -> ChangeEvent:
    paths = tuple(
        IngressPath(path=f"/{app}", path_type="Prefix", backend=IngressBackend(service=f"app-{app}", port=80))
        for app in range(4)
    )
    body = IngressRecord(class_name="opencontrail", rules=(IngressRule(host=f"{space}.example.com", paths=paths),))
    return happened(Op.UPSERT, ResourceKey("Ingress", space, "front"), body)


def _policy(space: str) -> ChangeEvent:
    peer = PolicyPeer(pod_selector=LabelSelector(match_labels={"app": "app-2"}))
    body = NetworkPolicyRecord(
        pod_selector=LabelSelector(match_labels={"app": "app-1"}),
        isolates_ingress=True,
        ingress=(PolicyRule(peers=(peer,), ports=(PolicyPort(port=8080),)),),
    )
    return happened(Op.UPSERT, ResourceKey("NetworkPolicy", space, "only-app-2"), body)
