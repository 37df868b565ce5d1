"""Nodes, machines, interfaces and addresses (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import (
    ALLOCATION_POOL,
    ALLOWED_ADDRESS_PAIRS,
    AUTHENTICATION_DATA,
    DHCP_OPTIONS_LIST,
    ECMP_HASHING_INCLUDE_FIELDS,
    FAT_FLOW_PROTOCOLS,
    KEY_VALUE_PAIRS,
    MATCH_CONDITION,
    MIRROR_ACTION,
    ROUTE_TABLE,
    SUBNET,
)
from schemas.contrail.shapes import (
    FLAG,
    NUMBER,
    SERVICE_INTERFACE,
    TEXT,
    Property,
    ReferenceRule,
    choice,
    many,
    number,
    object_type,
    struct,
)

VIRTUAL_ROUTER_NETWORK_IPAM = struct(
    "VirtualRouterNetworkIpamType", allocation_pools=many(ALLOCATION_POOL), subnet=many(SUBNET)
)
MAC_ADDRESSES = struct("MacAddressesType", mac_address=many(TEXT))
INTERFACE_MIRROR = struct(
    "InterfaceMirrorType", traffic_direction=choice("ingress", "egress", "both"), mirror_to=MIRROR_ACTION
)
VIRTUAL_MACHINE_INTERFACE_PROPERTIES = struct(
    "VirtualMachineInterfacePropertiesType",
    service_interface_type=SERVICE_INTERFACE,
    interface_mirror=INTERFACE_MIRROR,
    local_preference=NUMBER,
    sub_interface_vlan_tag=NUMBER,
    max_flows=number(0, 4294967296),
)
VRF_ASSIGN_RULE = struct(
    "VrfAssignRuleType", match_condition=MATCH_CONDITION, vlan_tag=NUMBER, routing_instance=TEXT, ignore_acl=FLAG
)
VRF_ASSIGN_TABLE = struct("VrfAssignTableType", vrf_assign_rule=many(VRF_ASSIGN_RULE))
POLICY_BASED_FORWARDING_RULE = struct(
    "PolicyBasedForwardingRuleType",
    direction=choice("ingress", "egress", "both"),
    vlan_tag=NUMBER,
    src_mac=TEXT,
    dst_mac=TEXT,
    mpls_label=NUMBER,
    service_chain_address=TEXT,
    ipv6_service_chain_address=TEXT,
    protocol=TEXT,
)
FLOATING_IP_POOL_SUBNET = struct("FloatingIpPoolSubnetType", subnet_uuid=many(TEXT))
PORT_MAP = struct("PortMap", protocol=TEXT, src_port=NUMBER, dst_port=NUMBER)
PORT_MAPPINGS = struct("PortMappings", port_mappings=many(PORT_MAP))
ADDRESS_FAMILIES = struct(
    "AddressFamilies",
    family=many(
        choice(
            "inet", "inet-labeled", "inet-vpn", "e-vpn", "erm-vpn", "route-target", "inet6", "inet-mvpn", "inet6-vpn"
        )
    ),
)
BGP_PREFIX_LIMIT = struct("BgpPrefixLimit", maximum=NUMBER, idle_timeout=number(0, 86400))
BGP_FAMILY_ATTRIBUTES = struct(
    "BgpFamilyAttributes",
    address_family=choice(
        "inet", "inet-labeled", "inet-vpn", "e-vpn", "erm-vpn", "route-target", "inet6", "inet-mvpn", "inet6-vpn"
    ),
    loop_count=number(0, 16),
    prefix_limit=BGP_PREFIX_LIMIT,
    default_tunnel_encap=many(choice("gre", "mpls", "udp", "vxlan")),
)
ROUTE_ORIGIN_OVERRIDE = struct("RouteOriginOverride", origin_override=FLAG, origin=choice("IGP", "EGP", "INCOMPLETE"))
BGP_SESSION_ATTRIBUTES = struct(
    "BgpSessionAttributes",
    bgp_router=TEXT,
    admin_down=FLAG,
    passive=FLAG,
    as_override=FLAG,
    hold_time=number(0, 65535),
    loop_count=number(0, 16),
    local_autonomous_system=NUMBER,
    address_families=ADDRESS_FAMILIES,
    auth_data=AUTHENTICATION_DATA,
    family_attributes=many(BGP_FAMILY_ATTRIBUTES),
    private_as_action=choice("remove", "remove-all", "replace-all"),
    route_origin_override=ROUTE_ORIGIN_OVERRIDE,
)

TYPES = (
    object_type(
        "virtual-router",
        parents=("global-system-config",),
        properties=(
            Property("virtual_router_type", choice("embedded", "tor-agent", "tor-service-node"), fixed=True),
            Property("virtual_router_dpdk_enabled", FLAG),
            Property("virtual_router_ip_address", TEXT),
        ),
        references=(
            ReferenceRule("network-ipam", VIRTUAL_ROUTER_NETWORK_IPAM, filled=True),
            ReferenceRule("virtual-machine", filled=True),
        ),
    ),
    object_type(
        "virtual-machine",
        parents=("config-root",),
        properties=(Property("server_type", choice("virtual-server", "baremetal-server", "container")),),
        references=(ReferenceRule("service-instance", holds=False),),
    ),
    object_type(
        "virtual-machine-interface",
        parents=("virtual-machine", "project", "virtual-router"),
        properties=(
            Property("ecmp_hashing_include_fields", ECMP_HASHING_INCLUDE_FIELDS),
            Property("port_security_enabled", FLAG),
            Property("virtual_machine_interface_mac_addresses", MAC_ADDRESSES, filled=True),
            Property("virtual_machine_interface_dhcp_option_list", DHCP_OPTIONS_LIST),
            Property("virtual_machine_interface_host_routes", ROUTE_TABLE),
            Property("virtual_machine_interface_allowed_address_pairs", ALLOWED_ADDRESS_PAIRS),
            Property("vrf_assign_table", VRF_ASSIGN_TABLE, filled=True),
            Property("virtual_machine_interface_device_owner", TEXT),
            Property("virtual_machine_interface_disable_policy", FLAG),
            Property("virtual_machine_interface_properties", VIRTUAL_MACHINE_INTERFACE_PROPERTIES),
            Property(
                "virtual_machine_interface_bindings", KEY_VALUE_PAIRS, items="key_value_pair", key="key", filled=True
            ),
            Property("virtual_machine_interface_fat_flow_protocols", FAT_FLOW_PROTOCOLS, items="fat_flow_protocol"),
            Property("vlan_tag_based_bridge_domain", FLAG),
            Property("igmp_enable", FLAG),
        ),
        references=(
            ReferenceRule("qos-config"),
            ReferenceRule("security-group"),
            ReferenceRule("virtual-machine-interface", filled=True),
            ReferenceRule("virtual-machine"),
            ReferenceRule("virtual-network", mandatory=True),
            ReferenceRule("routing-instance", POLICY_BASED_FORWARDING_RULE, filled=True),
            ReferenceRule("port-tuple", filled=True),  # Links of pods that serve chains
            ReferenceRule("service-health-check", filled=True),  # Links of the services that ask for checks
            ReferenceRule("interface-route-table"),
        ),
    ),
    object_type(
        "instance-ip",
        parents=("config-root",),
        properties=(
            Property("instance_ip_address", TEXT, fixed=True, filled=True),
            Property("instance_ip_family", choice("v4", "v6"), fixed=True),
            Property("instance_ip_mode", choice("active-active", "active-standby"), fixed=True),
            Property("secondary_ip_tracking_ip", SUBNET),
            Property("subnet_uuid", TEXT, fixed=True, filled=True),
            Property("instance_ip_subscriber_tag", TEXT, fixed=True),
            Property("instance_ip_secondary", FLAG),
            Property("instance_ip_local_ip", FLAG),
            Property("service_instance_ip", FLAG, filled=True),
            Property("service_health_check_ip", FLAG, filled=True),
            Property("instance_ip_subnet", SUBNET, filled=True),
        ),
        references=(
            ReferenceRule("virtual-network"),
            ReferenceRule("network-ipam"),
            # A pod's names it; those of an ingress are Links, because svc-monitor puts the proxies' beside ours.
            ReferenceRule("virtual-machine-interface", filled=True),
            ReferenceRule("virtual-router"),
        ),
    ),
    object_type(
        "floating-ip-pool",
        parents=("virtual-network",),
        properties=(Property("floating_ip_pool_subnets", FLOATING_IP_POOL_SUBNET),),
    ),
    object_type(
        "floating-ip",
        parents=("floating-ip-pool", "instance-ip"),
        properties=(
            Property("floating_ip_address", TEXT, fixed=True, filled=True),
            Property("floating_ip_is_virtual_ip", FLAG),
            Property("floating_ip_fixed_ip_address", TEXT),
            Property("floating_ip_address_family", choice("v4", "v6")),
            Property("floating_ip_port_mappings_enable", FLAG),
            Property("floating_ip_port_mappings", PORT_MAPPINGS, items="port_mappings"),
            Property("floating_ip_traffic_direction", choice("ingress", "egress", "both")),
        ),
        references=(
            ReferenceRule("project"),
            ReferenceRule("virtual-machine-interface", filled=True),  # ours are Links, so that no PUT names them
        ),
    ),
    object_type(
        "alias-ip-pool",
        parents=("virtual-network",),
    ),
    object_type(
        "alias-ip",
        parents=("alias-ip-pool",),
        properties=(
            Property("alias_ip_address", TEXT, fixed=True, filled=True),
            Property("alias_ip_address_family", choice("v4", "v6")),
        ),
        references=(
            ReferenceRule("project"),
            ReferenceRule("virtual-machine-interface"),
        ),
    ),
    object_type(
        "bgp-as-a-service",
        parents=("project",),
        properties=(
            Property("autonomous_system", number(1, 4294967295)),
            Property("bgpaas_shared", FLAG),
            Property("bgpaas_ip_address", TEXT),
            Property("bgpaas_session_attributes", BGP_SESSION_ATTRIBUTES),
            Property("bgpaas_ipv4_mapped_ipv6_nexthop", FLAG),
            Property("bgpaas_suppress_route_advertisement", FLAG),
        ),
        references=(
            ReferenceRule("virtual-machine-interface"),
            ReferenceRule("service-health-check"),
        ),
    ),
)
