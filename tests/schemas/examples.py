"""One example of every event and record: what the contract tests over stored bytes read and write.

Never change an example whose bytes are stored; add another one.
"""

from __future__ import annotations

from schemas.events import ChangeEvent, Op, Source, change, marker
from schemas.identity import ResourceKey
from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminPods,
    AdminPort,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
    ChainNetwork,
    ChainPort,
    ChainService,
    ChainTraffic,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSliceRecord,
    IngressBackend,
    IngressClassRecord,
    IngressPath,
    IngressRecord,
    IngressRule,
    IngressTls,
    IpBlock,
    LabelRequirement,
    LabelSelector,
    LoadBalancerAddress,
    NamespaceRecord,
    NetworkAttachmentDefinitionRecord,
    NetworkPolicyRecord,
    NodeAddress,
    NodeRecord,
    OwnerReference,
    PodRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
    Record,
    ServiceChainRecord,
    ServicePort,
    ServiceRecord,
    WorkloadRecord,
)

SOURCE = Source(cluster="k8s", cluster_uid="c-1", watcher="w-1", version="0.1.0", observed_at=1_700_000_000_000_001)
POD = change(
    op=Op.UPSERT,
    epoch=3,
    key=ResourceKey("Pod", "shop", "cart-0"),
    uid="0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001",
    resource_version="812",
    source=SOURCE,
    body=PodRecord(
        labels={"app": "cart", "tier": "ünïcode"},
        annotations={"opencontrail.org/network": "{}"},
        owners=(OwnerReference(api_version="apps/v1", kind="StatefulSet", name="cart", uid="u-9", controller=True),),
        node_name="node-a",
        phase="Running",
        ready=True,
        host_ips=("192.0.2.10",),
        pod_ips=("10.47.255.252",),
        ports=(ContainerPort(port=8080, name="http"), ContainerPort(port=9, protocol="SCTP")),
    ),
)
EVENTS: dict[str, ChangeEvent] = {
    "pod": POD,
    "namespace": change(
        op=Op.READ,
        epoch=1,
        key=ResourceKey("Namespace", "", "shop"),
        uid="u-2",
        resource_version="5",
        source=SOURCE,
        body=NamespaceRecord(labels={"a": "b"}, annotations={"opencontrail.org/isolation": "true"}, deleting=True),
    ),
    "node": change(
        op=Op.UPSERT,
        epoch=1,
        key=ResourceKey("Node", "", "node-a"),
        uid="u-3",
        resource_version="6",
        source=SOURCE,
        body=NodeRecord(addresses=(NodeAddress("InternalIP", "192.0.2.10"),), pod_cidrs=("10.0.0.0/24",)),
    ),
    "delete": change(
        op=Op.DELETE, epoch=1, key=ResourceKey("Pod", "shop", "x"), uid="u-4", resource_version="7", source=SOURCE
    ),
    "marker": marker(op=Op.SNAPSHOT_END, epoch=9, kind="Pod", partition=3, source=SOURCE),
}


def _example(kind: str, api_version: str, body: Record, *, namespace: str = "shop") -> ChangeEvent:
    return change(
        op=Op.UPSERT,
        epoch=2,
        key=ResourceKey(kind, namespace, "cart"),
        uid="u-10",
        resource_version="900",
        source=SOURCE,
        body=body,
        api_version=api_version,
    )


_SELECTOR = LabelSelector(
    match_labels={"app": "cart"},
    match_expressions=(LabelRequirement(key="tier", operator="NotIn", values=("a", "b")),),
)
_OWNER = OwnerReference(api_version="apps/v1", kind="Deployment", name="cart", uid="u-11", controller=True)
_BACKEND = IngressBackend(service="cart", port_name="http")

EVENTS |= {
    "service": _example(
        "Service",
        "v1",
        ServiceRecord(
            labels={"opencontrail.org/name": "cart"},
            annotations={"opencontrail.org/fip-pool": "{}"},
            type="LoadBalancer",
            cluster_ips=("10.96.0.7", "fd00::7"),
            ip_families=("IPv4", "IPv6"),
            ports=(
                ServicePort(port=80, name="http", target_port_name="web", node_port=30080, app_protocol="http"),
                ServicePort(port=53, protocol="UDP", target_port=5353),
            ),
            selector={"app": "cart"},
            external_ips=("203.0.113.9",),
            external_name="cart.example.org",
            load_balancer_ip="203.0.113.7",
            load_balancer_class="opencontrail.org/lb",
            load_balancer_source_ranges=("192.0.2.0/24",),
            affinity_seconds=10800,
            publish_not_ready=True,
            internal_traffic_policy="Local",
            external_traffic_policy="Local",
            load_balancer=(LoadBalancerAddress(ip="203.0.113.7"), LoadBalancerAddress(hostname="lb.example.org")),
            deleting=True,
        ),
    ),
    "headless": _example("Service", "v1", ServiceRecord(headless=True)),
    "endpoint_slice": _example(
        "EndpointSlice",
        "discovery.k8s.io/v1",
        EndpointSliceRecord(
            service="cart",
            address_type="IPv6",
            endpoints=(
                Endpoint(addresses=("fd00::5",), pod_uid="u-4", pod_name="cart-0", node_name="node-a"),
                Endpoint(addresses=("fd00::6",), ready=False, serving=False, terminating=True),
            ),
            ports=(EndpointPort(), EndpointPort(port=8080, name="http", protocol="SCTP", app_protocol="http")),
        ),
    ),
    "network_policy": _example(
        "NetworkPolicy",
        "networking.k8s.io/v1",
        NetworkPolicyRecord(
            pod_selector=_SELECTOR,
            isolates_ingress=True,
            isolates_egress=True,
            ingress=(
                PolicyRule(),
                PolicyRule(
                    peers=(
                        PolicyPeer(pod_selector=LabelSelector(), namespace_selector=_SELECTOR),
                        PolicyPeer(namespace_selector=LabelSelector()),
                        PolicyPeer(ip_block=IpBlock(cidr="10.0.0.0/8", excluded=("10.1.0.0/16",))),
                    ),
                    ports=(PolicyPort(port=80, end_port=90), PolicyPort(protocol="UDP", port_name="dns")),
                ),
            ),
        ),
    ),
    "ingress": _example(
        "Ingress",
        "networking.k8s.io/v1",
        IngressRecord(
            annotations={"externalIP": "203.0.113.8"},
            class_name="contrail",
            legacy_class="opencontrail",
            default_backend=IngressBackend(resource="k8s.example.org/Bucket/static"),
            rules=(
                IngressRule(),
                IngressRule(
                    host="*.example.org",
                    paths=(
                        IngressPath(backend=_BACKEND, path="/cart", path_type="Exact"),
                        IngressPath(backend=IngressBackend(service="web", port=80)),
                    ),
                ),
            ),
            tls=(IngressTls(hosts=("a.example.org",), secret_name="certificate"), IngressTls()),
            deleting=True,
        ),
    ),
    "ingress_class": _example(
        "IngressClass",
        "networking.k8s.io/v1",
        IngressClassRecord(controller="opencontrail.org/ingress", is_default=True),
        namespace="",
    ),
    "network_attachment_definition": _example(
        "NetworkAttachmentDefinition",
        "k8s.cni.cncf.io/v1",
        NetworkAttachmentDefinitionRecord(
            annotations={"opencontrail.org/cidr": "10.200.1.0/24"}, config='{"type": "contrail-k8s-cni"}'
        ),
    ),
    "workload": _example(
        "ReplicaSet", "apps/v1", WorkloadRecord(labels={"opencontrail.org/name": "cart"}, owners=(_OWNER,))
    ),
    "service_chain": _example(
        "ServiceChain",
        "opencontrail.org/v1alpha1",
        ServiceChainRecord(
            left=ChainNetwork(attachment="shop/inside"),
            right=ChainNetwork(network="default-domain:admin:public"),
            services=(
                ChainService(name="firewall", mode="in-network", pod_selector=_SELECTOR, left_interface="net1"),
                ChainService(name="tap", mode="transparent", pod_selector=LabelSelector(), right_interface="net2"),
            ),
            traffic=(
                ChainTraffic(),
                ChainTraffic(protocol="TCP", ports=(ChainPort(port=80, end_port=90),), direction="left-to-right"),
            ),
            deleting=True,
        ),
    ),
    "service_chain_of_a_namespace": _example(
        "ServiceChain",
        "opencontrail.org/v1alpha1",
        ServiceChainRecord(left=ChainNetwork(namespace="shop"), right=ChainNetwork(namespace="out")),
    ),
    "admin_network_policy": _example(
        "AdminNetworkPolicy",
        "policy.networking.k8s.io/v1alpha1",
        AdminNetworkPolicyRecord(
            priority=1000,
            subject=AdminPods(namespace_selector=_SELECTOR),
            ingress=(
                AdminRule(
                    action="Pass",
                    peers=(AdminPeer(pods=AdminPods(namespace_selector=_SELECTOR, pod_selector=_SELECTOR)),),
                    ports=(AdminPort(port_name="http"), AdminPort(protocol="UDP", port=53, end_port=54)),
                    name="ünïcode",
                ),
                AdminRule(action="Deny", peers=(AdminPeer(pods=AdminPods()),)),
            ),
            egress=(
                AdminRule(
                    action="Allow",
                    peers=(
                        AdminPeer(domain_names=("*.example.org",)),
                        AdminPeer(networks=("10.0.0.0/8", "fd00::/8")),
                        AdminPeer(nodes=_SELECTOR),
                    ),
                    ports=(AdminPort(protocol="SCTP", port=9),),
                ),
            ),
        ),
        namespace="",
    ),
    "admin_network_policy_of_pods": _example(
        "AdminNetworkPolicy",
        "policy.networking.k8s.io/v1alpha1",
        AdminNetworkPolicyRecord(
            subject=AdminPods(pod_selector=_SELECTOR),
            egress=(AdminRule(action="Deny", peers=(AdminPeer(pods=AdminPods()), AdminPeer(networks=("::/0",)))),),
        ),
        namespace="",
    ),
    "baseline_admin_network_policy": change(
        op=Op.READ,
        epoch=1,
        key=ResourceKey("BaselineAdminNetworkPolicy", "", "default"),
        uid="u-12",
        resource_version="901",
        source=SOURCE,
        body=BaselineAdminNetworkPolicyRecord(
            subject=AdminPods(pod_selector=_SELECTOR),
            ingress=(AdminRule(action="Deny", peers=(AdminPeer(pods=AdminPods()),)),),
            egress=(AdminRule(action="Deny", peers=(AdminPeer(networks=("0.0.0.0/0",)),)),),
        ),
        api_version="policy.networking.k8s.io/v1alpha1",
    ),
}
