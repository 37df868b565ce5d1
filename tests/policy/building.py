"""Clusters in few words, for tests that write their cells down."""

from __future__ import annotations

from schemas.records import (
    ContainerPort,
    IpBlock,
    LabelRequirement,
    LabelSelector,
    NamespaceRecord,
    NetworkPolicyRecord,
    NodeAddress,
    NodeRecord,
    PodRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
    SettingsRecord,
)
from tests.policy.cluster import DUAL, Cluster

ALL = LabelSelector()
"""The selector that is there and empty."""
TCP80 = ("TCP", 80)
OUT, OUT6 = "203.0.113.7", "2001:db8::7"
"""Addresses outside of the cluster."""


def namespace(cluster: Cluster, name: str, isolated: bool = False, **labels: str) -> Cluster:
    """With this namespace, which has its name's label."""
    held = {"kubernetes.io/metadata.name": name, **labels}
    marks = {"opencontrail.org/isolation": "true"} if isolated else {}
    return cluster.with_("Namespace", "", name, NamespaceRecord(labels=held, annotations=marks))


def pod(
    cluster: Cluster, place: str, *ports: ContainerPort, number: int = 0, host: bool = False, **labels: str
) -> Cluster:
    """With this pod, namespace/name; its addresses follow from how many there are, or from `number`."""
    space, name = place.split("/")
    number = number or 1 + len(cluster.of("Pod"))
    addresses = (f"10.32.0.{number}", f"fd00:32::{number:x}")[: len(cluster.settings.pod_subnets)]
    named = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    record = PodRecord(
        labels=named,
        node_name="m1",
        host_network=host,
        phase="Running",
        pod_ips=("192.168.0.1",) if host else addresses,
        ports=ports,
    )
    return cluster.with_("Pod", space, name, record)


def node(cluster: Cluster, name: str = "m1", address: str = "192.168.0.1", **labels: str) -> Cluster:
    """With this node."""
    held = (NodeAddress("Hostname", name), NodeAddress("InternalIP", address))
    return cluster.with_("Node", "", name, NodeRecord(labels=labels, addresses=held))


def policy(
    cluster: Cluster,
    place: str,
    selector: LabelSelector = ALL,
    *,
    ingress: tuple[PolicyRule, ...] | None = None,
    egress: tuple[PolicyRule, ...] | None = None,
) -> Cluster:
    """With this policy, namespace/name; None for a direction is that it does not isolate for it."""
    space, name = place.split("/")
    record = NetworkPolicyRecord(
        pod_selector=selector,
        isolates_ingress=ingress is not None,
        isolates_egress=egress is not None,
        ingress=ingress or (),
        egress=egress or (),
    )
    return cluster.with_("NetworkPolicy", space, name, record)


def labelled(**labels: str) -> LabelSelector:
    """Selector of these labels; `__` is a slash and `_` a dash."""
    return LabelSelector(match_labels={k.replace("__", "/").replace("_", "-"): v for k, v in labels.items()})


def expressed(*wanted: tuple[str, str, tuple[str, ...]], **labels: str) -> LabelSelector:
    """Selector of these requirements (key, operator, values), and of these labels."""
    several = tuple(LabelRequirement(key=key, operator=operator, values=values) for key, operator, values in wanted)
    return LabelSelector(match_labels=labels, match_expressions=several)


def rule(*peers: PolicyPeer, ports: tuple[PolicyPort, ...] = ()) -> PolicyRule:
    """A rule."""
    return PolicyRule(peers=peers, ports=ports)


def pods(selector: LabelSelector | None = None, of: LabelSelector | None = None) -> PolicyPeer:
    """Pods by their labels and their namespaces'."""
    return PolicyPeer(pod_selector=selector, namespace_selector=of)


def block(cidr: str, *excluded: str) -> PolicyPeer:
    """An IP block."""
    return PolicyPeer(ip_block=IpBlock(cidr=cidr, excluded=excluded))


def port(number: int | str, end: int = 0, protocol: str = "TCP") -> PolicyPort:
    """A port, a range or a name."""
    if isinstance(number, str):
        return PolicyPort(protocol=protocol, port_name=number)
    return PolicyPort(protocol=protocol, port=number, end_port=end)


def shop(settings: SettingsRecord = DUAL) -> Cluster:
    """Two namespaces, five pods and a node: web and db (both of shop), tool (no labels), and two in other."""
    cluster = namespace(namespace(Cluster(settings=settings), "shop", team="x"), "other", team="y")
    cluster = pod(cluster, "shop/web", ContainerPort(port=80, name="http"), app="web", tier="front")
    cluster = pod(cluster, "shop/db", ContainerPort(port=5432, name="sql"), app="db")
    cluster = pod(cluster, "shop/tool")
    cluster = pod(cluster, "other/web", ContainerPort(port=8080, name="http"), app="web")
    cluster = pod(cluster, "other/db", app="db", team="x")
    return node(cluster)


DB, WEB = labelled(app="db"), labelled(app="web")


def into_db(*peers: PolicyPeer, ports: tuple[PolicyPort, ...] = (), cluster: Cluster | None = None) -> Cluster:
    """The shop with a policy that lets these peers reach its db on these ports."""
    return policy(cluster or shop(), "shop/in", DB, ingress=(rule(*peers, ports=ports),))


def out_of_web(*peers: PolicyPeer, ports: tuple[PolicyPort, ...] = (), cluster: Cluster | None = None) -> Cluster:
    """The shop with a policy that lets its web reach these peers on these ports."""
    return policy(cluster or shop(), "shop/out", WEB, egress=(rule(*peers, ports=ports),))
