"""The namespace that a list is for: its endpoints, and where its pods' addresses are (pure)."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import msgspec

from schemas.records import NamespaceRecord, SettingsRecord
from translator.policy.model import Endpoint, Tags
from translator.resource import Resource
from translator.translate import annotated, tags
from translator.translate.membership import forwarding


class Place(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A namespace as rules name it.

    `subnets` are those of its pods, unless `is_elsewhere`: then they are in a network whose subnets nobody knows here.
    """

    cluster: str
    namespace: str
    subnets: tuple[str, ...]
    is_elsewhere: bool = False

    def own(self, wanted: Tags) -> Endpoint:
        """Pods of this namespace that carry these tags."""
        return _endpoint(self.cluster, wanted, tags.namespace_text(self.cluster, self.namespace))

    def pods(self, wanted: Tags) -> Endpoint:
        """Pods of any namespace that carry these tags."""
        return _endpoint(self.cluster, wanted, tags.pod_text(self.cluster))


def place_of(namespace: Resource, settings: SettingsRecord) -> Place:
    """The place of a namespace."""
    held = cast(NamespaceRecord, namespace.body).annotations
    forwards = forwarding(namespace, settings)[0]
    subnets = settings.ip_fabric_subnets if forwards else settings.pod_subnets
    return Place(settings.cluster, namespace.name, subnets, annotated.NETWORK in held)


@lru_cache(maxsize=65536)
def _endpoint(cluster: str, wanted: Tags, sort: str) -> Endpoint:
    labels = (tags.label_text(cluster, key, value) for key, value in wanted.labels)
    return Endpoint(tags=tuple(sorted((sort, *labels, *wanted.members))))
