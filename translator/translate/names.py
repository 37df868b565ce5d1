"""Names of Contrail objects made from Kubernetes names (pure).

Kept as the original controller wrote them, because the vrouter agent, the CNI and people's tools know them.
Named objects take their uuid from their name, so everybody who refers to one computes the same.
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

IP_FABRIC: FqName = ("default-domain", "default-project", "ip-fabric")
"""The underlay's network: Contrail makes it at its first start, it is not ours."""
GLOBAL_SYSTEM = "default-global-system-config"


class Named(msgspec.Struct, frozen=True, gc=False):
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


@lru_cache(maxsize=65536)
def _named(cluster: str, contrail_type: str, fq_name: FqName) -> Named:
    return Named(contrail_type, fq_name, object_uuid(cluster, contrail_type, joined(fq_name)))


def project(settings: SettingsRecord, namespace: str) -> Named:
    """Project of a namespace; that of namespace `default` also holds what belongs to the whole cluster."""
    return _named(settings.cluster, PROJECT, (settings.domain, f"{settings.cluster}-{namespace}"))


def default_project(settings: SettingsRecord) -> Named:
    """Project of the cluster's own objects."""
    return project(settings, "default")


def in_default_project(settings: SettingsRecord, contrail_type: str, suffix: str) -> Named:
    """Object `<cluster>-<suffix>` of the default project."""
    fq_name = (*default_project(settings).fq_name, f"{settings.cluster}-{suffix}")
    return _named(settings.cluster, contrail_type, fq_name)


def default_pod_network(settings: SettingsRecord) -> Named:
    """Network of the pods of every namespace that is not isolated."""
    return in_default_project(settings, NETWORK, "default-pod-network")


def default_service_network(settings: SettingsRecord) -> Named:
    """Network of the service addresses of every namespace that is not isolated."""
    return in_default_project(settings, NETWORK, "default-service-network")


def default_security_group(settings: SettingsRecord, namespace: str) -> Named:
    """Security group that every interface of the namespace is in."""
    fq_name = (*project(settings, namespace).fq_name, f"{settings.cluster}-{namespace}-default-sg")
    return _named(settings.cluster, SECURITY_GROUP, fq_name)


def machine_name(settings: SettingsRecord, namespace: str, pod: str) -> FqName:
    """fq_name of a pod's virtual-machine: the CNI asks the vrouter agent for exactly this name."""
    return (f"{settings.cluster}__{namespace}__{pod}",)
