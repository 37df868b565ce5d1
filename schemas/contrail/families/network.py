"""Networks and their addressing, policies, security groups and name service (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import (
    ACTION_LIST,
    ADDRESS,
    ALLOCATION_POOL,
    AUTHENTICATION_DATA,
    DHCP_OPTIONS_LIST,
    ECMP_HASHING_INCLUDE_FIELDS,
    FAT_FLOW_PROTOCOLS,
    IP_ADDRESSES,
    MAC_LIMIT_CONTROL,
    MAC_MOVE_LIMIT_CONTROL,
    MATCH_CONDITION,
    PORT,
    ROUTE_TABLE,
    ROUTE_TARGET_LIST,
    ROUTING_POLICY,
    SUBNET,
)
from schemas.contrail.shapes import (
    FLAG,
    NUMBER,
    TEXT,
    Property,
    ReferenceRule,
    choice,
    many,
    number,
    object_type,
    struct,
)

PROVIDER_DETAILS = struct("ProviderDetails", segmentation_id=number(0, 4094), physical_network=TEXT)
VIRTUAL_NETWORK = struct(
    "VirtualNetworkType",
    allow_transit=FLAG,
    network_id=NUMBER,
    vxlan_network_identifier=number(1, 16777215),
    forwarding_mode=choice("l2_l3", "l2", "l3"),
    rpf=choice("enable", "disable"),
    mirror_destination=FLAG,
    max_flows=number(0, 4294967296),
)
BGP_PARAMETERS = struct(
    "BgpParameters",
    peer_autonomous_system=NUMBER,
    peer_ip_address=TEXT,
    peer_ip_address_list=many(TEXT),
    hold_time=number(0, 65535),
    auth_data=AUTHENTICATION_DATA,
    local_autonomous_system=NUMBER,
    multihop_ttl=NUMBER,
)
OSPF_PARAMETERS = struct(
    "OspfParameters",
    auth_data=AUTHENTICATION_DATA,
    hello_interval=NUMBER,
    dead_interval=NUMBER,
    area_id=TEXT,
    area_type=choice("nssa", "stub", "backbone"),
    advertise_loopback=FLAG,
    orignate_summary_lsa=FLAG,
)
PIM_PARAMETERS = struct(
    "PimParameters",
    rp_ip_address=many(TEXT),
    mode=choice("sparse", "sparse-dense", "dense"),
    enable_all_interfaces=FLAG,
)
STATIC_ROUTE_PARAMETERS = struct(
    "StaticRouteParameters", interface_route_table_uuid=many(TEXT), next_hop_ip_address=many(TEXT)
)
BFD_PARAMETERS = struct("BfdParameters", time_interval=NUMBER, detection_time_multiplier=NUMBER)
ROUTING_POLICY_PARAMETERS = struct(
    "RoutingPolicyParameters", import_routing_policy_uuid=many(TEXT), export_routing_policy_uuid=many(TEXT)
)
ROUTED_PROPERTIES = struct(
    "RoutedProperties",
    physical_router_uuid=TEXT,
    logical_router_uuid=TEXT,
    routed_interface_ip_address=TEXT,
    loopback_ip_address=TEXT,
    routing_protocol=choice("static-routes", "bgp", "ospf", "pim"),
    bgp_params=BGP_PARAMETERS,
    ospf_params=OSPF_PARAMETERS,
    pim_params=PIM_PARAMETERS,
    static_route_params=STATIC_ROUTE_PARAMETERS,
    bfd_params=BFD_PARAMETERS,
    routing_policy_params=ROUTING_POLICY_PARAMETERS,
)
VIRTUAL_NETWORK_ROUTED_PROPERTIES = struct(
    "VirtualNetworkRoutedPropertiesType", routed_properties=many(ROUTED_PROPERTIES), shared_across_all_lrs=FLAG
)
IPAM_SUBNET = struct(
    "IpamSubnetType",
    subnet=SUBNET,
    default_gateway=TEXT,
    dns_server_address=TEXT,
    subnet_uuid=TEXT,
    enable_dhcp=FLAG,
    dns_nameservers=many(TEXT),
    allocation_pools=many(ALLOCATION_POOL),
    addr_from_start=FLAG,
    dhcp_option_list=DHCP_OPTIONS_LIST,
    host_routes=ROUTE_TABLE,
    subnet_name=TEXT,
    alloc_unit=NUMBER,
    created=TEXT,
    last_modified=TEXT,
    subscriber_tag=TEXT,
    vlan_tag=NUMBER,
    dhcp_relay_server=many(TEXT),
)
VN_SUBNETS = struct("VnSubnetsType", ipam_subnets=many(IPAM_SUBNET), host_routes=ROUTE_TABLE)
SEQUENCE = struct("SequenceType", major=NUMBER, minor=NUMBER)
TIMER = struct("TimerType", start_time=TEXT, on_interval=TEXT, off_interval=TEXT, end_time=TEXT)
VIRTUAL_NETWORK_POLICY = struct("VirtualNetworkPolicyType", sequence=SEQUENCE, timer=TIMER)
IPAM_SUBNETS = struct("IpamSubnets", subnets=many(IPAM_SUBNET))
IPAM_DNS_ADDRESS = struct("IpamDnsAddressType", tenant_dns_server_address=IP_ADDRESSES, virtual_dns_server_name=TEXT)
IPAM = struct(
    "IpamType",
    ipam_method=choice("dhcp", "fixed"),
    ipam_dns_method=choice("none", "default-dns-server", "tenant-dns-server", "virtual-dns-server"),
    ipam_dns_server=IPAM_DNS_ADDRESS,
    dhcp_option_list=DHCP_OPTIONS_LIST,
    cidr_block=SUBNET,
    host_routes=ROUTE_TABLE,
)
POLICY_RULE = struct(
    "PolicyRuleType",
    rule_sequence=SEQUENCE,
    rule_uuid=TEXT,
    direction=choice(">", "<>"),
    protocol=TEXT,
    src_addresses=many(ADDRESS),
    src_ports=many(PORT),
    application=many(TEXT),
    dst_addresses=many(ADDRESS),
    dst_ports=many(PORT),
    action_list=ACTION_LIST,
    ethertype=choice("IPv4", "IPv6"),
    created=TEXT,
    last_modified=TEXT,
)
POLICY_ENTRIES = struct("PolicyEntriesType", policy_rule=many(POLICY_RULE))
ACL_RULE = struct(
    "AclRuleType", match_condition=MATCH_CONDITION, action_list=ACTION_LIST, rule_uuid=TEXT, direction=choice(">", "<>")
)
ACL_ENTRIES = struct("AclEntriesType", dynamic=FLAG, acl_rule=many(ACL_RULE))
DNS_SOA_RECORD = struct("DnsSoaRecordType", negative_cache_ttl_seconds=NUMBER)
VIRTUAL_DNS = struct(
    "VirtualDnsType",
    domain_name=TEXT,
    dynamic_records_from_client=FLAG,
    record_order=choice("fixed", "random", "round-robin"),
    default_ttl_seconds=NUMBER,
    next_virtual_DNS=TEXT,
    floating_ip_record=choice("dashed-ip", "dashed-ip-tenant-name", "vm-name", "vm-name-tenant-name"),
    external_visible=FLAG,
    reverse_resolution=FLAG,
    soa_record=DNS_SOA_RECORD,
)
VIRTUAL_DNS_RECORD = struct(
    "VirtualDnsRecordType",
    record_name=TEXT,
    record_type=choice("A", "AAAA", "CNAME", "PTR", "NS", "MX"),
    record_class=choice("IN"),
    record_data=TEXT,
    record_ttl_seconds=NUMBER,
    record_mx_preference=NUMBER,
    record_source_name=TEXT,
)

TYPES = (
    object_type(
        "virtual-network",
        parents=("project",),
        properties=(
            Property("ecmp_hashing_include_fields", ECMP_HASHING_INCLUDE_FIELDS),
            Property("virtual_network_category", choice("infra", "tenant", "internal", "routed")),
            Property("virtual_network_properties", VIRTUAL_NETWORK),
            Property("virtual_network_routed_properties", VIRTUAL_NETWORK_ROUTED_PROPERTIES),
            Property("provider_properties", PROVIDER_DETAILS, fixed=True),
            Property("virtual_network_network_id", NUMBER, filled=True, fixed=True),
            Property("is_provider_network", FLAG, fixed=True),
            Property("port_security_enabled", FLAG),
            Property("fabric_snat", FLAG),
            Property("route_target_list", ROUTE_TARGET_LIST),
            Property("import_route_target_list", ROUTE_TARGET_LIST),
            Property("export_route_target_list", ROUTE_TARGET_LIST),
            Property("router_external", FLAG),
            Property("is_shared", FLAG, filled=True),
            Property("external_ipam", FLAG),
            Property("flood_unknown_unicast", FLAG),
            Property("multi_policy_service_chains_enabled", FLAG),
            Property(
                "address_allocation_mode",
                choice(
                    "user-defined-subnet-preferred",
                    "user-defined-subnet-only",
                    "flat-subnet-preferred",
                    "flat-subnet-only",
                ),
            ),
            Property("virtual_network_fat_flow_protocols", FAT_FLOW_PROTOCOLS, items="fat_flow_protocol"),
            Property("mac_learning_enabled", FLAG),
            Property("mac_limit_control", MAC_LIMIT_CONTROL),
            Property("mac_move_control", MAC_MOVE_LIMIT_CONTROL),
            Property("mac_aging_time", number(0, 86400)),
            Property("pbb_evpn_enable", FLAG),
            Property("pbb_etree_enable", FLAG),
            Property("layer2_control_word", FLAG),
            Property("igmp_enable", FLAG),
        ),
        references=(
            ReferenceRule("qos-config"),
            ReferenceRule("network-ipam", VN_SUBNETS),
            ReferenceRule("network-policy", VIRTUAL_NETWORK_POLICY),
            ReferenceRule("virtual-network"),
            ReferenceRule("route-table"),
            ReferenceRule("routing-policy", ROUTING_POLICY),
        ),
    ),
    object_type(
        "network-ipam",
        parents=("project",),
        properties=(
            Property("network_ipam_mgmt", IPAM),
            Property("ipam_subnets", IPAM_SUBNETS, items="subnets", fixed=True),
            Property("ipam_subnet_method", choice("user-defined-subnet", "flat-subnet", "auto-subnet"), fixed=True),
            Property("ipam_subnetting", FLAG, fixed=True),
        ),
        references=(ReferenceRule("virtual-DNS"),),
    ),
    object_type(
        "network-policy",
        parents=("project",),
        properties=(Property("network_policy_entries", POLICY_ENTRIES),),
    ),
    object_type(
        "security-group",
        parents=("project",),
        properties=(
            Property("security_group_id", number(8000000, 4294967296), filled=True, fixed=True),
            Property("configured_security_group_id", number(0, 7999999), filled=True),
            Property("security_group_entries", POLICY_ENTRIES),
        ),
    ),
    object_type(
        "access-control-list",
        parents=("virtual-network", "security-group"),
        holds_parent=False,
        properties=(
            Property("access_control_list_entries", ACL_ENTRIES, filled=True),
            Property("access_control_list_hash", NUMBER, filled=True),
        ),
    ),
    object_type(
        "virtual-DNS",
        parents=("domain",),
        properties=(Property("virtual_DNS_data", VIRTUAL_DNS),),
    ),
    object_type(
        "virtual-DNS-record",
        parents=("virtual-DNS",),
        properties=(Property("virtual_DNS_record_data", VIRTUAL_DNS_RECORD),),
    ),
)
