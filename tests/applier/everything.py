"""One object at least of every type that can be ours, in an order in which they can be made.

`changed` gives the same objects with other contents; a few have their old name and a new uuid, as what was deleted
and made again in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.contrail.objects import ContrailObject, Desired, Entry, Json, Link, Reference
from schemas.contrail.types import TYPES
from schemas.identity import object_uuid
from tests.applier.objects import BOOTSTRAP, CLUSTER, DOMAIN, HOME, IPAM, NETWORK, annotations, pod, project

GLOBAL = "default-global-system-config"
NOT_OURS: Mapping[str, str] = {
    "config-root": "the root of the tree, which nobody makes",
    "global-system-config": "the server makes the only one",
    "global-vrouter-config": "the server makes the only one",
    "global-qos-config": "the server makes the only one",
}
"""Types that no desired object can be of, with the reason."""
_ROOTS = {"domain": (DOMAIN,), "global-system-config": (GLOBAL,)}
"""Parents that the server makes at its first start."""


class _Maker:
    """Makes objects that refer to each other by name; remembers them in the order in which they were made."""

    def __init__(self, *, changed: bool) -> None:
        self.made: list[Desired] = []
        self.is_changed = changed

    def make(
        self,
        type_: str,
        name: str,
        *,
        under: ContrailObject | str | None = None,
        refs: Iterable[tuple[ContrailObject, Json]] = (),
        anew: bool = False,
        **properties: Json,
    ) -> ContrailObject:
        """One object; `under` is its parent or, of one that the server made, the parent's type.

        `anew` gives it another uuid when everything is changed.
        """
        parent_type = under.type if isinstance(under, ContrailObject) else under
        above = under.fq_name if isinstance(under, ContrailObject) else _ROOTS.get(under or "", ())
        fq_name = (*above, name)
        key = ":".join(fq_name) + ("/again" if anew and self.is_changed else "")
        wanted = ContrailObject(
            type_,
            fq_name,
            object_uuid(CLUSTER, type_, key),
            parent_type,
            {**properties, "annotations": annotations(kind="Test", changed=str(self.is_changed))},
            tuple(Reference(target.type, target.fq_name, target.uuid, attr) for target, attr in refs),
            under.uuid if isinstance(under, ContrailObject) else None,
        )
        self.made.append(wanted)
        return wanted

    def either(self, before: Json, after: Json) -> Json:
        """One value at first, and another when everything is changed."""
        return after if self.is_changed else before

    def only_at_first(self, target: ContrailObject, attr: Json = None) -> list[tuple[ContrailObject, Json]]:
        """A reference that goes away when everything is changed."""
        return [] if self.is_changed else [(target, attr)]

    def link(self, owner_type: str, owner: tuple[str, ...], target: ContrailObject, attr: Json = None) -> None:
        """A reference from what is not ours."""
        self.made.append(Link(owner_type, owner, target.type, target.fq_name, target.uuid, attr=attr))

    def entry(self, owner_type: str, owner: tuple[str, ...], name: str, key: str, **value: Json) -> None:
        """An entry in a property of what is not ours."""
        self.made.append(Entry(owner_type, owner, name, key, value))


def everything(*, changed: bool = False) -> list[Desired]:
    """All of it, parents and targets first."""
    maker = _Maker(changed=changed)
    maker.made += [*BOOTSTRAP, project("shop")]
    _system(maker)
    table = _network(maker)
    _services(maker, table)
    _firewall(maker)
    _entries(maker)
    again = "6f6f39a5-35ac-4c22-a35f-75a9ee0f0001" if changed else ""
    maker.made += pod("shop", "web-0", uid=again).objects
    maker.made += pod("shop", "web-1", labels=maker.either("{}", '{"app": "new"}')).objects
    return maker.made


def missing_types(wanted: Iterable[Desired]) -> set[str]:
    """Types that are neither among these objects nor known to be never ours."""
    return TYPES.keys() - NOT_OURS.keys() - {o.type for o in wanted}


def _system(maker: _Maker) -> None:
    make = maker.make
    domain = make("domain", "k8s-domain", domain_limits={"project_limit": maker.either(5, 6)})
    make("namespace", "cidr", under=domain, namespace_cidr={"ip_prefix": "10.0.0.0", "ip_prefix_len": 8})
    access = {"rule_object": "*", "rule_field": "", "rule_perms": [{"role_name": "reader", "role_crud": "R"}]}
    make("api-access-list", "readers", under=domain, api_access_list_entries={"rbac_rule": [access]})
    dns = make(
        "virtual-DNS",
        "names",
        under=domain,
        virtual_DNS_data={"domain_name": "cluster.local", "record_order": "random", "default_ttl_seconds": 300},
    )
    record = {"record_name": "a", "record_type": "A", "record_class": "IN", "record_ttl_seconds": maker.either(60, 30)}
    make("virtual-DNS-record", "a", under=dns, virtual_DNS_record_data={**record, "record_data": "10.1.1.1"})
    make("network-ipam", "names", under=HOME, refs=[(dns, None)], network_ipam_mgmt={"ipam_method": "dhcp"})
    expression = {"operation": "!=", "operand1": "X", "operand2": {"json_value": "null"}}
    make(
        "alarm",
        "pods",
        under=HOME,
        alarm_severity=maker.either(1, 2),
        uve_keys={"uve_key": ["vrouter"]},
        alarm_rules={"or_list": [{"and_list": [expression]}]},
    )
    green = make("project", "k8s-green", under="domain", anew=True)
    make("tag", "label=green", under=green, anew=True, tag_type_name="label", tag_value="green")
    make("tag-type", "k8s_type")
    make("virtual-router", "k8s-host", under="global-system-config", virtual_router_ip_address="192.0.2.77")


def _network(maker: _Maker) -> ContrailObject:
    make = maker.make
    qos = make("qos-config", "qos", under=HOME, qos_config_type="project", default_forwarding_class_id=0)
    rule = {"direction": "<>", "protocol": "any", "action_list": {"simple_action": maker.either("pass", "deny")}}
    ends = {side: [{"virtual_network": "any"}] for side in ("src_addresses", "dst_addresses")}
    policy = make("network-policy", "policy", under=HOME, network_policy_entries={"policy_rule": [{**rule, **ends}]})
    route = {"prefix": "0.0.0.0/0", "next_hop": "10.32.0.1", "next_hop_type": "ip-address"}
    table = make("route-table", "routes", under=HOME, routes={"route": [route]})
    make("route-target", "target:64512:99")
    routing = make("routing-policy", "routing", under=HOME, term_type="vrouter")
    network = make(
        "virtual-network",
        "other",
        under=HOME,
        refs=[
            (IPAM, {"ipam_subnets": []}),
            *maker.only_at_first(policy, {"sequence": {"major": 0, "minor": 0}}),
            (routing, {"sequence": "1"}),
            (table, None),
            (qos, None),
        ],
        virtual_network_properties={"forwarding_mode": "l3"},
        address_allocation_mode="flat-subnet-only",
    )
    make("routing-instance", "extra", under=network)
    make("access-control-list", "list", under=network, access_control_list_entries={"acl_rule": []})
    make("fabric", "k8s-fabric", under="global-system-config", refs=[(network, {"network_type": "management"})])
    make(
        "host-based-service",
        "service",
        under=HOME,
        refs=[(network, {"virtual_network_type": "left"})],
        host_based_service_type="firewall",
    )
    return table


def _services(maker: _Maker, table: ContrailObject) -> None:
    make = maker.make
    open_ports = {"src_ports": [{"start_port": 0, "end_port": 65535}], "dst_ports": [{"start_port": 0, "end_port": 80}]}
    sides = {"src_addresses": [{"security_group": "local"}], "dst_addresses": [{"security_group": "local"}]}
    entry = {"direction": ">", "protocol": maker.either("any", "tcp"), "ethertype": "IPv4", **open_ports, **sides}
    group = make("security-group", "group", under=HOME, security_group_entries={"policy_rule": [entry]})
    appliances = make("service-appliance-set", "appliances", under="global-system-config", service_appliance_driver="x")
    make("service-appliance", "one", under=appliances, service_appliance_ip_address=maker.either("192.0.2.8", "::1"))
    template = make(
        "service-template",
        "template",
        under="domain",
        refs=[(appliances, None)],
        service_template_properties={"version": 2, "service_mode": "in-network", "service_type": "firewall"},
    )
    instance = make(
        "service-instance",
        "instance",
        under=HOME,
        refs=[(template, None)],
        service_instance_properties={"scale_out": {"max_instances": maker.either(1, 2)}},
    )
    tuple_ = make("port-tuple", "ports", under=instance, refs=[(NETWORK, None)])
    tag = {"interface_type": "left"}
    check = {"enabled": True, "health_check_type": "link-local", "monitor_type": "PING", "delay": maker.either(3, 4)}
    health = make(
        "service-health-check", "check", under=HOME, refs=[(instance, tag)], service_health_check_properties=check
    )
    routes = {"route": [{"prefix": "10.1.0.0/16"}]}
    interface_routes = make(
        "interface-route-table", "routes", under=HOME, refs=[(instance, tag)], interface_route_table_routes=routes
    )
    port = make(
        "virtual-machine-interface",
        "port",
        under=HOME,
        refs=[
            (NETWORK, None),
            (tuple_, None),
            (health, None),
            (interface_routes, None),
            *maker.only_at_first(group),
        ],
    )
    address = make("instance-ip", "k8s-port", refs=[(NETWORK, None), (port, None)], instance_ip_family="v4")
    _addresses(maker, port, address)
    _balancer(maker, port)
    inner = make("virtual-machine-interface", "router-port", under=HOME, refs=[(NETWORK, None)])
    make("logical-router", "router", under=HOME, refs=[(inner, None), (table, None)])
    make("bgp-as-a-service", "bgp", under=HOME, refs=[(port, None)], autonomous_system=maker.either(64512, 64513))


def _addresses(maker: _Maker, port: ContrailObject, address: ContrailObject) -> None:
    make = maker.make
    pool = make("floating-ip-pool", "pool", under=NETWORK)
    make("floating-ip", "outside", under=pool, refs=[(HOME, None), *maker.only_at_first(port)])
    mapping = {"port_mappings": [{"protocol": "TCP", "src_port": 80, "dst_port": maker.either(8080, 8081)}]}
    make("floating-ip", "mapped", under=address, refs=[(HOME, None), (port, None)], floating_ip_port_mappings=mapping)
    aliases = make("alias-ip-pool", "pool", under=NETWORK)
    make("alias-ip", "alias", under=aliases, refs=[(HOME, None), (port, None)])


def _balancer(maker: _Maker, port: ContrailObject) -> None:
    make = maker.make
    vip = {"vip_address": "10.32.1.1", "admin_state": maker.either(True, False)}
    balancer = make("loadbalancer", "balancer", under=HOME, refs=[(port, None)], loadbalancer_properties=vip)
    listens = {"protocol": "TCP", "protocol_port": 80, "admin_state": True}
    listener = make(
        "loadbalancer-listener",
        "listener",
        under=HOME,
        refs=[(balancer, None)],
        loadbalancer_listener_properties=listens,
    )
    pings = {"monitor_type": "PING", "delay": 5, "timeout": 5, "max_retries": maker.either(3, 4)}
    monitor = make("loadbalancer-healthmonitor", "monitor", under=HOME, loadbalancer_healthmonitor_properties=pings)
    spread = {"protocol": "TCP", "loadbalancer_method": "ROUND_ROBIN", "admin_state": True}
    pool = make(
        "loadbalancer-pool",
        "pool",
        under=HOME,
        refs=[(listener, None), *maker.only_at_first(monitor)],
        loadbalancer_pool_properties=spread,
    )
    member = {"address": "10.32.2.2", "protocol_port": 8080, "weight": maker.either(1, 2), "admin_state": True}
    make("loadbalancer-member", "member", under=pool, loadbalancer_member_properties=member)


def _firewall(maker: _Maker) -> None:
    make = maker.make
    web = make("tag", "label=web", tag_type_name="label", tag_value="web")
    management = make("policy-management", "k8s-policies")
    prefixes = {"subnet": [{"ip_prefix": maker.either("10.1.0.0", "10.2.0.0"), "ip_prefix_len": 16}]}
    group = make("address-group", "group", under=management, address_group_prefix=prefixes)
    listed = {"firewall_service": [{"protocol": "tcp", "dst_ports": {"start_port": 80, "end_port": 80}}]}
    services = make("service-group", "http", under=management, service_group_firewall_service_list=listed)
    rule = make(
        "firewall-rule",
        "rule",
        under=management,
        refs=[(services, None), (group, None)],
        action_list={"simple_action": maker.either("pass", "deny")},
        endpoint_1={"tags": [f"global:{web.fq_name[-1]}"]},
        endpoint_2={"address_group": ":".join(group.fq_name)},
        direction=">",
    )
    first = {"sequence": "1.0"}
    policy = make("firewall-policy", "policy", under=management, refs=[(rule, first)])
    make("application-policy-set", "set", under=management, refs=[(policy, first)])
    linked = make("firewall-policy", "linked", under=management, refs=[(rule, first)], anew=True)
    own = ("default-policy-management", "default-application-policy-set")
    maker.link("application-policy-set", own, linked, {"sequence": maker.either("2.0", "3.0")})


def _entries(maker: _Maker) -> None:
    owner, own = "global-vrouter-config", (GLOBAL, "default-global-vrouter-config")
    name, key = "linklocal_services", "k8s__default__kubernetes__443"
    servers = maker.either(["192.0.2.10"], ["192.0.2.10", "192.0.2.11"])
    maker.entry(owner, own, name, key, **link_local(key, "10.96.0.1", 443, servers, 6443))
    other = maker.either("k8s__shop__db__5432", "k8s__shop__db__5433")  # its port changes: another takes its place
    maker.entry(owner, own, name, other, **link_local(other, "10.96.0.9", int(other[-4:]), ["192.0.2.12"], 5432))
    for protocol in maker.either(("tcp", "udp"), ("tcp",)):
        ports = {"start_port": 56000, "end_port": maker.either(57023, 57000)}
        place = f"k8s__{protocol}"
        maker.entry(owner, own, "port_translation_pools", place, protocol=protocol, port_range=ports)


def link_local(name: str, address: str, port: int, servers: list[str], server_port: int) -> dict[str, Json]:
    """The value of a link-local service."""
    return {
        "linklocal_service_name": name,
        "linklocal_service_ip": address,
        "linklocal_service_port": port,
        "ip_fabric_service_ip": servers,
        "ip_fabric_service_port": server_port,
        "ip_fabric_DNS_service_name": "",
    }
