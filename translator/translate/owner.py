"""Owner annotations: how the audit, and people, know which Kubernetes object a Contrail object is made for (pure)."""

from __future__ import annotations

from schemas.contrail.objects import Json
from schemas.records import SettingsRecord


def owner_annotations(settings: SettingsRecord, kind: str, namespace: str, name: str, **more: str) -> dict[str, Json]:
    """Contrail's `annotations` property: owner, cluster, project, kind, namespace, name, and `more`; sorted by key.

    `namespace` is '' for what belongs to the whole cluster; such objects carry no namespace annotation.
    """
    pairs = {
        "owner": settings.owner,
        "cluster": settings.cluster,
        "project": settings.project or f"{settings.cluster}-{namespace or 'default'}",
        "kind": kind,
        "name": name,
        **more,
    }
    if namespace:
        pairs["namespace"] = namespace
    return {"key_value_pair": [{"key": key, "value": pairs[key]} for key in sorted(pairs)]}
