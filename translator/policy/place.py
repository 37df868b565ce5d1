"""The namespace that a list is for: its endpoints, and the families of its pods' addresses (pure)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import msgspec

from schemas.records import SettingsRecord
from translator.policy.model import Endpoint, Tags
from translator.resource import Resource
from translator.translate import tags


class Place(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A namespace as rules name it; `families` are 4, 6 or both."""

    cluster: str
    namespace: str
    families: tuple[int, ...]

    def own(self, wanted: Tags) -> Endpoint:
        """Pods of this namespace that carry these tags."""
        return _endpoint(self.cluster, wanted, tags.namespace_text(self.cluster, self.namespace))

    def pods(self, wanted: Tags) -> Endpoint:
        """Pods of any namespace that carry these tags."""
        return _endpoint(self.cluster, wanted, tags.pod_text(self.cluster))


def place_of(namespace: Resource, settings: SettingsRecord) -> Place:
    """The place of a namespace."""
    families = sorted({ipaddress.ip_network(each).version for each in settings.pod_subnets})
    return Place(settings.cluster, namespace.name, tuple(families))


@lru_cache(maxsize=65536)
def _endpoint(cluster: str, wanted: Tags, sort: str) -> Endpoint:
    labels = (tags.label_text(cluster, key, value) for key, value in wanted.labels)
    return Endpoint(tags=tuple(sorted((sort, *labels, *wanted.members))))
