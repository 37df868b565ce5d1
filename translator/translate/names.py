"""Names of Contrail objects made from Kubernetes names (pure).

Kept as the original controller wrote them, because the vrouter agent, the CNI and people's tools know them.
Named objects take their uuid from their name, so everybody who refers to one computes the same. Names that are new
put '__' where the original would put '-': no name of Kubernetes' holds it, so two of them never meet.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from schemas.contrail.objects import FqName, Reference, joined
from schemas.identity import object_uuid
from schemas.records import SettingsRecord

DOMAIN = "domain"
PROJECT = "project"
NETWORK = "virtual-network"
IPAM = "network-ipam"
POLICY = "network-policy"
SECURITY_GROUP = "security-group"
MACHINE = "virtual-machine"
INTERFACE = "virtual-machine-interface"
INSTANCE_IP = "instance-ip"
ROUTER = "virtual-router"
VROUTER_CONFIG = "global-vrouter-config"
LOGICAL_ROUTER = "logical-router"
POOL = "floating-ip-pool"
FLOATING_IP = "floating-ip"
DEFAULT_INTERFACE = "eth0"
"""A pod's first interface, as the CNI names it."""

DEFAULT = "default"
"""The namespace whose project also holds what belongs to the whole cluster."""
IP_FABRIC: FqName = ("default-domain", "default-project", "ip-fabric")
"""The underlay's network: Contrail makes it at its first start, it is not ours."""
_OURS = ("-pod-network", "-service-network", "-nad-network")
GLOBAL_SYSTEM_TYPE = "global-system-config"
GLOBAL_SYSTEM = "default-global-system-config"
VROUTERS: FqName = (GLOBAL_SYSTEM, "default-global-vrouter-config")
"""What holds for all nodes of a Contrail; it is not ours, and clusters share it."""


class Named(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A named object of ours: type, fq_name and the uuid that follows from them."""

    type: str
    fq_name: FqName
    uuid: str

    def reference(self, attr: object = None) -> Reference:
        """A reference to it."""
        return Reference(self.type, self.fq_name, self.uuid, attr)

    @property
    def joined(self) -> str:
        """Colon-joined fq_name."""
        return joined(self.fq_name)


class Foreign(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """An object that somebody else makes: named by the settings or an annotation, its uuid known to Contrail alone."""

    type: str
    fq_name: FqName
    uuid: None = None

    def reference(self, attr: object = None) -> Reference:
        """A reference to it, by name."""
        return Reference(self.type, self.fq_name, None, attr)

    @property
    def joined(self) -> str:
        """Colon-joined fq_name."""
        return joined(self.fq_name)


Known = Named | Foreign
"""What can be referred to, and can be a parent: `uuid` is None where it is not ours."""


@lru_cache(maxsize=65536)
def _named(cluster: str, contrail_type: str, fq_name: FqName) -> Named:
    return Named(contrail_type, fq_name, object_uuid(cluster, contrail_type, joined(fq_name)))


def project(settings: SettingsRecord, namespace: str) -> Known:
    """Project of a namespace: its own, or the one that the settings name for all of them, which is not ours.

    That of namespace `default` also holds what belongs to the whole cluster.
    """
    if settings.project:
        return Foreign(PROJECT, (settings.domain, settings.project))
    return _named(settings.cluster, PROJECT, (settings.domain, f"{settings.cluster}-{namespace}"))


def default_project(settings: SettingsRecord) -> Known:
    """Project of the cluster's own objects."""
    return project(settings, DEFAULT)


def in_project(settings: SettingsRecord, namespace: str, contrail_type: str, suffix: str) -> Named:
    """Object `<cluster>-<suffix>` of the namespace's project."""
    fq_name = (*project(settings, namespace).fq_name, f"{settings.cluster}-{suffix}")
    return _named(settings.cluster, contrail_type, fq_name)


def in_default_project(settings: SettingsRecord, contrail_type: str, suffix: str) -> Named:
    """Object `<cluster>-<suffix>` of the default project."""
    return in_project(settings, DEFAULT, contrail_type, suffix)


def default_pod_network(settings: SettingsRecord) -> Named:
    """Network of the pods of every namespace that is not isolated."""
    return pod_network(settings, DEFAULT)


def default_service_network(settings: SettingsRecord) -> Named:
    """Network of the service addresses of every namespace that is not isolated."""
    return service_network(settings, DEFAULT)


def pod_network(settings: SettingsRecord, namespace: str) -> Named:
    """Pod network of an isolated namespace; that of `default` is the cluster's."""
    return in_project(settings, namespace, NETWORK, f"{namespace}-pod-network")


def service_network(settings: SettingsRecord, namespace: str) -> Named:
    """Service network of an isolated namespace; that of `default` is the cluster's."""
    return in_project(settings, namespace, NETWORK, f"{namespace}-service-network")


def pod_service_policy(settings: SettingsRecord, namespace: str) -> Named:
    """Policy that connects the two networks of a namespace; that of `default` is the cluster's."""
    return in_project(settings, namespace, POLICY, f"{namespace}-pod-service-np")


def ip_fabric_policy(settings: SettingsRecord) -> Named:
    """Policy that connects each network under it with the nodes."""
    return in_default_project(settings, POLICY, "default-ip-fabric-np")


def nested_policy(settings: SettingsRecord) -> Named:
    """Policy that connects each network under it with the virtual machines that nodes are, in nested mode."""
    return in_default_project(settings, POLICY, "nested-underlay-np")


def node_policies(settings: SettingsRecord) -> tuple[Named, ...]:
    """Policies that connect each network under them with the nodes."""
    nested = (nested_policy(settings),) if settings.nested_network else ()
    return (ip_fabric_policy(settings), *nested)


def default_service_policy(settings: SettingsRecord) -> Named:
    """Policy that connects each network under it with the default service network, and with no other."""
    return in_default_project(settings, POLICY, "default-service-np")


def app_pod_network(settings: SettingsRecord, namespace: str, app: str) -> Named:
    """Pod network of an app of a namespace."""
    return in_project(settings, namespace, NETWORK, f"{namespace}__{app}-pod-network")


def app_service_network(settings: SettingsRecord, namespace: str, app: str) -> Named:
    """Service network of an app of a namespace."""
    return in_project(settings, namespace, NETWORK, f"{namespace}__{app}-service-network")


def app_policy(settings: SettingsRecord, namespace: str, app: str) -> Named:
    """Policy that connects the two networks of an app."""
    return in_project(settings, namespace, POLICY, f"{namespace}__{app}-pod-service-np")


def attachment_network(settings: SettingsRecord, namespace: str, attachment: str) -> Named:
    """Network that a NetworkAttachmentDefinition asks for.

    Named as the original does, unless something else in the project could have that name, too.
    """
    unsure = settings.project or attachment == namespace
    suffix = f"{namespace}__{attachment}-nad-network" if unsure else f"{attachment}-pod-network"
    return in_project(settings, namespace, NETWORK, suffix)


def attachment_ipam(settings: SettingsRecord, namespace: str, attachment: str) -> Named:
    """IPAM of that network."""
    unsure = settings.project or attachment == namespace
    suffix = f"{namespace}__{attachment}-nad-ipam" if unsure else f"{attachment}-pod-ipam"
    return in_project(settings, namespace, IPAM, suffix)


def pod_ipam(settings: SettingsRecord) -> Named:
    """Addresses of pods, shared by all pod networks."""
    return in_default_project(settings, IPAM, "pod-ipam")


def service_ipam(settings: SettingsRecord) -> Named:
    """Addresses of services, shared by all service networks."""
    return in_default_project(settings, IPAM, "service-ipam")


def ip_fabric_ipam(settings: SettingsRecord) -> Named:
    """Addresses of pods in networks whose pods are reached through the underlay."""
    return in_default_project(settings, IPAM, "ip-fabric-ipam")


def logical_router(settings: SettingsRecord, namespace: str) -> Named:
    """Router of a namespace's pod network to an external network."""
    return in_project(settings, namespace, LOGICAL_ROUTER, f"{namespace}-router")


def router_interface(settings: SettingsRecord, namespace: str) -> Named:
    """That router's interface in the pod network."""
    return in_project(settings, namespace, INTERFACE, f"{namespace}-router-interface")


def default_security_group(settings: SettingsRecord, namespace: str) -> Named:
    """Security group that every interface of the namespace is in."""
    return in_project(settings, namespace, SECURITY_GROUP, f"{namespace}-default-sg")


def machine_name(settings: SettingsRecord, namespace: str, pod: str) -> FqName:
    """fq_name of a pod's virtual-machine: the CNI asks the vrouter agent for exactly this name."""
    return (f"{settings.cluster}__{namespace}__{pod}",)


@lru_cache(maxsize=8192)
def pod_interface(
    settings: SettingsRecord, namespace: str, pod: str, uid: str, network: Known, name: str = DEFAULT_INTERFACE
) -> Named:
    """A pod's interface of this name, default the first one, in this network."""
    uuid = object_uuid(settings.cluster, INTERFACE, part_key(settings, uid, pod_part(settings, name), network))
    return Named(INTERFACE, (*project(settings, namespace).fq_name, f"{pod}__{uuid}"), uuid)


def is_made_here(settings: SettingsRecord, network: FqName) -> bool:
    """Whether a network's name is one that we give: then its policies are in its own translation."""
    return network[-1].startswith(f"{settings.cluster}-") and network[-1].endswith(_OURS)


def pod_part(settings: SettingsRecord, part: str) -> str:
    """The part of a pod's key: none of what is there becomes a sub-interface, so in nested mode they are others."""
    return f"{part}~nested" if settings.nested else part


def part_key(settings: SettingsRecord, uid: str, part: str, network: Known) -> str:
    """Natural key of an interface or address of a pod or service in a network.

    Contrail moves neither of them to another network, so in each network they are other objects. In the two default
    networks the key is `<uid>/<part>` alone.
    """
    if network == default_pod_network(settings) or network == default_service_network(settings):
        return f"{uid}/{part}"
    return f"{uid}/{part}@{network.joined}"
