"""Namespace to its project and the security group that its interfaces are in (pure).

The project of namespace `default` is also wanted by the settings: then this one counts (translator/merge.py).
"""

from __future__ import annotations

from schemas.contrail.objects import ContrailObject, Desired, Json
from schemas.identity import object_uuid
from schemas.records import SettingsRecord
from translator.resource import Resource
from translator.translate import names
from translator.translate.owner import owner_annotations
from translator.view import View

_LOCAL: Json = {"security_group": "local"}
_ANY_ADDRESS: tuple[tuple[str, Json], ...] = (
    ("IPv4", {"subnet": {"ip_prefix": "0.0.0.0", "ip_prefix_len": 0}}),
    ("IPv6", {"subnet": {"ip_prefix": "::", "ip_prefix_len": 0}}),
)
_ANY_PORT = {"start_port": 0, "end_port": 65535}


def translate(namespace: Resource, view: View) -> tuple[Desired, ...]:
    """Project and default security group."""
    settings, name = view.settings, namespace.name
    project = names.project(settings, name)
    group = names.default_security_group(settings, name)
    return (
        ContrailObject(
            project.type,
            project.fq_name,
            project.uuid,
            names.DOMAIN,
            {"annotations": owner_annotations(settings, "Namespace", name, name, k8s_uuid=namespace.uid)},
        ),
        ContrailObject(
            group.type,
            group.fq_name,
            group.uuid,
            names.PROJECT,
            {
                "annotations": owner_annotations(settings, "Namespace", name, name),
                "security_group_entries": {"policy_rule": _allow_all(settings, group.joined)},
            },
            parent_uuid=project.uuid,
        ),
    )


def _allow_all(settings: SettingsRecord, group: str) -> list[dict[str, Json]]:
    """Everything in, everything out: NetworkPolicies restrict, security groups do not."""
    ways = [(family, any_address, _LOCAL) for family, any_address in _ANY_ADDRESS]
    ways += [(family, _LOCAL, any_address) for family, any_address in _ANY_ADDRESS]
    return [
        {
            "rule_uuid": object_uuid(settings.cluster, "policy-rule", f"{group}/{index}"),
            "direction": ">",
            "protocol": "any",
            "ethertype": family,
            "src_addresses": [source],
            "src_ports": [_ANY_PORT],
            "dst_addresses": [target],
            "dst_ports": [_ANY_PORT],
        }
        for index, (family, source, target) in enumerate(ways)
    ]
