"""Views of the store (SQL text): what the CNI reads and what operators query. Columns are promises.

`migrate` makes them anew when their text changes; they are no part of the numbered migrations."""

from __future__ import annotations

POD_ADDRESS = """
CREATE VIEW pod_address AS
SELECT
    r.cluster,
    r.namespace,
    r.name AS pod,
    r.uid AS pod_uid,
    r.body ->> 'node_name' AS node,
    coalesce(
        jsonb_path_query_first(
            vmi.body, '$.properties.annotations.key_value_pair[*] ? (@.key == "interface").value') #>> '{}',
        'eth' || split_part(jsonb_path_query_first(
            vmi.body, '$.properties.annotations.key_value_pair[*] ? (@.key == "index").value') #>> '{}', '/', 1)
    ) AS interface,
    CASE
        WHEN named.attachment = 'default' THEN ''
        WHEN strpos(named.attachment, '/') > 0 THEN named.attachment
        ELSE r.namespace || '/' || named.attachment
    END AS attachment,
    coalesce(known_vmi.contrail_uuid, vmi.uuid) AS interface_uuid,
    (vm.ref ->> 'uuid')::uuid AS machine_uuid,
    vm.ref -> 'to' ->> 0 AS machine_name,
    coalesce(known_vn.contrail_uuid, (vn.ref ->> 'uuid')::uuid, (o.body ->> 'network_uuid')::uuid) AS network_uuid,
    array_to_string(ARRAY(SELECT jsonb_array_elements_text(vn.ref -> 'to')), ':') AS network,
    coalesce(
        known_vmi.kept #>> '{virtual_machine_interface_mac_addresses,mac_address,0}',
        vmi.body #>> '{properties,virtual_machine_interface_mac_addresses,mac_address,0}'
    ) AS mac,
    CASE WHEN iip.body #>> '{properties,instance_ip_family}' = 'v6' THEN 6 ELSE 4 END AS family,
    o.body ->> 'address' AS address,
    (o.body ->> 'prefix_len')::integer AS prefix_len,
    o.body ->> 'gateway' AS gateway,
    o.body ->> 'dns' AS dns,
    coalesce(progress.linked, false) AS linked,
    CASE
        WHEN progress.in_place AND progress.linked AND o.uuid IS NOT NULL THEN 'ready'
        ELSE coalesce(progress.worst, 'pending')
    END AS state,
    CASE
        WHEN progress.in_place AND progress.linked AND o.uuid IS NOT NULL THEN ''
        WHEN r.body ->> 'node_name' = '' THEN 'the pod is not scheduled to a node yet'
        ELSE coalesce(nullif(progress.reason, ''), 'waiting for the applier')
    END AS reason,
    nested.tag AS vlan,
    nested.parent_uuid,
    nested.parent_fq_name AS parent
FROM k8s_resource r
JOIN desired_source s
    ON s.cluster = r.cluster AND s.resource = 'Pod/' || r.namespace || '/' || r.name
JOIN desired_object vmi
    ON vmi.uuid = s.object_uuid AND vmi.type = 'virtual-machine-interface' AND NOT vmi.absent
JOIN desired_edge e ON e.to_uuid = vmi.uuid AND e.relation = 'ref'
JOIN desired_object iip ON iip.uuid = e.from_uuid AND iip.type = 'instance-ip' AND NOT iip.absent
LEFT JOIN observed_object o ON o.uuid = iip.uuid
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_path_query_first(
        vmi.body, '$.properties.annotations.key_value_pair[*] ? (@.key == "network").value') #>> '{}', 'default'
    ) AS attachment
) named
CROSS JOIN LATERAL (
    SELECT jsonb_path_query_first(vmi.body, '$.references[*] ? (@.type == "virtual-machine")') AS ref
) vm
CROSS JOIN LATERAL (
    SELECT jsonb_path_query_first(vmi.body, '$.references[*] ? (@.type == "virtual-network")') AS ref
) vn
LEFT JOIN adopted_object known_vmi ON known_vmi.uuid = vmi.uuid
LEFT JOIN vlan_tag nested ON nested.interface_uuid = vmi.uuid
LEFT JOIN adopted_object known_vn ON known_vn.uuid = (vn.ref ->> 'uuid')::uuid
LEFT JOIN LATERAL (
    SELECT
        bool_and(a.applied_generation IS NOT NULL) AS in_place,
        bool_or(part.link AND a.applied_generation IS NOT NULL) AS linked,
        (array_agg(a.status ORDER BY array_position(
            ARRAY['dead', 'failed', 'blocked', 'pending'], a.status))
            FILTER (WHERE a.applied_generation IS NULL AND a.status <> 'applied'))[1] AS worst,
        (array_agg(a.reason ORDER BY array_position(
            ARRAY['dead', 'failed', 'blocked', 'pending'], a.status))
            FILTER (WHERE a.applied_generation IS NULL AND a.status <> 'applied'))[1] AS reason
    FROM (
        SELECT vmi.uuid AS uuid, false AS link
        UNION ALL SELECT iip.uuid, false
        UNION ALL SELECT (vm.ref ->> 'uuid')::uuid, false
        UNION ALL
        SELECT l.uuid, true
        FROM desired_edge le
        JOIN desired_object l ON l.uuid = le.from_uuid AND l.type = 'link' AND NOT l.absent
        WHERE le.to_uuid = (vm.ref ->> 'uuid')::uuid
        UNION ALL
        -- Without its membership tags an interface would not obey the rules that name them. Those of services with
        -- source ranges come after the pod, and keep nothing but public addresses waiting.
        SELECT l.uuid, false
        FROM desired_edge le
        JOIN desired_object l ON l.uuid = le.from_uuid AND l.type = 'link' AND NOT l.absent
            AND l.body #>> '{target,type}' = 'tag' AND l.body #>> '{target,fq_name,0}' !~ '^label=[^=]*[.]guard[.]'
        WHERE le.to_uuid = vmi.uuid
    ) part
    LEFT JOIN apply_state a ON a.object_uuid = part.uuid
) progress ON true
WHERE r.kind = 'Pod'
"""

UNAPPLIED = """
CREATE VIEW unapplied AS
SELECT
    d.cluster, d.namespace, d.type, d.fq_name, d.uuid, d.absent, a.status, a.desired_generation,
    a.applied_generation, a.attempts, a.next_attempt_at, a.reason, a.last_error, a.updated_at
FROM apply_state a
JOIN desired_object d ON d.uuid = a.object_uuid
WHERE a.status <> 'applied'
"""

POD_TIMELINE = """
CREATE VIEW pod_timeline AS
SELECT
    f.cluster, split_part(f.resource, '/', 2) AS namespace, split_part(f.resource, '/', 3) AS pod,
    f.created_at, f.op, f.type, f.fq_name, f.object_uuid, f.generation, f.patch,
    f.topic, f.partition, f.at_offset, f.event_id
FROM object_diff f
WHERE starts_with(f.resource, 'Pod/')
"""

DRIFT = """
CREATE VIEW drift AS
SELECT
    f.cluster, f.namespace, f.type, f.fq_name, f.uuid, f.problem, f.detail, f.reason,
    f.first_seen, f.last_seen, f.seen, f.repairs, f.repaired_at,
    ARRAY(SELECT s.resource FROM desired_source s WHERE s.object_uuid = f.uuid ORDER BY s.resource) AS resources,
    a.status AS apply_status
FROM audit_finding f
LEFT JOIN apply_state a ON a.object_uuid = f.uuid
WHERE f.resolved_at IS NULL
"""

NOTICE = """
CREATE VIEW notice AS
SELECT
    n.cluster, split_part(n.about, '/', 1) AS kind, split_part(n.about, '/', 2) AS namespace,
    split_part(n.about, '/', 3) AS name, n.reason, n.message, n.normal, n.since, n.resource
FROM resource_notice n
"""

PUBLIC_ADDRESS = """
CREATE VIEW public_address AS
SELECT
    r.cluster, r.kind, r.namespace, r.name, r.uid, d.uuid AS floating_ip_uuid,
    substring(d.fq_name FROM '^(.*):[^:]*$') AS pool,
    found.address, family(found.address::inet) AS family,
    CASE
        WHEN a.applied_generation IS NOT NULL AND found.address IS NOT NULL THEN 'ready'
        ELSE coalesce(nullif(a.status, 'applied'), 'pending')
    END AS state,
    CASE
        WHEN a.applied_generation IS NOT NULL AND found.address IS NOT NULL THEN ''
        ELSE coalesce(nullif(a.reason, ''), 'waiting for the applier')
    END AS reason
FROM desired_object d
JOIN desired_source s ON s.object_uuid = d.uuid AND s.cluster = d.cluster
JOIN k8s_resource r
    ON r.cluster = s.cluster AND r.kind = split_part(s.resource, '/', 1)
    AND r.namespace = split_part(s.resource, '/', 2) AND r.name = split_part(s.resource, '/', 3)
LEFT JOIN apply_state a ON a.object_uuid = d.uuid
LEFT JOIN observed_object o ON o.uuid = d.uuid
CROSS JOIN LATERAL (
    SELECT coalesce(o.body ->> 'address', d.body #>> '{properties,floating_ip_address}') AS address
) found
WHERE d.type = 'floating-ip' AND d.body ->> 'parent_type' = 'floating-ip-pool' AND NOT d.absent
"""

VIEWS = {
    "pod_address": POD_ADDRESS,
    "unapplied": UNAPPLIED,
    "pod_timeline": POD_TIMELINE,
    "drift": DRIFT,
    "notice": NOTICE,
    "public_address": PUBLIC_ADDRESS,
}
