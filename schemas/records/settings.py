"""The cluster's settings as a resource, so that bootstrap objects are a translation like any other (pure)."""

from __future__ import annotations

import msgspec


class SettingsRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster-wide objects are made from; never on the bus: the translator makes it from its settings.

    Subnets are CIDR texts in the order of the settings.
    """

    cluster: str
    owner: str
    domain: str
    pod_subnets: tuple[str, ...]
    service_subnets: tuple[str, ...]
    ip_fabric_subnets: tuple[str, ...]
