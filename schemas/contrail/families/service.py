"""Load balancing, service chains and health checks (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import (
    ALLOWED_ADDRESS_PAIRS,
    KEY_VALUE_PAIRS,
    ROUTE_TABLE,
    SERVICE_INTERFACE_TAG,
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
    object_type,
    struct,
)

LOADBALANCER = struct(
    "LoadbalancerType",
    status=TEXT,
    provisioning_status=TEXT,
    operating_status=TEXT,
    vip_subnet_id=TEXT,
    vip_address=TEXT,
    admin_state=FLAG,
)
LOADBALANCER_LISTENER = struct(
    "LoadbalancerListenerType",
    protocol=choice("HTTP", "HTTPS", "TCP", "UDP", "TERMINATED_HTTPS"),
    protocol_port=NUMBER,
    admin_state=FLAG,
    connection_limit=NUMBER,
    default_tls_container=TEXT,
    sni_containers=many(TEXT),
)
LOADBALANCER_POOL = struct(
    "LoadbalancerPoolType",
    status=TEXT,
    status_description=TEXT,
    admin_state=FLAG,
    protocol=choice("HTTP", "HTTPS", "TCP", "UDP", "TERMINATED_HTTPS"),
    loadbalancer_method=choice("ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP"),
    subnet_id=TEXT,
    session_persistence=choice("SOURCE_IP", "HTTP_COOKIE", "APP_COOKIE"),
    persistence_cookie_name=TEXT,
)
LOADBALANCER_MEMBER = struct(
    "LoadbalancerMemberType",
    admin_state=FLAG,
    status=TEXT,
    status_description=TEXT,
    protocol_port=NUMBER,
    weight=NUMBER,
    address=TEXT,
    subnet_id=TEXT,
)
LOADBALANCER_HEALTHMONITOR = struct(
    "LoadbalancerHealthmonitorType",
    admin_state=FLAG,
    monitor_type=choice("PING", "TCP", "HTTP", "HTTPS"),
    delay=NUMBER,
    timeout=NUMBER,
    max_retries=NUMBER,
    http_method=TEXT,
    url_path=TEXT,
    expected_codes=TEXT,
)
SERVICE_HEALTH_CHECK = struct(
    "ServiceHealthCheckType",
    enabled=FLAG,
    health_check_type=choice("link-local", "end-to-end", "segment", "vn-ip-list"),
    monitor_type=choice("PING", "HTTP", "BFD"),
    delay=NUMBER,
    delayUsecs=NUMBER,
    timeout=NUMBER,
    timeoutUsecs=NUMBER,
    max_retries=NUMBER,
    http_method=TEXT,
    url_path=TEXT,
    expected_codes=TEXT,
)
SERVICE_TEMPLATE_INTERFACE = struct(
    "ServiceTemplateInterfaceType", service_interface_type=SERVICE_INTERFACE, shared_ip=FLAG, static_route_enable=FLAG
)
SERVICE_TEMPLATE = struct(
    "ServiceTemplateType",
    version=NUMBER,
    service_mode=choice("transparent", "in-network", "in-network-nat"),
    service_type=choice("firewall", "analyzer", "source-nat", "loadbalancer"),
    image_name=TEXT,
    service_scaling=FLAG,
    interface_type=many(SERVICE_TEMPLATE_INTERFACE),
    flavor=TEXT,
    ordered_interfaces=FLAG,
    service_virtualization_type=choice("virtual-machine", "network-namespace", "vrouter-instance", "physical-device"),
    availability_zone_enable=FLAG,
    vrouter_instance_type=choice("libvirt-qemu", "docker"),
    instance_data=TEXT,
)
SERVICE_INSTANCE_INTERFACE = struct(
    "ServiceInstanceInterfaceType",
    virtual_network=TEXT,
    ip_address=TEXT,
    static_routes=ROUTE_TABLE,
    allowed_address_pairs=ALLOWED_ADDRESS_PAIRS,
)
SERVICE_SCALE_OUT = struct("ServiceScaleOutType", max_instances=NUMBER, auto_scale=FLAG)
SERVICE_INSTANCE = struct(
    "ServiceInstanceType",
    auto_policy=FLAG,
    availability_zone=TEXT,
    management_virtual_network=TEXT,
    left_virtual_network=TEXT,
    left_ip_address=TEXT,
    right_virtual_network=TEXT,
    right_ip_address=TEXT,
    interface_list=many(SERVICE_INSTANCE_INTERFACE),
    scale_out=SERVICE_SCALE_OUT,
    ha_mode=choice("active-active", "active-standby"),
    virtual_router_id=TEXT,
    service_virtualization_type=choice("virtual-machine", "network-namespace", "vrouter-instance", "physical-device"),
)

TYPES = (
    object_type(
        "loadbalancer",
        parents=("project",),
        properties=(
            Property("loadbalancer_properties", LOADBALANCER),
            Property("loadbalancer_provider", TEXT, fixed=True),
        ),
        references=(
            ReferenceRule("service-appliance-set", filled=True),
            ReferenceRule("service-instance", filled=True),  # svc-monitor's, of a balancer that is a process
            ReferenceRule("virtual-machine-interface"),
        ),
    ),
    object_type(
        "loadbalancer-listener",
        parents=("project",),
        properties=(Property("loadbalancer_listener_properties", LOADBALANCER_LISTENER),),
        references=(ReferenceRule("loadbalancer"),),
    ),
    object_type(
        "loadbalancer-pool",
        parents=("project",),
        properties=(
            Property("loadbalancer_pool_properties", LOADBALANCER_POOL),
            Property("loadbalancer_pool_provider", TEXT, fixed=True),
            Property("loadbalancer_pool_custom_attributes", KEY_VALUE_PAIRS),
        ),
        references=(
            ReferenceRule("service-instance"),
            ReferenceRule("virtual-machine-interface"),
            ReferenceRule("loadbalancer-listener"),
            ReferenceRule("service-appliance-set"),
            ReferenceRule("loadbalancer-healthmonitor"),
        ),
    ),
    object_type(
        "loadbalancer-member",
        parents=("loadbalancer-pool",),
        properties=(Property("loadbalancer_member_properties", LOADBALANCER_MEMBER),),
    ),
    object_type(
        "loadbalancer-healthmonitor",
        parents=("project",),
        properties=(Property("loadbalancer_healthmonitor_properties", LOADBALANCER_HEALTHMONITOR, mandatory=True),),
    ),
    object_type(
        "service-health-check",
        parents=("project",),
        properties=(Property("service_health_check_properties", SERVICE_HEALTH_CHECK),),
        references=(ReferenceRule("service-instance", SERVICE_INTERFACE_TAG, holds=False),),
    ),
    object_type(
        "service-appliance-set",
        parents=("global-system-config",),
        properties=(
            Property(
                "service_appliance_set_virtualization_type",
                choice("virtual-machine", "network-namespace", "vrouter-instance", "physical-device"),
            ),
            Property("service_appliance_set_properties", KEY_VALUE_PAIRS),
            Property("service_appliance_driver", TEXT),
            Property("service_appliance_ha_mode", TEXT),
        ),
    ),
    object_type(
        "service-appliance",
        parents=("service-appliance-set",),
        properties=(
            Property("service_appliance_user_credentials", USER_CREDENTIALS),
            Property("service_appliance_ip_address", TEXT),
            Property(
                "service_appliance_virtualization_type",
                choice("virtual-machine", "network-namespace", "vrouter-instance", "physical-device"),
            ),
            Property("service_appliance_properties", KEY_VALUE_PAIRS),
        ),
    ),
    object_type(
        "service-template",
        parents=("domain",),
        properties=(
            Property("service_template_properties", SERVICE_TEMPLATE),
            Property("service_config_managed", FLAG),
        ),
        references=(ReferenceRule("service-appliance-set"),),
    ),
    object_type(
        "service-instance",
        parents=("project",),
        properties=(
            Property("service_instance_properties", SERVICE_INSTANCE),
            Property("service_instance_bindings", KEY_VALUE_PAIRS, items="key_value_pair", key="key"),
            Property("service_instance_bgp_enabled", FLAG),
        ),
        references=(
            ReferenceRule("service-template"),
            ReferenceRule("instance-ip", SERVICE_INTERFACE_TAG, filled=True),
        ),
    ),
    object_type(
        "port-tuple",
        parents=("service-instance",),
        holds_parent=False,
        references=(
            ReferenceRule("logical-router"),
            ReferenceRule("virtual-network"),
        ),
    ),
)
