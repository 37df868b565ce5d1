"""Tags and the firewall (data).

Properties and references are those of the API of release 2005; references to types that no family has are left out.
"""

from __future__ import annotations

from schemas.contrail.families.structs import ACTION_LIST, PORT, SUBNET, SUBNET_LIST
from schemas.contrail.shapes import FLAG, NUMBER, TEXT, Property, ReferenceRule, choice, many, object_type, struct

FIREWALL_SEQUENCE = struct("FirewallSequence", sequence=TEXT)
FIREWALL_RULE_ENDPOINT = struct(
    "FirewallRuleEndpointType",
    subnet=SUBNET,
    virtual_network=TEXT,
    address_group=TEXT,
    tags=many(TEXT),
    tag_ids=many(NUMBER),
    any=FLAG,
)
FIREWALL_RULE_MATCH_TAGS_TYPE_ID_LIST = struct("FirewallRuleMatchTagsTypeIdList", tag_type=many(NUMBER))
FIREWALL_RULE_MATCH_TAGS = struct("FirewallRuleMatchTagsType", tag_list=many(TEXT))
FIREWALL_SERVICE = struct("FirewallServiceType", protocol=TEXT, protocol_id=NUMBER, src_ports=PORT, dst_ports=PORT)
FIREWALL_SERVICE_GROUP = struct("FirewallServiceGroupType", firewall_service=many(FIREWALL_SERVICE))

TYPES = (
    object_type(
        "tag-type",
        parents=("config-root",),
        properties=(Property("tag_type_id", TEXT, fixed=True, filled=True),),
    ),
    object_type(
        "tag",
        parents=("config-root", "project"),
        properties=(
            Property("tag_type_name", TEXT, fixed=True),
            Property("tag_value", TEXT, fixed=True),
            Property("tag_predefined", FLAG, fixed=True, filled=True),
            Property("tag_id", TEXT, fixed=True, filled=True),
        ),
        references=(ReferenceRule("tag-type", filled=True),),
    ),
    object_type(
        "policy-management",
        parents=("config-root", "project"),
    ),
    object_type(
        "application-policy-set",
        parents=("policy-management", "project"),
        properties=(
            Property("draft_mode_state", choice("created", "updated", "deleted"), fixed=True, filled=True),
            Property("all_applications", FLAG, fixed=True, filled=True),
        ),
        references=(
            ReferenceRule("firewall-policy", FIREWALL_SEQUENCE),
            ReferenceRule("global-vrouter-config"),
        ),
    ),
    object_type(
        "firewall-policy",
        parents=("policy-management", "project"),
        properties=(Property("draft_mode_state", choice("created", "updated", "deleted"), fixed=True, filled=True),),
        references=(ReferenceRule("firewall-rule", FIREWALL_SEQUENCE),),
    ),
    object_type(
        "firewall-rule",
        parents=("policy-management", "project"),
        properties=(
            Property("draft_mode_state", choice("created", "updated", "deleted"), fixed=True, filled=True),
            Property("action_list", ACTION_LIST),
            Property("service", FIREWALL_SERVICE),
            Property("endpoint_1", FIREWALL_RULE_ENDPOINT),
            Property("endpoint_2", FIREWALL_RULE_ENDPOINT),
            Property("match_tags", FIREWALL_RULE_MATCH_TAGS, items="tag_list"),
            Property("match_tag_types", FIREWALL_RULE_MATCH_TAGS_TYPE_ID_LIST, fixed=True, filled=True),
            Property("direction", choice("<", ">", "<>")),
        ),
        references=(
            ReferenceRule("service-group"),
            ReferenceRule("tag", filled=True),
            ReferenceRule("address-group", filled=True),
            ReferenceRule("virtual-network", filled=True),
        ),
    ),
    object_type(
        "address-group",
        parents=("policy-management", "project"),
        properties=(
            Property("draft_mode_state", choice("created", "updated", "deleted"), fixed=True, filled=True),
            Property("address_group_prefix", SUBNET_LIST, items="subnet"),
        ),
    ),
    object_type(
        "service-group",
        parents=("policy-management", "project"),
        properties=(
            Property("draft_mode_state", choice("created", "updated", "deleted"), fixed=True, filled=True),
            Property("service_group_firewall_service_list", FIREWALL_SERVICE_GROUP, items="firewall_service"),
        ),
    ),
)
