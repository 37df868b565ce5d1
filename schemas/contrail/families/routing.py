"""Routing instances, targets, tables, policies and logical routers (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import (
    IP_ADDRESSES,
    ROUTE_TABLE,
    ROUTE_TARGET_LIST,
    ROUTING_POLICY,
    SERVICE_INTERFACE_TAG,
)
from schemas.contrail.shapes import FLAG, NUMBER, TEXT, Property, ReferenceRule, choice, many, object_type, struct

PROTOCOL_BGP = struct("ProtocolBgpType", autonomous_system=NUMBER)
PROTOCOL_OSPF = struct("ProtocolOspfType", area=NUMBER)
DEFAULT_PROTOCOL = struct("DefaultProtocolType", bgp=PROTOCOL_BGP, ospf=PROTOCOL_OSPF)
SERVICE_CHAIN_INFO = struct(
    "ServiceChainInfo",
    routing_instance=TEXT,
    prefix=many(TEXT),
    service_chain_address=TEXT,
    service_instance=TEXT,
    source_routing_instance=TEXT,
    service_chain_id=TEXT,
    sc_head=FLAG,
)
STATIC_ROUTE = struct("StaticRouteType", prefix=TEXT, next_hop=TEXT, route_target=many(TEXT), community=many(TEXT))
STATIC_ROUTE_ENTRIES = struct("StaticRouteEntriesType", route=many(STATIC_ROUTE))
CONNECTION = struct("ConnectionType", destination_instance=TEXT)
INSTANCE_TARGET = struct("InstanceTargetType", import_export=choice("import", "export"))
PREFIX_MATCH = struct("PrefixMatchType", prefix=TEXT, prefix_type=choice("exact", "longer", "orlonger"))
PREFIX_LIST_MATCH = struct(
    "PrefixListMatchType", interface_route_table_uuid=many(TEXT), prefix_type=choice("exact", "longer", "orlonger")
)
ROUTE_FILTER_PROPERTIES = struct(
    "RouteFilterProperties",
    route=TEXT,
    route_type=choice("exact", "longer", "orlonger", "prefix-length-range", "through", "upto"),
    route_type_value=TEXT,
)
ROUTE_FILTER = struct("RouteFilterType", route_filter_properties=many(ROUTE_FILTER_PROPERTIES))
TERM_MATCH_CONDITION = struct(
    "TermMatchConditionType",
    protocol=many(
        choice(
            "xmpp",
            "service-chain",
            "interface",
            "interface-static",
            "service-interface",
            "bgpaas",
            "bgp",
            "static",
            "aggregate",
            "direct",
            "pim",
            "evpn",
            "ospf",
            "ospf3",
        )
    ),
    prefix=many(PREFIX_MATCH),
    community=TEXT,
    community_list=many(TEXT),
    community_match_all=FLAG,
    extcommunity_list=many(TEXT),
    extcommunity_match_all=FLAG,
    family=choice("inet", "inet-vpn", "evpn"),
    as_path=many(NUMBER),
    external=choice("ospf-type-1", "ospf-type-2"),
    local_pref=NUMBER,
    nlri_route_type=many(NUMBER),
    prefix_list=many(PREFIX_LIST_MATCH),
    route_filter=ROUTE_FILTER,
)
AS_LIST = struct("AsListType", asn_list=many(NUMBER))
ACTION_AS_PATH = struct("ActionAsPathType", expand=AS_LIST)
COMMUNITY_LIST = struct("CommunityListType", community=many(TEXT))
ACTION_COMMUNITY = struct("ActionCommunityType", add=COMMUNITY_LIST, remove=COMMUNITY_LIST, set=COMMUNITY_LIST)
EXT_COMMUNITY_LIST = struct("ExtCommunityListType", community=many(TEXT))
ACTION_EXT_COMMUNITY = struct(
    "ActionExtCommunityType", add=EXT_COMMUNITY_LIST, remove=EXT_COMMUNITY_LIST, set=EXT_COMMUNITY_LIST
)
ACTION_UPDATE = struct(
    "ActionUpdateType",
    as_path=ACTION_AS_PATH,
    community=ACTION_COMMUNITY,
    extcommunity=ACTION_EXT_COMMUNITY,
    local_pref=NUMBER,
    med=NUMBER,
)
TERM_ACTION_LIST = struct(
    "TermActionListType",
    update=ACTION_UPDATE,
    action=choice("reject", "accept", "next"),
    external=choice("ospf-type-1", "ospf-type-2"),
    as_path_expand=TEXT,
    as_path_prepend=TEXT,
)
POLICY_TERM = struct("PolicyTermType", term_match_condition=TERM_MATCH_CONDITION, term_action_list=TERM_ACTION_LIST)
POLICY_STATEMENT = struct("PolicyStatementType", term=many(POLICY_TERM))
ROUTING_POLICY_SERVICE_INSTANCE = struct("RoutingPolicyServiceInstanceType", left_sequence=TEXT, right_sequence=TEXT)
LOGICAL_ROUTER_VIRTUAL_NETWORK = struct(
    "LogicalRouterVirtualNetworkType",
    logical_router_virtual_network_type=choice("ExternalGateway", "InternalVirtualNetwork"),
)

TYPES = (
    object_type(
        "routing-instance",
        parents=("virtual-network",),
        holds_parent=False,
        properties=(
            Property("service_chain_information", SERVICE_CHAIN_INFO, filled=True),
            Property("ipv6_service_chain_information", SERVICE_CHAIN_INFO, filled=True),
            Property("evpn_service_chain_information", SERVICE_CHAIN_INFO, filled=True),
            Property("evpn_ipv6_service_chain_information", SERVICE_CHAIN_INFO, filled=True),
            Property("routing_instance_is_default", FLAG, filled=True),
            Property("routing_instance_has_pnf", FLAG, filled=True),
            Property("static_route_entries", STATIC_ROUTE_ENTRIES, filled=True),
            Property("routing_instance_fabric_snat", FLAG, filled=True),
            Property("default_ce_protocol", DEFAULT_PROTOCOL),
        ),
        references=(
            ReferenceRule("routing-instance", CONNECTION, filled=True),
            ReferenceRule("route-target", INSTANCE_TARGET, filled=True),
        ),
    ),
    object_type(
        "route-target",
        parents=("config-root",),
    ),
    object_type(
        "route-table",
        parents=("project",),
        properties=(Property("routes", ROUTE_TABLE),),
    ),
    object_type(
        "interface-route-table",
        parents=("project",),
        properties=(Property("interface_route_table_routes", ROUTE_TABLE),),
        references=(ReferenceRule("service-instance", SERVICE_INTERFACE_TAG, holds=False),),
    ),
    object_type(
        "routing-policy",
        parents=("project",),
        properties=(
            Property("routing_policy_entries", POLICY_STATEMENT),
            Property("term_type", choice("vrouter", "network-device")),
        ),
        references=(
            ReferenceRule("service-instance", ROUTING_POLICY_SERVICE_INSTANCE),
            ReferenceRule("routing-instance", ROUTING_POLICY),
        ),
    ),
    object_type(
        "logical-router",
        parents=("project",),
        properties=(
            Property("configured_route_target_list", ROUTE_TARGET_LIST),
            Property("vxlan_network_identifier", TEXT),
            Property("logical_router_dhcp_relay_server", IP_ADDRESSES),
            Property("logical_router_gateway_external", FLAG),
            Property("logical_router_type", choice("snat-routing", "vxlan-routing"), fixed=True, filled=True),
        ),
        references=(
            ReferenceRule("virtual-machine-interface"),
            ReferenceRule("route-target", filled=True),
            ReferenceRule("route-table"),
            ReferenceRule("virtual-network", LOGICAL_ROUTER_VIRTUAL_NETWORK),
            ReferenceRule("service-instance", filled=True),
        ),
    ),
)
