"""What the first translation of a resource will ask for, as far as its body tells (pure).

Only a matter of speed: what is not foreseen is loaded when it is asked for, at the price of translating again; what is
foreseen and not asked for was loaded in vain.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.records import EndpointSliceRecord, PodRecord
from translator.resource import Key, Resource, key_of
from translator.view import can_be


def foresee(resource: Resource) -> Iterator[Key]:
    """Keys of the namespace, and of whatever else the body names."""
    body, space = resource.body, resource.namespace
    if space:
        yield key_of("Namespace", "", space)
    if isinstance(body, PodRecord):
        named = [(owner.kind, space, owner.name) for owner in body.owners if owner.controller]
        named += [("Node", "", body.node_name)] if body.node_name else []
    elif isinstance(body, EndpointSliceRecord):
        named = [("Pod", space, each.pod_name) for each in body.endpoints if each.pod_name]
        named += [("Service", space, body.service)] if body.service else []
    else:
        return
    yield from (key_of(*name) for name in named if can_be(name[-1]))
