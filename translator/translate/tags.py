"""Tags of pods and namespaces: their names, the objects, and which of them an interface carries from birth (pure).

All are global, because projects differ, so each is prefixed by the cluster. All but one are of type `label`, of which
an interface has many: its own, and its project's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from schemas.contrail.objects import ContrailObject, Reference
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.resource import SETTINGS
from translator.translate.names import Named
from translator.translate.owner import owner_annotations

TAG = "tag"
LABEL = "label"
APPLICATION = "application"
"""The type of the one tag that chooses the rules of an interface: an interface obeys one set of them."""
POD, NAMESPACE = "pod", "ns"
"""What a label is on: the first part of a key, `pod.app`, `ns.team`."""
_GUARD = re.compile(rf"{LABEL}=[^=]*\.guard\.[0-9a-f]{{32}}")
LONGEST = 300
"""Characters of a tag's value; a longer one is written as its hash."""

UNTAGGED = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
        "controller-uid",
        "job-name",
    }
)
"""Labels of pods that hardly two pods, or two generations of them, share: as tags they would cost calls."""


def is_tagged(key: str) -> bool:
    """Whether a label of this key (`pod.app`, `ns.team`) is a tag of whatever has it."""
    return not (key.startswith(f"{POD}.") and key[len(POD) + 1 :] in UNTAGGED)


@lru_cache(maxsize=65536)
def label_text(cluster: str, key: str, value: str) -> str:
    """Value of the tag that a label is: `<cluster>.pod.app=web`; '/' is written '~', which no label holds."""
    text = f"{cluster}.{key.replace('/', '~')}={value}"
    if len(text) <= LONGEST:
        return text
    kind, _, rest = key.partition(".")
    return f"{cluster}.{kind}~{hashlib.sha256(f'{rest}={value}'.encode()).hexdigest()}"


def pod_text(cluster: str) -> str:
    """Value of the tag that every interface of a pod has."""
    return f"{cluster}.pod"


def namespace_text(cluster: str, namespace: str) -> str:
    """Value of the tag that every interface of the namespace's pods has."""
    return f"{cluster}.namespace={namespace}"


def member_text(cluster: str, digest: str) -> str:
    """Value of a membership tag."""
    return f"{cluster}.sel.{digest}"


def guard_text(cluster: str, digest: str) -> str:
    """Value of a tag of those that a service with source ranges leads to."""
    return f"{cluster}.guard.{digest}"


def is_guard(tag: str) -> bool:
    """Whether this is the name of such a tag: rules for it are no policy's."""
    return _GUARD.fullmatch(tag) is not None


@lru_cache(maxsize=65536)
def named(cluster: str, text: str, type_: str = LABEL) -> Named:
    """The tag of this value."""
    name = (f"{type_}={text}",)
    return Named(TAG, name, object_uuid(cluster, TAG, name[0]))


def application(settings: SettingsRecord, namespace: str) -> Named:
    """The tag that binds an interface to the rules of the namespace."""
    return named(settings.cluster, f"{settings.cluster}.{namespace}", APPLICATION)


@lru_cache(maxsize=65536)
def tag_object(settings: SettingsRecord, text: str, type_: str = LABEL) -> ContrailObject:
    """The tag of this value; whoever needs it asks for it, all in the same words."""
    tag = named(settings.cluster, text, type_)
    return ContrailObject(
        tag.type,
        tag.fq_name,
        tag.uuid,
        None,
        {
            "annotations": owner_annotations(settings, SETTINGS, "", settings.cluster),
            "tag_type_name": type_,
            "tag_value": text,
        },
    )


class Worn(msgspec.Struct, frozen=True, gc=False, eq=False):
    """Tags that an object wears: its references to all of them, and those that it asks for itself, for its labels.

    Equal to itself alone, so that what is kept by it is found at once.
    """

    references: tuple[Reference, ...] = ()
    objects: tuple[ContrailObject, ...] = ()


_Labels = tuple[tuple[str, str], ...]


def of_namespace(settings: SettingsRecord, labels: Mapping[str, str]) -> Worn:
    """What a namespace's project wears, and its pods by it."""
    return _of_labels(settings, NAMESPACE, tuple(labels.items()))


def of_pod(settings: SettingsRecord, namespace: str, labels: Mapping[str, str], inherited: Mapping[str, str]) -> Worn:
    """What a pod's interfaces wear; `inherited` are labels of the namespace that no project wears for it."""
    return _of_pod(settings, namespace, tuple(labels.items()), tuple(inherited.items()))


@lru_cache(maxsize=16384)
def _of_pod(settings: SettingsRecord, namespace: str, labels: _Labels, inherited: _Labels) -> Worn:
    """Kept, because pods of one workload have the same labels."""
    cluster = settings.cluster
    every = (
        application(settings, namespace),
        named(cluster, namespace_text(cluster, namespace)),
        named(cluster, pod_text(cluster)),
    )
    mine = _of_labels(settings, POD, labels)
    more = _of_labels(settings, NAMESPACE, inherited).references
    return Worn((*(each.reference() for each in every), *mine.references, *more), mine.objects)


@lru_cache(maxsize=16384)
def _of_labels(settings: SettingsRecord, kind: str, labels: _Labels) -> Worn:
    texts = [
        label_text(settings.cluster, f"{kind}.{key}", value)
        for key, value in sorted(labels)
        if is_tagged(f"{kind}.{key}")
    ]
    references = tuple(named(settings.cluster, text).reference() for text in texts)
    return Worn(references, tuple(tag_object(settings, text) for text in texts))
