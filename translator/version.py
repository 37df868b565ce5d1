"""Which rules made a desired object: the number of the translation's rules and a digest of the settings (pure)."""

from __future__ import annotations

from schemas.records import SettingsRecord
from schemas.settings import ClusterSettings
from translator.resource import canonical, digest_of

RULES = 6
"""Raise it when an unchanged resource translates differently: every partition is then translated anew at start."""


def version_of(settings: SettingsRecord) -> str:
    """`<rules>-<12 hex digits of the settings' digest>`."""
    return f"{RULES}-{digest_of(canonical(settings)).hex()[:12]}"


def settings_record(cluster: ClusterSettings) -> SettingsRecord:
    """The cluster's settings as the resource that the bootstrap objects are made from."""
    return SettingsRecord(
        cluster=cluster.name,
        owner=cluster.owner,
        domain=cluster.domain,
        pod_subnets=cluster.pod_subnets,
        service_subnets=cluster.service_subnets,
        ip_fabric_subnets=cluster.ip_fabric_subnets,
        project=cluster.project,
        ip_fabric_snat=cluster.ip_fabric_snat,
        ip_fabric_forwarding=cluster.ip_fabric_forwarding,
        public_pool=cluster.public_pool,
        nested=cluster.nested,
        nested_network=cluster.nested_network,
        ingress_without_class=cluster.ingress_without_class,
        service_load_balancer=cluster.service_load_balancer,
        port_translation_pools=cluster.port_translation_pools,
        link_local_services=cluster.link_local_services,
        virtual_routers=cluster.virtual_routers,
    )
