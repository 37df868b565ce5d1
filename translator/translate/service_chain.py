"""ServiceChain to service-templates, service-instances and the network-policy that leads traffic through them (pure).

Which pods provide a service is theirs to say (translator/translate/service_chain_pods.py): nothing here depends on
them. Contrail's own controllers do the rest: svc-monitor gives the service's interfaces the addresses that
traffic is sent to, schema-transformer makes the routes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from schemas.contrail.objects import ContrailObject, Desired, Json, Link
from schemas.errors import TranslationError
from schemas.events import ChangeEvent
from schemas.identity import object_uuid
from schemas.records import ChainTraffic, ServiceChainRecord, SettingsRecord
from translator.notice import Notice, Outcome
from translator.resource import Resource
from translator.translate import names, networks
from translator.translate.names import Named
from translator.translate.owner import owner_annotations
from translator.translate.service_chain_ends import KIND, SIDES, Ends, ends_of, instance, policy, template
from translator.view import View

NAT = "in-network-nat"
_BOTH = "both"
_ANY = ({"start_port": -1, "end_port": -1},)
_PROTOCOLS = {"any": "any", "TCP": "tcp", "UDP": "udp", "SCTP": "132", "ICMP": "icmp"}
"""As Contrail's rules name them; it has no word for SCTP."""
_ICMP_V6 = "icmp6"


def translate(chain: Resource, view: View) -> tuple[Outcome, ...]:
    """Objects of the chain, and links that put its networks under its policy; none while one of them is unknown."""
    if view.get("Namespace", "", chain.namespace) is None:
        return ()
    ends = ends_of(chain, view)
    if isinstance(ends, Notice):
        return (ends,)
    settings, record = view.settings, cast(ServiceChainRecord, chain.body)
    modes = sorted({service.mode for service in record.services})
    rules = policy(settings, chain.namespace, chain.name)
    return (
        *(_template(settings, chain.namespace, mode) for mode in modes),
        *_instances(settings, chain, ends),
        _policy(settings, chain, ends),
        *(_under(ends, side, rules) for side in SIDES),
    )


def require_well_formed(event: ChangeEvent) -> None:
    """Raise TranslationError for a chain that no network and no pod can make possible."""
    record, label = cast(ServiceChainRecord, event.body), f"{KIND} {event.namespace}/{event.name}"
    if record.left == record.right:
        raise TranslationError(f"{label}: spec.left and spec.right are the same; accepted are two networks")
    for place, service in enumerate(record.services):
        field = f"{label}: spec.services[{place}]"
        if service.mode == NAT and place < len(record.services) - 1:
            raise TranslationError(
                f"{field}.mode is {NAT!r} before service {record.services[place + 1].name!r}; accepted is it of the "
                "last service, because behind it nothing knows the way back"
            )
        if service.left_interface and service.left_interface == service.right_interface:
            raise TranslationError(
                f"{field}: leftInterface and rightInterface are {service.left_interface[:300]!r}; accepted are two "
                "interfaces of the pod"
            )


def _template(settings: SettingsRecord, namespace: str, mode: str) -> ContrailObject:
    named = template(settings, namespace, mode)
    properties = {
        "version": 2,
        "service_mode": mode,
        "service_type": "firewall",
        "service_virtualization_type": "virtual-machine",
        "interface_type": [{"service_interface_type": side} for side in SIDES],
    }
    marks = owner_annotations(settings, "Namespace", namespace, namespace, service_mode=mode)
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.DOMAIN,
        {"annotations": marks, "service_template_properties": properties},
    )


def _instances(settings: SettingsRecord, chain: Resource, ends: Ends) -> Iterator[ContrailObject]:
    """Each with its interfaces in the order in which its template has them: svc-monitor pairs them by place."""
    project = names.project(settings, chain.namespace)
    properties = {
        "interface_list": [{"virtual_network": ends.of(side).network.joined} for side in SIDES],
        # However many pods: svc-monitor looks at port-tuples, and starts nothing itself.
        "scale_out": {"max_instances": 1, "auto_scale": False},
        "ha_mode": "active-active",
    }
    for service in cast(ServiceChainRecord, chain.body).services:
        named = instance(settings, chain.namespace, chain.name, service)
        yield ContrailObject(
            named.type,
            named.fq_name,
            named.uuid,
            names.PROJECT,
            {"annotations": _marks(settings, chain), "service_instance_properties": properties},
            (template(settings, chain.namespace, service.mode).reference(),),
            project.uuid,
        )


def _policy(settings: SettingsRecord, chain: Resource, ends: Ends) -> ContrailObject:
    named, record = policy(settings, chain.namespace, chain.name), cast(ServiceChainRecord, chain.body)
    through = [instance(settings, chain.namespace, chain.name, service).joined for service in record.services]
    matches: list[dict[str, Json]] = []
    for traffic in record.traffic:
        matches += [match for match in _matches(traffic, ends) if match not in matches]
    rules = [
        {
            "rule_uuid": object_uuid(settings.cluster, "policy-rule", f"{named.joined}/{place}"),
            "src_addresses": [{"virtual_network": ends.left.network.joined}],
            "dst_addresses": [{"virtual_network": ends.right.network.joined}],
            "action_list": {"simple_action": "pass", "apply_service": through},
            **match,
        }
        for place, match in enumerate(matches)
    ]
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.PROJECT,
        {"annotations": _marks(settings, chain), "network_policy_entries": {"policy_rule": rules}},
        parent_uuid=names.project(settings, chain.namespace).uuid,
    )


def _matches(traffic: ChainTraffic, ends: Ends) -> Iterator[dict[str, Json]]:
    """What a rule matches; every rule reads from left to right, as the services' interfaces do.

    A rule both ways matches what is sent from its ports as well as what is sent to them. So connections that begin on
    the right side, to a port, are those that a rule with that source port matches backwards.
    """
    protocols = [_PROTOCOLS[traffic.protocol]]
    if traffic.protocol == "ICMP" and "v6" in {*ends.left.families, *ends.right.families}:
        protocols.append(_ICMP_V6)
    ports = [{"start_port": each.port, "end_port": each.end_port} for each in traffic.ports]
    both = traffic.direction == _BOTH
    for protocol in protocols:
        match = {"direction": "<>" if both else ">", "protocol": protocol}
        yield {**match, "src_ports": list(_ANY), "dst_ports": ports or list(_ANY)}
        if ports and both:
            yield {**match, "src_ports": ports, "dst_ports": list(_ANY)}


def _under(ends: Ends, side: str, rules: Named) -> Desired:
    owner = ends.of(side).network
    return Link(
        owner.type,
        owner.fq_name,
        rules.type,
        rules.fq_name,
        rules.uuid,
        owner_uuid=owner.uuid,
        attr=networks.SEQUENCE,
    )


def _marks(settings: SettingsRecord, chain: Resource) -> dict[str, Json]:
    return owner_annotations(settings, KIND, chain.namespace, chain.name, k8s_uuid=chain.uid)
