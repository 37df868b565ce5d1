"""The first schema of the store.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('consumer_offset',
    sa.Column('consumer', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('next_offset', sa.BigInteger(), nullable=False),
    sa.Column('translator_version', sa.Text(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('consumer', 'topic', 'partition', name=op.f('consumer_offset_pkey')),
    comment='Next offset to read; moved in the same transaction as what was read, guarded by its old value.'
    )
    op.create_table('dead_letter',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('stage', sa.Text(), nullable=False, comment='decode, fold, translate or apply'),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('at_offset', sa.BigInteger(), nullable=False),
    sa.Column('resource', sa.Text(), server_default='', nullable=False),
    sa.Column('error_class', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=True),
    sa.Column('times', sa.Integer(), server_default='1', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('dead_letter_pkey')),
    comment='What could not be read or translated, with the reason; one row per position and resource.'
    )
    op.create_index('dead_letter_open_idx', 'dead_letter', ['resource', 'cluster'], unique=False, postgresql_where=sa.text('resolved_at IS NULL'))
    op.create_index('dead_letter_position_idx', 'dead_letter', ['cluster', 'stage', 'topic', 'partition', 'at_offset', 'resource'], unique=True)
    op.create_table('desired_object',
    sa.Column('uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('shard', sa.Integer(), nullable=False),
    sa.Column('namespace', sa.Text(), nullable=False, comment="Kubernetes namespace of its source, '' if none"),
    sa.Column('type', sa.Text(), nullable=False, comment="Contrail's type name, or 'link'"),
    sa.Column('fq_name', sa.Text(), nullable=False, comment='colon-joined'),
    sa.Column('body', postgresql.JSONB(), nullable=False, comment='ContrailObject.body() or Link.body() (schemas/contrail/objects.py)'),
    sa.Column('digest', sa.LargeBinary(), nullable=False, comment='SHA-256 of the canonical JSON of body'),
    sa.Column('generation', sa.BigInteger(), nullable=False, comment='rises with every change, also over a deletion'),
    sa.Column('absent', sa.Boolean(), server_default=sa.text('false'), nullable=False, comment='shall not exist; row goes when confirmed'),
    sa.PrimaryKeyConstraint('uuid', name=op.f('desired_object_pkey')),
    comment='Contrail objects as they shall be.'
    )
    op.create_index('desired_object_cluster_idx', 'desired_object', ['cluster', 'type'], unique=False)
    op.create_index('desired_object_leaving_idx', 'desired_object', ['type', 'fq_name'], unique=False, postgresql_where=sa.text('absent'))
    op.create_index('desired_object_name_idx', 'desired_object', ['type', 'fq_name'], unique=True, postgresql_where=sa.text('NOT absent'))
    op.create_table('k8s_resource',
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('namespace', sa.Text(), nullable=False, comment="'' for cluster-scoped kinds"),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('api_version', sa.Text(), nullable=False),
    sa.Column('uid', sa.Text(), nullable=False),
    sa.Column('resource_version', sa.Text(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('body', postgresql.JSONB(), nullable=False, comment='the typed record of the kind (schemas/records)'),
    sa.Column('digest', sa.LargeBinary(), nullable=False, comment='SHA-256 of the canonical JSON of body'),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('at_offset', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.UUID(as_uuid=False), nullable=True),
    sa.Column('observed_at', sa.DateTime(timezone=True), nullable=True, comment='when the watcher saw it'),
    sa.PrimaryKeyConstraint('cluster', 'kind', 'namespace', 'name', name=op.f('k8s_resource_pkey')),
    comment='Kubernetes objects as the log last told them: the fold.'
    )
    op.create_index('k8s_resource_snapshot_idx', 'k8s_resource', ['topic', 'partition', 'kind', 'epoch'], unique=False)
    op.create_index('k8s_resource_uid_idx', 'k8s_resource', ['uid'], unique=False)
    op.create_table('object_diff',
    sa.Column('object_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('generation', sa.BigInteger(), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('fq_name', sa.Text(), nullable=False),
    sa.Column('op', sa.Text(), nullable=False),
    sa.Column('before', postgresql.JSONB(), nullable=True),
    sa.Column('after', postgresql.JSONB(), nullable=True),
    sa.Column('patch', postgresql.JSONB(), nullable=True, comment="changed fields only: {'field': [before, after]}"),
    sa.Column('resource', sa.Text(), nullable=False, comment='resource whose change caused it'),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('at_offset', sa.BigInteger(), nullable=False),
    sa.Column('event_id', sa.UUID(as_uuid=False), nullable=True),
    sa.Column('translator_version', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('object_uuid', 'generation', name=op.f('object_diff_pkey')),
    comment='Every change of a desired object, append-only: the diffs, the audit trail and the provenance in one.'
    )
    op.create_index('object_diff_resource_idx', 'object_diff', ['cluster', 'resource'], unique=False)
    op.create_table('observed_object',
    sa.Column('uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('body', postgresql.JSONB(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('observed_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('observed_object_pkey')),
    comment='What Contrail decided by itself: of an instance-ip the address, prefix, gateway, DNS, subnet.'
    )
    op.create_table('resource_read',
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('reader', sa.Text(), nullable=False),
    sa.Column('read', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('cluster', 'reader', 'read', name=op.f('resource_read_pkey')),
    comment='What the translation of `reader` asked for, absent answers included.'
    )
    op.create_index('resource_read_read_idx', 'resource_read', ['read', 'cluster'], unique=False)
    op.create_table('watch_epoch',
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('partition', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('at_offset', sa.BigInteger(), nullable=False),
    sa.Column('revision', sa.BigInteger(), server_default='0', nullable=False, comment='highest resource version streamed in this epoch: what is new and below it is a repetition'),
    sa.PrimaryKeyConstraint('cluster', 'kind', 'topic', 'partition', name=op.f('watch_epoch_pkey')),
    comment="Newest snapshot epoch seen per kind and partition; 'listing' between snapshot_begin and _end."
    )
    op.create_table('apply_state',
    sa.Column('object_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('shard', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), server_default='pending', nullable=False),
    sa.Column('desired_generation', sa.BigInteger(), nullable=False),
    sa.Column('applied_generation', sa.BigInteger(), nullable=True, comment='null: not in Contrail as far as we know'),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False, comment='why not applied, for a person'),
    sa.Column('last_error', sa.Text(), server_default='', nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['object_uuid'], ['desired_object.uuid'], name=op.f('apply_state_object_uuid_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('object_uuid', name=op.f('apply_state_pkey')),
    comment="How far Contrail has followed; the translator sets 'pending', the applier the rest."
    )
    op.create_index('apply_state_work_idx', 'apply_state', ['shard', 'next_attempt_at'], unique=False, postgresql_where=sa.text("status <> 'applied'"))
    op.create_table('desired_edge',
    sa.Column('from_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('to_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('relation', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['from_uuid'], ['desired_object.uuid'], name=op.f('desired_edge_from_uuid_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('from_uuid', 'to_uuid', 'relation', name=op.f('desired_edge_pkey')),
    comment='The object needs the other: as its parent, or by a reference. Only objects of the store.'
    )
    op.create_index('desired_edge_to_idx', 'desired_edge', ['to_uuid'], unique=False)
    op.create_table('desired_source',
    sa.Column('object_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('resource', sa.Text(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False, comment='digest of the body this resource asked for'),
    sa.ForeignKeyConstraint(['object_uuid'], ['desired_object.uuid'], name=op.f('desired_source_object_uuid_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('object_uuid', 'cluster', 'resource', name=op.f('desired_source_pkey')),
    comment='Which resources want an object; it lives while one row is left.'
    )
    op.create_index('desired_source_resource_idx', 'desired_source', ['resource', 'cluster'], unique=False)
