"""What a pod asks for and does not get, though nothing is wrong with it (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from schemas.errors import TranslationError
from schemas.records import PodRecord
from translator.notice import Notice
from translator.resource import Resource
from translator.translate import attachment, selection
from translator.translate.membership import label_of
from translator.translate.selection import Selection
from translator.view import View

MISSING = "AttachmentMissing"
UNREADABLE = "AttachmentUnreadable"


def notices(pod: Resource, view: View) -> tuple[Notice, ...]:
    """Notices of a pod with interfaces of ours; nearly all pods have nothing that could be told of."""
    held = cast(PodRecord, pod.body).annotations
    return tuple(_notices(pod, held, view)) if selection.NETWORKS in held else ()


def _notices(pod: Resource, held: dict[str, str], view: View) -> Iterator[Notice]:
    wanted = selection.selections(label_of(pod), pod.namespace, held)
    found = view.get_all([(attachment.KIND, each.namespace, each.name) for each in wanted])
    for each, definition in zip(wanted, found, strict=True):
        if (notice := _of_attachment(each, definition, view)) is not None:
            yield notice


def _of_attachment(wanted: Selection, definition: Resource | None, view: View) -> Notice | None:
    asks = f"annotation {selection.NETWORKS} asks for {wanted.namespace}/{wanted.name}"
    without = f"the pod has no interface {wanted.interface}"
    if definition is None:
        return Notice(MISSING, f"{asks}, and there is no such {attachment.KIND}: {without}")
    try:
        attachment.place_of(definition, view)
    except TranslationError as error:
        return Notice(UNREADABLE, f"{asks}, which cannot be used: {without}: {error}")
    return None
