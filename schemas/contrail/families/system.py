"""The root of the tree, domains, projects, and settings of the whole system (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import (
    ECMP_HASHING_INCLUDE_FIELDS,
    KEY_VALUE_PAIRS,
    MAC_LIMIT_CONTROL,
    MAC_MOVE_LIMIT_CONTROL,
    PORT,
    SUBNET,
    SUBNET_LIST,
    USER_CREDENTIALS,
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

DOMAIN_LIMITS = struct(
    "DomainLimitsType", project_limit=NUMBER, virtual_network_limit=NUMBER, security_group_limit=NUMBER
)
QUOTA = struct(
    "QuotaType",
    defaults=NUMBER,
    floating_ip=NUMBER,
    instance_ip=NUMBER,
    virtual_machine_interface=NUMBER,
    virtual_network=NUMBER,
    virtual_router=NUMBER,
    virtual_DNS=NUMBER,
    virtual_DNS_record=NUMBER,
    bgp_router=NUMBER,
    network_ipam=NUMBER,
    access_control_list=NUMBER,
    network_policy=NUMBER,
    floating_ip_pool=NUMBER,
    service_template=NUMBER,
    service_instance=NUMBER,
    logical_router=NUMBER,
    security_group=NUMBER,
    security_group_rule=NUMBER,
    subnet=NUMBER,
    global_vrouter_config=NUMBER,
    loadbalancer_pool=NUMBER,
    loadbalancer_member=NUMBER,
    loadbalancer_healthmonitor=NUMBER,
    virtual_ip=NUMBER,
    security_logging_object=NUMBER,
    route_table=NUMBER,
    firewall_group=NUMBER,
    firewall_policy=NUMBER,
    firewall_rule=NUMBER,
    host_based_service=number(0, 1),
)
BGPAAS_PARAMETERS = struct("BGPaaServiceParametersType", port_start=number(-1, 65535), port_end=number(-1, 65535))
ASN_RANGE = struct("AsnRangeType", asn_min=NUMBER, asn_max=NUMBER)
GRACEFUL_RESTART_PARAMETERS = struct(
    "GracefulRestartParametersType",
    enable=FLAG,
    restart_time=number(0, 4095),
    long_lived_restart_time=number(0, 16777215),
    end_of_rib_timeout=number(0, 4095),
    bgp_helper_enable=FLAG,
    xmpp_helper_enable=FLAG,
)
PLUGIN_PROPERTY = struct("PluginProperty", property=TEXT, value=TEXT)
PLUGIN_PROPERTIES = struct("PluginProperties", plugin_property=many(PLUGIN_PROPERTY))
DEVICE_FAMILY_LIST = struct("DeviceFamilyListType", device_family=many(TEXT))
VENDOR_HARDWARES = struct("VendorHardwaresType", vendor_hardware=many(TEXT))
USER_DEFINED_LOG_STAT = struct("UserDefinedLogStat", name=TEXT, pattern=TEXT)
USER_DEFINED_LOG_STAT_LIST = struct("UserDefinedLogStatList", statlist=many(USER_DEFINED_LOG_STAT))
ENCAPSULATION_PRIORITIES = struct(
    "EncapsulationPrioritiesType", encapsulation=many(choice("MPLSoGRE", "MPLSoUDP", "VXLAN"))
)
ENCRYPTION_TUNNEL_ENDPOINT = struct("EncryptionTunnelEndpoint", tunnel_remote_ip_address=TEXT)
ENCRYPTION_TUNNEL_ENDPOINT_LIST = struct("EncryptionTunnelEndpointList", endpoint=many(ENCRYPTION_TUNNEL_ENDPOINT))
FLOW_AGING_TIMEOUT = struct("FlowAgingTimeout", protocol=TEXT, port=NUMBER, timeout_in_seconds=NUMBER)
FLOW_AGING_TIMEOUT_LIST = struct("FlowAgingTimeoutList", flow_aging_timeout=many(FLOW_AGING_TIMEOUT))
LINKLOCAL_SERVICE_ENTRY = struct(
    "LinklocalServiceEntryType",
    linklocal_service_name=TEXT,
    linklocal_service_ip=TEXT,
    linklocal_service_port=NUMBER,
    ip_fabric_DNS_service_name=TEXT,
    ip_fabric_service_port=NUMBER,
    ip_fabric_service_ip=many(TEXT),
)
LINKLOCAL_SERVICES = struct("LinklocalServicesTypes", linklocal_service_entry=many(LINKLOCAL_SERVICE_ENTRY))
PORT_TRANSLATION_POOL = struct("PortTranslationPool", protocol=TEXT, port_range=PORT, port_count=TEXT)
PORT_TRANSLATION_POOLS = struct("PortTranslationPools", port_translation_pool=many(PORT_TRANSLATION_POOL))
CONTROL_TRAFFIC_DSCP = struct(
    "ControlTrafficDscpType", control=number(0, 63), analytics=number(0, 63), dns=number(0, 63)
)
QOS_ID_FORWARDING_CLASS_PAIR = struct("QosIdForwardingClassPair", key=NUMBER, forwarding_class_id=number(0, 255))
QOS_ID_FORWARDING_CLASS_PAIRS = struct(
    "QosIdForwardingClassPairs", qos_id_forwarding_class_pair=many(QOS_ID_FORWARDING_CLASS_PAIR)
)
RBAC_PERM = struct("RbacPermType", role_name=TEXT, role_crud=TEXT)
RBAC_RULE = struct("RbacRuleType", rule_object=TEXT, rule_field=TEXT, rule_perms=many(RBAC_PERM))
RBAC_RULE_ENTRIES = struct("RbacRuleEntriesType", rbac_rule=many(RBAC_RULE))
DEVICE_CREDENTIAL = struct("DeviceCredential", credential=USER_CREDENTIALS, vendor=TEXT, device_family=TEXT)
DEVICE_CREDENTIAL_LIST = struct("DeviceCredentialList", device_credential=many(DEVICE_CREDENTIAL))
FABRIC_NETWORK_TAG = struct(
    "FabricNetworkTag",
    network_type=choice("management", "loopback", "ip-fabric", "pnf-servicechain", "overlay-loopback"),
)
SERVICE_VIRTUAL_NETWORK = struct("ServiceVirtualNetworkType", virtual_network_type=SERVICE_INTERFACE)
ALARM_OPERAND2 = struct("AlarmOperand2", uve_attribute=TEXT, json_value=TEXT)
ALARM_EXPRESSION = struct(
    "AlarmExpression",
    operation=choice("==", "!=", "<", "<=", ">", ">=", "in", "not in", "range", "size==", "size!="),
    operand1=TEXT,
    operand2=ALARM_OPERAND2,
    variables=many(TEXT),
)
ALARM_AND_LIST = struct("AlarmAndList", and_list=many(ALARM_EXPRESSION))
ALARM_OR_LIST = struct("AlarmOrList", or_list=many(ALARM_AND_LIST))
UVE_KEYS = struct("UveKeysType", uve_key=many(TEXT))

TYPES = (
    object_type(
        "config-root",
        parents=("config-root",),
    ),
    object_type(
        "domain",
        parents=("config-root",),
        properties=(Property("domain_limits", DOMAIN_LIMITS),),
    ),
    object_type(
        "project",
        parents=("domain",),
        properties=(
            Property("quota", QUOTA, filled=True),
            Property("vxlan_routing", FLAG),
            Property("alarm_enable", FLAG),
            Property("enable_security_policy_draft", FLAG),
        ),
        references=(
            ReferenceRule("namespace", SUBNET),
            ReferenceRule("floating-ip-pool"),
            ReferenceRule("alias-ip-pool"),
            ReferenceRule("application-policy-set", filled=True),
        ),
    ),
    object_type(
        "namespace",
        parents=("domain",),
        properties=(Property("namespace_cidr", SUBNET),),
    ),
    object_type(
        "global-system-config",
        parents=("config-root",),
        properties=(
            Property("autonomous_system", number(1, 4294967295)),
            Property("enable_4byte_as", FLAG),
            Property("config_version", TEXT, filled=True, fixed=True),
            Property("graceful_restart_parameters", GRACEFUL_RESTART_PARAMETERS),
            Property("plugin_tuning", PLUGIN_PROPERTIES),
            Property("data_center_interconnect_loopback_namespace", SUBNET_LIST),
            Property("data_center_interconnect_asn_namespace", ASN_RANGE),
            Property("ibgp_auto_mesh", FLAG),
            Property("bgp_always_compare_med", FLAG),
            Property("rd_cluster_seed", number(1, 65535)),
            Property("ip_fabric_subnets", SUBNET_LIST),
            Property("supported_device_families", DEVICE_FAMILY_LIST),
            Property("supported_vendor_hardwares", VENDOR_HARDWARES),
            Property("bgpaas_parameters", BGPAAS_PARAMETERS),
            Property("mac_limit_control", MAC_LIMIT_CONTROL),
            Property("mac_move_control", MAC_MOVE_LIMIT_CONTROL),
            Property("mac_aging_time", number(0, 86400)),
            Property("igmp_enable", FLAG),
            Property("alarm_enable", FLAG),
            Property("user_defined_log_statistics", USER_DEFINED_LOG_STAT_LIST, items="statlist", key="name"),
            Property("enable_security_policy_draft", FLAG),
            Property("supported_fabric_annotations", KEY_VALUE_PAIRS),
        ),
    ),
    object_type(
        "global-vrouter-config",
        parents=("global-system-config",),
        properties=(
            Property("ecmp_hashing_include_fields", ECMP_HASHING_INCLUDE_FIELDS),
            Property("linklocal_services", LINKLOCAL_SERVICES),
            Property("encapsulation_priorities", ENCAPSULATION_PRIORITIES),
            Property("vxlan_network_identifier_mode", choice("configured", "automatic")),
            Property("flow_export_rate", NUMBER),
            Property("flow_aging_timeout_list", FLOW_AGING_TIMEOUT_LIST),
            Property("enable_security_logging", FLAG),
            Property("encryption_mode", choice("none", "all")),
            Property("encryption_tunnel_endpoints", ENCRYPTION_TUNNEL_ENDPOINT_LIST, items="endpoint"),
            Property("forwarding_mode", choice("l2_l3", "l2", "l3")),
            Property("port_translation_pools", PORT_TRANSLATION_POOLS, items="port_translation_pool"),
        ),
    ),
    object_type(
        "global-qos-config",
        parents=("global-system-config",),
        properties=(Property("control_traffic_dscp", CONTROL_TRAFFIC_DSCP),),
    ),
    object_type(
        "qos-config",
        parents=("global-qos-config", "project"),
        properties=(
            Property("qos_config_type", choice("vhost", "fabric", "project")),
            Property("dscp_entries", QOS_ID_FORWARDING_CLASS_PAIRS, items="qos_id_forwarding_class_pair", key="key"),
            Property(
                "vlan_priority_entries", QOS_ID_FORWARDING_CLASS_PAIRS, items="qos_id_forwarding_class_pair", key="key"
            ),
            Property(
                "mpls_exp_entries", QOS_ID_FORWARDING_CLASS_PAIRS, items="qos_id_forwarding_class_pair", key="key"
            ),
            Property("default_forwarding_class_id", number(0, 255)),
        ),
        references=(ReferenceRule("global-system-config"),),
    ),
    object_type(
        "api-access-list",
        parents=("domain", "project", "global-system-config"),
        properties=(Property("api_access_list_entries", RBAC_RULE_ENTRIES),),
    ),
    object_type(
        "fabric",
        parents=("global-system-config",),
        properties=(
            Property("fabric_ztp", FLAG),
            Property("fabric_os_version", TEXT),
            Property("fabric_credentials", DEVICE_CREDENTIAL_LIST, items="device_credential"),
            Property("fabric_enterprise_style", FLAG),
            Property("disable_vlan_vn_uniqueness_check", FLAG),
        ),
        references=(ReferenceRule("virtual-network", FABRIC_NETWORK_TAG),),
    ),
    object_type(
        "host-based-service",
        parents=("project",),
        properties=(Property("host_based_service_type", choice("firewall"), fixed=True),),
        references=(ReferenceRule("virtual-network", SERVICE_VIRTUAL_NETWORK),),
    ),
    object_type(
        "alarm",
        parents=("global-system-config", "project"),
        properties=(
            Property("uve_keys", UVE_KEYS),
            Property("alarm_severity", number(0, 2)),
            Property("alarm_rules", ALARM_OR_LIST, items="or_list"),
        ),
    ),
)
