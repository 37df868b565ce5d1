"""Tables of the store (pure metadata); the migrations in schemas/store/migrations make them.

A test compares this module with a migrated database, so the two cannot drift apart. Texts named `resource`,
`reader` and `read` are resource keys, `Kind/namespace/name`; a list read ends in `/*`. Positions on the bus
are (topic, partition, at_offset); they are empty ('' and -1) for what did not come from the bus.

Secondary indexes begin with their most selective column: two indexes that both begin with `cluster` look
alike to the planner as long as a table has no statistics, and the wrong one reads the whole cluster.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

SHARDS = 16
"""Applier shards; `shard` of an object is crc32(namespace) modulo this."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    }
)

_UUID = UUID(as_uuid=False)
_NOW = func.now()

consumer_offset = Table(
    "consumer_offset",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("translator_version", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    comment="Next offset to read; moved in the same transaction as what was read, guarded by its old value.",
)

watch_epoch = Table(
    "watch_epoch",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("state", Text, CheckConstraint("state IN ('listing', 'streaming')", name="state"), nullable=False),
    Column("at_offset", BigInteger, nullable=False),
    Column(
        "revision",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="highest resource version streamed in this epoch: what is new and below it is a repetition",
    ),
    Column(
        "listed_at",
        DateTime(timezone=True),
        comment="when the watcher began the listing of this epoch; null if it was not folded whole",
    ),
    comment="Newest snapshot epoch seen per kind and partition; 'listing' between snapshot_begin and _end.",
)

k8s_resource = Table(
    "k8s_resource",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("namespace", Text, primary_key=True, comment="'' for cluster-scoped kinds"),
    Column("name", Text, primary_key=True),
    Column("api_version", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("resource_version", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("body", JSONB, nullable=False, comment="the typed record of the kind (schemas/records)"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the canonical JSON of body"),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("at_offset", BigInteger, nullable=False),
    Column("event_id", _UUID),
    Column("observed_at", DateTime(timezone=True), comment="when the watcher saw it"),
    Index("k8s_resource_uid_idx", "uid"),
    Index("k8s_resource_snapshot_idx", "topic", "partition", "kind", "epoch"),
    comment="Kubernetes objects as the log last told them: the fold.",
)

resource_read = Table(
    "resource_read",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("reader", Text, primary_key=True),
    Column("read", Text, primary_key=True),
    Index("resource_read_read_idx", "read", "cluster"),
    comment="What the translation of `reader` asked for, absent answers included.",
)

desired_object = Table(
    "desired_object",
    metadata,
    Column("uuid", _UUID, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("shard", Integer, nullable=False),
    Column("namespace", Text, nullable=False, comment="Kubernetes namespace of its source, '' if none"),
    Column("type", Text, nullable=False, comment="Contrail's type name, or 'link'"),
    Column("fq_name", Text, nullable=False, comment="colon-joined"),
    Column("body", JSONB, nullable=False, comment="ContrailObject.body() or Link.body() (schemas/contrail/objects.py)"),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the canonical JSON of body"),
    Column("generation", BigInteger, nullable=False, comment="rises with every change, also over a deletion"),
    Column(
        "absent",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="shall not exist; row goes when confirmed",
    ),
    Index("desired_object_name_idx", "type", "fq_name", unique=True, postgresql_where=text("NOT absent")),
    Index("desired_object_leaving_idx", "type", "fq_name", postgresql_where=text("absent")),
    Index("desired_object_cluster_idx", "cluster", "type"),
    comment="Contrail objects as they shall be.",
)

desired_source = Table(
    "desired_source",
    metadata,
    Column("object_uuid", _UUID, ForeignKey("desired_object.uuid", ondelete="CASCADE"), primary_key=True),
    Column("cluster", Text, primary_key=True),
    Column("resource", Text(collation="C"), primary_key=True, comment="in the order of bytes: the smallest count"),
    Column("digest", LargeBinary, nullable=False, comment="digest of the body this resource asked for"),
    Index("desired_source_resource_idx", "resource", "cluster"),
    comment="Which resources want an object; it lives while one row is left.",
)

desired_edge = Table(
    "desired_edge",
    metadata,
    Column("from_uuid", _UUID, ForeignKey("desired_object.uuid", ondelete="CASCADE"), primary_key=True),
    Column("to_uuid", _UUID, primary_key=True),
    Column(
        "relation",
        Text,
        CheckConstraint("relation IN ('parent', 'ref', 'after')", name="relation"),
        primary_key=True,
        comment="'after': the other must have been applied as it is wanted now, without a reference to it",
    ),
    Index("desired_edge_to_idx", "to_uuid"),
    Index("desired_edge_after_idx", "to_uuid", postgresql_where=text("relation = 'after'")),
    comment="The object needs the other: as its parent, by a reference, or before itself. Only objects of the store.",
)

object_diff = Table(
    "object_diff",
    metadata,
    Column("object_uuid", _UUID, primary_key=True),
    Column("generation", BigInteger, primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("fq_name", Text, nullable=False),
    Column("op", Text, CheckConstraint("op IN ('create', 'update', 'delete')", name="op"), nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("patch", JSONB, comment="changed fields only: {'field': [before, after]}"),
    Column("resource", Text, nullable=False, comment="resource whose change caused it"),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("at_offset", BigInteger, nullable=False),
    Column("event_id", _UUID),
    Column("translator_version", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("object_diff_resource_idx", "cluster", "resource"),
    comment="Every change of a desired object, append-only: the diffs, the audit trail and the provenance in one.",
)

apply_state = Table(
    "apply_state",
    metadata,
    Column("object_uuid", _UUID, ForeignKey("desired_object.uuid", ondelete="CASCADE"), primary_key=True),
    Column("shard", Integer, nullable=False),
    Column(
        "status",
        Text,
        CheckConstraint("status IN ('pending', 'applied', 'blocked', 'failed', 'dead')", name="status"),
        nullable=False,
        server_default="pending",
    ),
    Column("desired_generation", BigInteger, nullable=False),
    Column("applied_generation", BigInteger, comment="null: not in Contrail as far as we know"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("reason", Text, nullable=False, server_default="", comment="why not applied, for a person"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("apply_state_work_idx", "shard", "next_attempt_at", postgresql_where=text("status <> 'applied'")),
    comment="How far Contrail has followed; the translator sets 'pending', the applier the rest.",
)

observed_object = Table(
    "observed_object",
    metadata,
    Column("uuid", _UUID, primary_key=True),
    Column("type", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("observed_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("observed_object_observed_at_idx", "observed_at"),
    comment="What Contrail decided by itself: of an instance-ip the address, prefix, gateway, DNS, subnet.",
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("stage", Text, nullable=False, comment="decode, fold, translate or apply"),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("at_offset", BigInteger, nullable=False),
    Column("resource", Text, nullable=False, server_default=""),
    Column("uid", Text, nullable=False, server_default="", comment="of the resource, where it is known"),
    Column("error_class", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("payload", LargeBinary),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("last_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("resolved_at", DateTime(timezone=True)),
    Index("dead_letter_position_idx", "cluster", "stage", "topic", "partition", "at_offset", "resource", unique=True),
    Index("dead_letter_open_idx", "resource", "cluster", postgresql_where=text("resolved_at IS NULL")),
    comment="What could not be read or translated, with the reason; one row per position and resource.",
)

resource_notice = Table(
    "resource_notice",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("resource", Text, primary_key=True, comment="whose translation says it"),
    Column("about", Text, primary_key=True, comment="the resource that it concerns"),
    Column("reason", Text, primary_key=True, comment="for programs"),
    Column("message", Text, nullable=False, comment="for a person"),
    Column("normal", Boolean, nullable=False, server_default=text("false"), comment="nothing is wrong"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("resource_notice_about_idx", "about", "cluster"),
    comment="What translations decided that a user would want to know; replaced with each, gone with the resource.",
)

written_back = Table(
    "written_back",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("resource", Text, primary_key=True),
    Column(
        "part",
        Text,
        CheckConstraint("part IN ('addresses', 'network-status')", name="part"),
        primary_key=True,
        comment="status.loadBalancer.ingress, or a pod's annotation",
    ),
    Column("uid", Text, nullable=False),
    Column("value", Text, nullable=False, comment="what Kubernetes was told: JSON"),
    Column("resource_version", Text, nullable=False, comment="of the resource after it"),
    Column("held", Text, nullable=False, server_default="", comment="who keeps us from writing it; empty: written"),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    comment="What feedback has written into objects of Kubernetes, so that it writes what changes and nothing else.",
)

told_event = Table(
    "told_event",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("resource", Text, primary_key=True, comment="the resource that it is about"),
    Column("reason", Text, primary_key=True),
    Column("uid", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("normal", Boolean, nullable=False, server_default=text("false"), comment="nothing is wrong"),
    Column("event", Text, nullable=False, comment="name of the Event, without the resource's"),
    Column("count", Integer, nullable=False, server_default="0", comment="times that it was said; 0: not yet"),
    Column("over", Boolean, nullable=False, server_default=text("false"), comment="it is so no more; to be said"),
    Column("since", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("told_at", DateTime(timezone=True), comment="when last"),
    comment="Events that feedback has written, or is about to write; a row goes when what it says is over.",
)

audit_run = Table(
    "audit_run",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("ended_at", DateTime(timezone=True), comment="null while it runs, and for ever if it died"),
    Column(
        "outcome",
        Text,
        CheckConstraint("outcome IN ('running', 'complete', 'failed')", name="outcome"),
        nullable=False,
        server_default="running",
        comment="only what a complete one saw counts",
    ),
    Column("listed", Integer, nullable=False, server_default="0", comment="objects of Contrail that were read"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("missing", Integer, nullable=False, server_default="0"),
    Column("orphans", Integer, nullable=False, server_default="0"),
    Column("strangers", Integer, nullable=False, server_default="0", comment="findings 'foreign'"),
    Column("repaired", Integer, nullable=False, server_default="0", comment="handed to the applier again"),
    Column("pruned", Integer, nullable=False, server_default="0"),
    Column("note", Text, nullable=False, server_default="", comment="what a person should know of it"),
    Index("audit_run_started_at_idx", "started_at"),
    comment="Comparisons of Contrail with the store.",
)

audit_finding = Table(
    "audit_finding",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("uuid", _UUID, nullable=False, comment="of the row of the store, else of the object in Contrail"),
    Column("type", Text, nullable=False),
    Column("fq_name", Text, nullable=False, comment="colon-joined"),
    Column("namespace", Text, nullable=False, comment="Kubernetes namespace, '' if none"),
    Column(
        "problem",
        Text,
        CheckConstraint("problem IN ('changed', 'missing', 'orphan', 'foreign')", name="problem"),
        nullable=False,
    ),
    Column(
        "detail",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="of 'changed': {field: [desired, live]}, long values cut",
    ),
    Column("reason", Text, nullable=False, comment="what is wrong and what is done about it, for a person"),
    Column("first_seen", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("last_seen", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Column("seen", Integer, nullable=False, server_default="1", comment="complete audits in a row that saw it"),
    Column("first_run", BigInteger, nullable=False, comment="audit_run that saw it first"),
    Column("last_run", BigInteger, nullable=False, comment="audit_run that saw it last"),
    Column("repairs", Integer, nullable=False, server_default="0", comment="times handed to the applier again"),
    Column("repaired_at", DateTime(timezone=True), comment="when last"),
    Column("resolved_at", DateTime(timezone=True)),
    Column("resolution", Text, comment="'repaired', 'pruned', 'vanished', or why it was kept"),
    Index("audit_finding_open_idx", "uuid", "cluster", unique=True, postgresql_where=text("resolved_at IS NULL")),
    Index("audit_finding_uuid_idx", "uuid"),
    comment="Where Contrail differs from the store; resolved ones are kept for a while.",
)

adopted_object = Table(
    "adopted_object",
    metadata,
    Column("uuid", _UUID, ForeignKey("desired_object.uuid", ondelete="CASCADE"), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("contrail_uuid", _UUID, nullable=False),
    Column("contrail_fq_name", Text, nullable=False, comment="colon-joined"),
    Column(
        "kept",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="properties that stay as Contrail has them, whatever is desired",
    ),
    Column("adopted_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("adopted_object_contrail_uuid_idx", "contrail_uuid", unique=True),
    comment="The desired object is served by an object of Contrail that a predecessor made, with its own uuid.",
)

vlan_tag = Table(
    "vlan_tag",
    metadata,
    Column("interface_uuid", _UUID, ForeignKey("desired_object.uuid", ondelete="CASCADE"), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("parent_uuid", _UUID, nullable=False, comment="in Contrail: the interface of the machine that the node is"),
    Column("parent_fq_name", Text, nullable=False, comment="colon-joined"),
    Column("tag", Integer, CheckConstraint("tag BETWEEN 1 AND 4094", name="tag"), nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False, server_default=_NOW),
    Index("vlan_tag_parent_uuid_tag_idx", "parent_uuid", "tag", unique=True),
    comment="Tags of pods' interfaces in nested mode: given by the applier, kept until Contrail has no such interface.",
)
