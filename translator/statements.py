"""SQL of the translator's transaction (texts only). Rows come in as one JSON parameter or through COPY.

Every read is a nested loop of index lookups over the keys asked for, see PREPARE. The cluster travels in each
row: as a constant it would tempt the planner, while a table has no statistics, to fetch all of the cluster.
"""

from __future__ import annotations

# Under SERIALIZABLE a sequential scan conflicts with every write to the table: index lookups only, whatever a
# young table's statistics say, and by the index that touches fewest rows. Compiling such short queries never pays.
PREPARE = """
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL cpu_tuple_cost = 1;
SET LOCAL cpu_index_tuple_cost = 1;
SET LOCAL jit = off;
"""

# Locked before the snapshot is taken: an exclusive transaction waits for the running ones and then runs alone.
LOCK_SHARED = "LOCK TABLE consumer_offset IN ROW EXCLUSIVE MODE;"
LOCK_ALONE = "LOCK TABLE consumer_offset IN SHARE ROW EXCLUSIVE MODE;"

# Rows that replace stored ones travel through these; what did not change is NULL.
TEMPORARY = """
CREATE TEMPORARY TABLE IF NOT EXISTS told_resource (
    cluster text, kind text, namespace text, name text, api_version text, uid text, resource_version text, epoch bigint,
    body jsonb, digest bytea, topic text, partition integer, at_offset bigint, event_id uuid,
    observed_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS told_object (
    uuid uuid, shard integer, namespace text, type text, fq_name text, body jsonb, digest bytea, generation bigint
) ON COMMIT DELETE ROWS;
"""

BEGIN_OFFSETS = """
INSERT INTO consumer_offset (consumer, topic, partition, next_offset, translator_version)
SELECT %(consumer)s, %(topic)s, p.value::integer, 0, %(version)s
FROM json_array_elements_text(%(partitions)s) p ON CONFLICT DO NOTHING
"""
READ_OFFSETS = """
SELECT partition, next_offset, translator_version FROM consumer_offset
WHERE consumer = %(consumer)s AND topic = %(topic)s AND partition = ANY (%(partitions)s)
"""
ADVANCE = """
UPDATE consumer_offset o SET next_offset = m.next_offset, translator_version = m.version, updated_at = now()
FROM json_to_recordset(%(moves)s) m(partition integer, expected bigint, next_offset bigint, version text)
WHERE o.consumer = %(consumer)s AND o.topic = %(topic)s AND o.partition = m.partition
    AND o.next_offset = m.expected
"""

EPOCHS = """
SELECT kind, partition, epoch, state = 'listing', revision,
       coalesce((extract(epoch FROM listed_at) * 1000000)::bigint, 0)
FROM watch_epoch
WHERE cluster = %(cluster)s AND topic = %(topic)s AND partition = ANY (%(partitions)s)
"""
SAVE_EPOCHS = """
INSERT INTO watch_epoch (cluster, kind, topic, partition, epoch, state, at_offset, revision, listed_at)
SELECT %(cluster)s, e.kind, %(topic)s, e.partition, e.epoch, e.state, e.at_offset, e.revision, e.listed_at
FROM json_to_recordset(%(rows)s) e(
    kind text, partition integer, epoch bigint, state text, at_offset bigint, revision bigint, listed_at timestamptz)
ON CONFLICT (cluster, kind, topic, partition) DO UPDATE
SET epoch = excluded.epoch, state = excluded.state, at_offset = excluded.at_offset, revision = excluded.revision,
    listed_at = excluded.listed_at
"""

_HEAD = """
r.kind || '/' || r.namespace || '/' || r.name, r.uid, r.resource_version, r.epoch, r.digest, r.partition
"""
_KEYS = """
json_array_elements(%(keys)s) k JOIN k8s_resource r ON r.cluster = k.value ->> 0
    AND r.kind = k.value ->> 1 AND r.namespace = k.value ->> 2 AND r.name = k.value ->> 3
"""
HEADS = f"SELECT {_HEAD} FROM {_KEYS}"
OLDER = f"""
SELECT {_HEAD}
FROM json_to_recordset(%(sweeps)s) s(cluster text, kind text, partition integer, epoch bigint)
JOIN k8s_resource r ON r.cluster = s.cluster AND r.kind = s.kind AND r.topic = %(topic)s
    AND r.partition = s.partition AND r.epoch < s.epoch
"""

_RESOURCE = """
r.kind, r.namespace, r.name, r.api_version, r.uid, r.resource_version, r.epoch, r.body::text, r.digest,
r.topic, r.partition, r.at_offset, r.event_id::text,
coalesce((extract(epoch FROM r.observed_at) * 1000000)::bigint, 0)
"""
RESOURCES = f"SELECT {_RESOURCE} FROM {_KEYS}"
LISTING = f"SELECT {_RESOURCE} FROM k8s_resource r WHERE r.cluster = %(cluster)s AND r.kind = %(kind)s"
LISTING_OF_NAMESPACE = f"{LISTING} AND r.namespace = %(namespace)s"
PAGE = f"""
SELECT {_RESOURCE} FROM k8s_resource r
WHERE r.cluster = %(cluster)s AND r.topic = %(topic)s AND r.partition = %(partition)s
    AND (r.kind, r.namespace, r.name) > (%(kind)s, %(namespace)s, %(name)s)
ORDER BY r.kind, r.namespace, r.name LIMIT %(limit)s
"""

RESOURCE_COLUMNS = (
    "cluster, kind, namespace, name, api_version, uid, resource_version, epoch, body, digest, topic, partition, "
    "at_offset, event_id, observed_at"
)
REPLACE_RESOURCES = """
UPDATE k8s_resource r SET
    api_version = coalesce(t.api_version, r.api_version), uid = coalesce(t.uid, r.uid),
    resource_version = t.resource_version, epoch = t.epoch,
    body = coalesce(t.body, r.body), digest = coalesce(t.digest, r.digest), topic = t.topic, partition = t.partition,
    at_offset = t.at_offset, event_id = t.event_id, observed_at = t.observed_at
FROM told_resource t
WHERE r.cluster = t.cluster AND r.kind = t.kind AND r.namespace = t.namespace AND r.name = t.name
"""
REMOVE_RESOURCES = """
DELETE FROM k8s_resource r USING json_array_elements(%(keys)s) k
WHERE r.cluster = k.value ->> 0
    AND r.kind = k.value ->> 1 AND r.namespace = k.value ->> 2 AND r.name = k.value ->> 3
"""

READERS = """
SELECT DISTINCT r.reader FROM json_array_elements(%(keys)s) k
JOIN resource_read r ON r.cluster = k.value ->> 0 AND r.read = k.value ->> 1
"""
READS = """
SELECT r.reader, r.read FROM json_array_elements(%(keys)s) k
JOIN resource_read r ON r.cluster = k.value ->> 0 AND r.reader = k.value ->> 1
"""
# IS NOT DISTINCT FROM keeps the index on the other column out: a thousand pods read one namespace, and refer to
# one network, and that index would find them all for each row.
REMOVE_READS = """
DELETE FROM resource_read r USING json_array_elements(%(rows)s) k
WHERE r.cluster = k.value ->> 0 AND r.reader = k.value ->> 1 AND r.read IS NOT DISTINCT FROM k.value ->> 2
"""

WISHES = """
SELECT s.resource, s.object_uuid::text, s.digest FROM json_array_elements(%(keys)s) k
JOIN desired_source s ON s.cluster = k.value ->> 0 AND s.resource = k.value ->> 1
"""
OBJECTS = """
SELECT d.uuid::text, d.type, d.fq_name, d.namespace, d.body::text, d.digest, d.generation, d.absent
FROM json_array_elements_text(%(keys)s) k JOIN desired_object d ON d.uuid = k.value::uuid
"""
SOURCES = """
SELECT k.value ->> 0, s.resource, s.digest
FROM json_array_elements(%(keys)s) k CROSS JOIN LATERAL (
    SELECT f.resource, f.digest FROM desired_source f
    WHERE f.object_uuid = (k.value ->> 0)::uuid AND f.cluster = k.value ->> 1
    ORDER BY f.resource LIMIT (k.value ->> 2)::integer
) s
"""
LAST_GENERATIONS = """
SELECT f.object_uuid::text, max(f.generation) FROM json_array_elements_text(%(keys)s) k
JOIN object_diff f ON f.object_uuid = k.value::uuid GROUP BY f.object_uuid
"""

NOTICES = """
SELECT n.resource, n.about, n.reason, n.message, n.normal FROM json_array_elements(%(keys)s) k
JOIN resource_notice n ON n.cluster = k.value ->> 0 AND n.resource = k.value ->> 1
"""
SAVE_NOTICES = """
INSERT INTO resource_notice (cluster, resource, about, reason, message, normal)
SELECT %(cluster)s, n.resource, n.about, n.reason, n.message, n.normal
FROM json_to_recordset(%(rows)s) n(resource text, about text, reason text, message text, normal boolean)
ON CONFLICT (cluster, resource, about, reason) DO UPDATE SET
    message = excluded.message, normal = excluded.normal, since = now()
"""
REMOVE_NOTICES = """
DELETE FROM resource_notice n USING json_array_elements(%(rows)s) k
WHERE n.cluster = k.value ->> 0 AND n.resource = k.value ->> 1 AND n.about = k.value ->> 2
    AND n.reason = k.value ->> 3
"""

MARK_ABSENT = """
UPDATE desired_object d SET absent = true, generation = n.generation
FROM json_to_recordset(%(rows)s) n(uuid uuid, generation bigint) WHERE d.uuid = n.uuid
"""
OBJECT_COLUMNS = "uuid, shard, namespace, type, fq_name, body, digest, generation"
REPLACE_OBJECTS = """
UPDATE desired_object d SET
    shard = t.shard, namespace = t.namespace, type = t.type, fq_name = t.fq_name, body = t.body, digest = t.digest,
    generation = t.generation, absent = false
FROM told_object t WHERE d.uuid = t.uuid
"""
CHANGE_SOURCES = """
UPDATE desired_source s SET digest = n.digest
FROM json_to_recordset(%(rows)s) n(object_uuid uuid, cluster text, resource text, digest bytea)
WHERE s.object_uuid = n.object_uuid AND s.cluster = n.cluster AND s.resource = n.resource
"""
REMOVE_SOURCES = """
DELETE FROM desired_source s USING json_to_recordset(%(rows)s) n(object_uuid uuid, cluster text, resource text)
WHERE s.object_uuid = n.object_uuid AND s.cluster = n.cluster AND s.resource = n.resource
"""
REMOVE_EDGES = """
DELETE FROM desired_edge e USING json_to_recordset(%(rows)s) n(from_uuid uuid, to_uuid uuid, relation text)
WHERE e.from_uuid = n.from_uuid AND e.to_uuid IS NOT DISTINCT FROM n.to_uuid AND e.relation = n.relation
"""
AWAIT_APPLY = """
INSERT INTO apply_state (object_uuid, shard, desired_generation)
SELECT n.object_uuid, n.shard, n.generation
FROM json_to_recordset(%(rows)s) n(object_uuid uuid, shard integer, generation bigint)
ON CONFLICT (object_uuid) DO UPDATE SET
    shard = excluded.shard, desired_generation = excluded.desired_generation, status = 'pending', attempts = 0,
    next_attempt_at = now(), reason = '', last_error = '', updated_at = now()
"""
# Wanted again before its delete was confirmed: a delete may be under way, or done, that nobody has told of yet.
DOUBT_APPLIED = """
UPDATE apply_state a SET applied_generation = NULL
FROM json_array_elements_text(%(rows)s) k WHERE a.object_uuid = k.value::uuid
"""

SAVE_LETTERS = """
INSERT INTO dead_letter (cluster, stage, topic, partition, at_offset, resource, uid, error_class, error, payload)
SELECT %(cluster)s, n.stage, n.topic, n.partition, n.at_offset, n.resource, n.uid, n.error_class, n.error, n.payload
FROM json_to_recordset(%(rows)s) n(
    stage text, topic text, partition integer, at_offset bigint, resource text, uid text, error_class text,
    error text, payload bytea)
ON CONFLICT (cluster, stage, topic, partition, at_offset, resource) DO UPDATE SET
    times = dead_letter.times + 1, last_at = now(), resolved_at = NULL, uid = excluded.uid,
    error_class = excluded.error_class, error = excluded.error, payload = excluded.payload
"""
SETTLE_LETTERS = """
UPDATE dead_letter d SET resolved_at = now()
FROM json_array_elements(%(rows)s) n
WHERE d.cluster = n.value ->> 0 AND d.resource = n.value ->> 1 AND d.resolved_at IS NULL
    AND d.topic = n.value ->> 2 AND d.partition = (n.value ->> 3)::integer
    AND d.at_offset <= (n.value ->> 4)::bigint
    AND CASE d.stage WHEN 'translate' THEN (n.value ->> 5)::boolean WHEN 'apply' THEN false
        ELSE NOT (n.value ->> 5)::boolean END
"""

NOTIFY = "SELECT pg_notify('desired', %(shards)s)"

IS_EMPTY = """
SELECT NOT (EXISTS (SELECT FROM consumer_offset) OR EXISTS (SELECT FROM k8s_resource)
    OR EXISTS (SELECT FROM object_diff) OR EXISTS (SELECT FROM dead_letter))
"""
DESIRED_ROWS = """
SELECT uuid::text, type, fq_name, digest FROM desired_object
WHERE cluster = %(cluster)s AND NOT absent ORDER BY uuid
"""
COUNTS = """
SELECT
    (SELECT count(*) FROM k8s_resource WHERE cluster = %(cluster)s),
    (SELECT count(*) FROM desired_object WHERE cluster = %(cluster)s AND NOT absent),
    (SELECT count(*) FROM desired_object WHERE cluster = %(cluster)s AND absent),
    (SELECT count(*) FROM object_diff WHERE cluster = %(cluster)s),
    (SELECT count(*) FROM dead_letter WHERE cluster = %(cluster)s AND resolved_at IS NULL)
"""
