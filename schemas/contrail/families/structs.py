"""Structures that properties of several families hold (data)."""

from __future__ import annotations

from schemas.contrail.shapes import FLAG, NUMBER, SERVICE_INTERFACE, TEXT, choice, many, number, struct

SUBNET = struct("SubnetType", ip_prefix=TEXT, ip_prefix_len=NUMBER)
SUBNET_LIST = struct("SubnetListType", subnet=many(SUBNET))
MAC_LIMIT_CONTROL = struct(
    "MACLimitControlType", mac_limit=NUMBER, mac_limit_action=choice("log", "alarm", "shutdown", "drop")
)
MAC_MOVE_LIMIT_CONTROL = struct(
    "MACMoveLimitControlType",
    mac_move_limit=NUMBER,
    mac_move_time_window=number(1, 60),
    mac_move_limit_action=choice("log", "alarm", "shutdown", "drop"),
)
KEY_VALUE_PAIRS = struct("KeyValuePairs", key_value_pair=many(struct("KeyValuePair", key=TEXT, value=TEXT)))
ECMP_HASHING_INCLUDE_FIELDS = struct(
    "EcmpHashingIncludeFields",
    hashing_configured=FLAG,
    source_ip=FLAG,
    destination_ip=FLAG,
    ip_protocol=FLAG,
    source_port=FLAG,
    destination_port=FLAG,
)
PORT = struct("PortType", start_port=number(-1, 65535), end_port=number(-1, 65535))
USER_CREDENTIALS = struct("UserCredentials", username=TEXT, password=TEXT)
ROUTE_TARGET_LIST = struct("RouteTargetList", route_target=many(TEXT))
PROTOCOL = struct(
    "ProtocolType",
    protocol=TEXT,
    port=NUMBER,
    ignore_address=choice("none", "source", "destination"),
    source_prefix=SUBNET,
    source_aggregate_prefix_length=NUMBER,
    destination_prefix=SUBNET,
    destination_aggregate_prefix_length=NUMBER,
)
FAT_FLOW_PROTOCOLS = struct("FatFlowProtocols", fat_flow_protocol=many(PROTOCOL))
AUTHENTICATION_KEY_ITEM = struct("AuthenticationKeyItem", key_id=number(0, 63), key=TEXT)
AUTHENTICATION_DATA = struct("AuthenticationData", key_type=choice("md5"), key_items=many(AUTHENTICATION_KEY_ITEM))
ALLOCATION_POOL = struct("AllocationPoolType", start=TEXT, end=TEXT, vrouter_specific_pool=FLAG)
DHCP_OPTION = struct("DhcpOptionType", dhcp_option_name=TEXT, dhcp_option_value=TEXT, dhcp_option_value_bytes=TEXT)
DHCP_OPTIONS_LIST = struct("DhcpOptionsListType", dhcp_option=many(DHCP_OPTION))
COMMUNITY_ATTRIBUTES = struct("CommunityAttributes", community_attribute=many(TEXT))
ROUTE = struct(
    "RouteType",
    prefix=TEXT,
    next_hop=TEXT,
    next_hop_type=choice("service-instance", "ip-address"),
    community_attributes=COMMUNITY_ATTRIBUTES,
)
ROUTE_TABLE = struct("RouteTableType", route=many(ROUTE))
ROUTING_POLICY = struct("RoutingPolicyType", sequence=TEXT)
IP_ADDRESSES = struct("IpAddressesType", ip_address=many(TEXT))
ADDRESS = struct(
    "AddressType",
    subnet=SUBNET,
    virtual_network=TEXT,
    security_group=TEXT,
    network_policy=TEXT,
    subnet_list=many(SUBNET),
)
STATIC_MIRROR_NH = struct(
    "StaticMirrorNhType", vtep_dst_ip_address=TEXT, vtep_dst_mac_address=TEXT, vni=number(1, 16777215)
)
MIRROR_ACTION = struct(
    "MirrorActionType",
    analyzer_name=TEXT,
    encapsulation=TEXT,
    analyzer_ip_address=TEXT,
    analyzer_mac_address=TEXT,
    routing_instance=TEXT,
    udp_port=NUMBER,
    juniper_header=FLAG,
    nh_mode=choice("dynamic", "static"),
    static_nh_header=STATIC_MIRROR_NH,
    nic_assisted_mirroring=FLAG,
    nic_assisted_mirroring_vlan=number(0, 4094),
)
ACTION_LIST = struct(
    "ActionListType",
    simple_action=choice("deny", "pass"),
    gateway_name=TEXT,
    apply_service=many(TEXT),
    mirror_to=MIRROR_ACTION,
    assign_routing_instance=TEXT,
    log=FLAG,
    alert=FLAG,
    qos_action=TEXT,
    host_based_service=FLAG,
)
MATCH_CONDITION = struct(
    "MatchConditionType",
    protocol=TEXT,
    src_address=ADDRESS,
    src_port=PORT,
    dst_address=ADDRESS,
    dst_port=PORT,
    ethertype=choice("IPv4", "IPv6"),
)
SERVICE_INTERFACE_TAG = struct("ServiceInterfaceTag", interface_type=SERVICE_INTERFACE)
ALLOWED_ADDRESS_PAIR = struct(
    "AllowedAddressPair", ip=SUBNET, mac=TEXT, address_mode=choice("active-active", "active-standby")
)
ALLOWED_ADDRESS_PAIRS = struct("AllowedAddressPairs", allowed_address_pair=many(ALLOWED_ADDRESS_PAIR))
