"""What a question about policies is asked of: the pods, namespaces, nodes and policies of one cluster (pure)."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from schemas.identity import ROOT
from schemas.records import (
    AdminNetworkPolicyRecord,
    BaselineAdminNetworkPolicyRecord,
    ContainerPort,
    NamespaceRecord,
    NetworkPolicyRecord,
    NodeRecord,
    PodRecord,
    Record,
)
from translator.translate.pod import has_interface

KINDS = ("Namespace", "Node", "Pod", "NetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy")
"""Kinds that count."""
NAME_LABEL = "kubernetes.io/metadata.name"
"""Every namespace has it: the API server puts it there."""
_ASSUMED = "assumed"
"""Origin of a namespace that is not among the manifests."""
_KEPT_BY_CONTRAIL = 8
"""Addresses at the start of a subnet that are not made up for pods."""


@dataclass(frozen=True, slots=True)
class Given:
    """One resource as it was given; `written` has, per direction, the place in the manifest of each rule of the record.

    `origin` says where it came from, for messages.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    record: Record
    origin: str = ""
    written: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`namespace/name`, or kind and name of what belongs to the whole cluster."""
        return f"{self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an interface of ours."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    ports: tuple[ContainerPort, ...]
    addresses: tuple[str, ...]

    @property
    def label(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Picture:
    """A cluster's state: `absent` says why a pod that exists is not among `pods`; `notes` what had to be assumed."""

    givens: tuple[Given, ...]
    namespaces: Mapping[str, Mapping[str, str]]
    pods: Mapping[str, Pod]
    nodes: Mapping[str, NodeRecord]
    absent: Mapping[str, str]
    notes: tuple[str, ...]
    owners: Mapping[str, tuple[Pod | None, str]]
    """Pod, or name of the node, by each of their addresses."""
    policies: Mapping[str, tuple[tuple[Given, NetworkPolicyRecord], ...]]
    """NetworkPolicies by namespace, by name."""
    administrators: tuple[tuple[Given, AdminNetworkPolicyRecord], ...]
    """In the order in which they are asked."""
    baselines: tuple[tuple[Given, BaselineAdminNetworkPolicyRecord], ...]


def picture(givens: Iterable[Given], *, subnets: Iterable[str], complete: bool) -> Picture:
    """The picture of what was given.

    `complete` is that nothing more exists, as in a store. Else it is completed where manifests say nothing: namespaces
    without labels, addresses from `subnets`; the notes tell.
    """
    held = tuple(givens) if complete else tuple(_completed(list(givens)))
    notes = [] if complete else _assumed(held)
    namespaces = {g.name: g.record.labels for g in held if isinstance(g.record, NamespaceRecord)}
    pods, absent = {}, {}
    for each in held:
        if isinstance(each.record, PodRecord):
            label = f"{each.namespace}/{each.name}"
            if reason := _why_absent(each.record, each.namespace in namespaces):
                absent[label] = reason
            else:
                pods[label] = _pod(each, each.record)
    if not complete:
        made_up = _addressed(pods, subnets)
        notes += [f"{len(made_up)} pods have no address in the files: theirs are made up"] if made_up else []
        held = tuple(_with_address(each, pods) for each in held)
    nodes = {g.name: g.record for g in held if isinstance(g.record, NodeRecord)}
    admins = [(g, g.record) for g in held if isinstance(g.record, AdminNetworkPolicyRecord)]
    return Picture(
        givens=held,
        namespaces=namespaces,
        pods=pods,
        nodes=nodes,
        absent=absent,
        notes=tuple(notes),
        owners=_owners(pods, nodes),
        policies=_by_namespace(held),
        administrators=tuple(sorted(admins, key=lambda each: (each[1].priority, each[0].name))),
        baselines=tuple((g, g.record) for g in held if isinstance(g.record, BaselineAdminNetworkPolicyRecord)),
    )


def addresses_of(node: NodeRecord) -> Iterator[str]:
    """The node's addresses that are IP addresses."""
    for each in node.addresses:
        try:
            yield str(ipaddress.ip_address(each.address))
        except ValueError:
            continue


def _owners(pods: Mapping[str, Pod], nodes: Mapping[str, NodeRecord]) -> dict[str, tuple[Pod | None, str]]:
    """A pod's claim counts before a node's: of the two, only the pod is there by Contrail's word."""
    found: dict[str, tuple[Pod | None, str]] = {}
    for name, node in sorted(nodes.items()):
        found |= dict.fromkeys(addresses_of(node), (None, name))
    for _, pod in sorted(pods.items()):
        found |= dict.fromkeys(pod.addresses, (pod, ""))
    return found


def _by_namespace(givens: Iterable[Given]) -> dict[str, tuple[tuple[Given, NetworkPolicyRecord], ...]]:
    found: dict[str, list[tuple[Given, NetworkPolicyRecord]]] = {}
    for each in sorted(givens, key=lambda given: given.name):
        if isinstance(each.record, NetworkPolicyRecord):
            found.setdefault(each.namespace, []).append((each, each.record))
    return {namespace: tuple(policies) for namespace, policies in found.items()}


def made_up_uid(label: str) -> str:
    """A uid that follows from the name: manifests have none, and the pod's machine in Contrail takes it."""
    return str(uuid.uuid5(ROOT, f"manifest/{label}"))


def _pod(given: Given, record: PodRecord) -> Pod:
    return Pod(given.namespace, given.name, given.uid, record.labels, record.ports, record.pod_ips)


def _why_absent(record: PodRecord, has_namespace: bool) -> str:
    if record.host_network:
        return "is in the network of its node: policies do not select it, and it is reached and reaches as the node"
    if not has_interface(record):
        return f"has no interface: it {'has ended' if record.phase else 'is a mirror of a static pod'}"
    return "" if has_namespace else "is in a namespace that is not known"


def _completed(givens: list[Given]) -> Iterator[Given]:
    """With a namespace for everything that is in one, and the label of its name on each."""
    known = {each.name for each in givens if each.kind == "Namespace"}
    for name in sorted({each.namespace for each in givens if each.namespace} - known):
        uid = made_up_uid(f"Namespace {name}")
        givens.append(Given("Namespace", "", name, uid, NamespaceRecord(), origin=_ASSUMED))
    for each in givens:
        if isinstance(each.record, NamespaceRecord):
            labels = {**each.record.labels, NAME_LABEL: each.name}
            yield replace(each, record=NamespaceRecord(labels=labels, annotations=each.record.annotations))
        else:
            yield each


def _assumed(givens: Iterable[Given]) -> list[str]:
    missing = sorted(each.name for each in givens if each.kind == "Namespace" and each.origin == _ASSUMED)
    return [f"no manifest for namespaces {', '.join(missing)}: taken as without labels"] if missing else []


def _addressed(pods: dict[str, Pod], subnets: Iterable[str]) -> list[str]:
    """Give an address of each family to the pods that have none; returns which."""
    nets = [ipaddress.ip_network(each) for each in subnets]
    taken = {address for pod in pods.values() for address in pod.addresses}
    free = [_free(net, taken) for net in nets]
    without = [label for label, pod in sorted(pods.items()) if not pod.addresses]
    for label in without:
        pods[label] = replace(pods[label], addresses=tuple(next(each) for each in free))
    return without


def _free(net: ipaddress.IPv4Network | ipaddress.IPv6Network, taken: set[str]) -> Iterator[str]:
    numbers = range(_KEPT_BY_CONTRAIL, net.num_addresses)
    return (str(net[number]) for number in numbers if str(net[number]) not in taken)


def _with_address(given: Given, pods: Mapping[str, Pod]) -> Given:
    pod = pods.get(f"{given.namespace}/{given.name}")
    if pod is None or not isinstance(given.record, PodRecord) or given.record.pod_ips:
        return given
    changed = {name: getattr(given.record, name) for name in given.record.__struct_fields__}
    return replace(given, record=PodRecord(**{**changed, "pod_ips": pod.addresses}))
