"""Tables of the audit and of adopted objects; when a kind was last listed.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('watch_epoch', sa.Column('listed_at', sa.DateTime(timezone=True), nullable=True, comment='when the watcher began the listing of this epoch; null if it was not folded whole'))
    op.create_table('audit_run',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True, comment='null while it runs, and for ever if it died'),
    sa.Column('outcome', sa.Text(), server_default='running', nullable=False, comment='only what a complete one saw counts'),
    sa.Column('listed', sa.Integer(), server_default='0', nullable=False, comment='objects of Contrail that were read'),
    sa.Column('changed', sa.Integer(), server_default='0', nullable=False),
    sa.Column('missing', sa.Integer(), server_default='0', nullable=False),
    sa.Column('orphans', sa.Integer(), server_default='0', nullable=False),
    sa.Column('strangers', sa.Integer(), server_default='0', nullable=False, comment="findings 'foreign'"),
    sa.Column('repaired', sa.Integer(), server_default='0', nullable=False, comment='handed to the applier again'),
    sa.Column('pruned', sa.Integer(), server_default='0', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False, comment='what a person should know of it'),
    sa.CheckConstraint("outcome IN ('running', 'complete', 'failed')", name=op.f('audit_run_outcome_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('audit_run_pkey')),
    comment='Comparisons of Contrail with the store.'
    )
    op.create_index('audit_run_started_at_idx', 'audit_run', ['started_at'], unique=False)
    op.create_table('audit_finding',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('uuid', sa.UUID(as_uuid=False), nullable=False, comment='of the row of the store, else of the object in Contrail'),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('fq_name', sa.Text(), nullable=False, comment='colon-joined'),
    sa.Column('namespace', sa.Text(), nullable=False, comment="Kubernetes namespace, '' if none"),
    sa.Column('problem', sa.Text(), nullable=False),
    sa.Column('detail', postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment="of 'changed': {field: [desired, live]}, long values cut"),
    sa.Column('reason', sa.Text(), nullable=False, comment='what is wrong and what is done about it, for a person'),
    sa.Column('first_seen', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('last_seen', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('seen', sa.Integer(), server_default='1', nullable=False, comment='complete audits in a row that saw it'),
    sa.Column('first_run', sa.BigInteger(), nullable=False, comment='audit_run that saw it first'),
    sa.Column('last_run', sa.BigInteger(), nullable=False, comment='audit_run that saw it last'),
    sa.Column('repairs', sa.Integer(), server_default='0', nullable=False, comment='times handed to the applier again'),
    sa.Column('repaired_at', sa.DateTime(timezone=True), nullable=True, comment='when last'),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolution', sa.Text(), nullable=True, comment="'repaired', 'pruned', 'vanished', or why it was kept"),
    sa.CheckConstraint("problem IN ('changed', 'missing', 'orphan', 'foreign')", name=op.f('audit_finding_problem_check')),
    sa.PrimaryKeyConstraint('id', name=op.f('audit_finding_pkey')),
    comment='Where Contrail differs from the store; resolved ones are kept for a while.'
    )
    op.create_index('audit_finding_open_idx', 'audit_finding', ['uuid', 'cluster'], unique=True, postgresql_where=sa.text('resolved_at IS NULL'))
    op.create_index('audit_finding_uuid_idx', 'audit_finding', ['uuid'], unique=False)
    op.create_table('adopted_object',
    sa.Column('uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('cluster', sa.Text(), nullable=False),
    sa.Column('contrail_uuid', sa.UUID(as_uuid=False), nullable=False),
    sa.Column('contrail_fq_name', sa.Text(), nullable=False, comment='colon-joined'),
    sa.Column('kept', postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False, comment='properties that stay as Contrail has them, whatever is desired'),
    sa.Column('adopted_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['uuid'], ['desired_object.uuid'], name=op.f('adopted_object_uuid_fkey'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('uuid', name=op.f('adopted_object_pkey')),
    comment='The desired object is served by an object of Contrail that a predecessor made, with its own uuid.'
    )
    op.create_index('adopted_object_contrail_uuid_idx', 'adopted_object', ['contrail_uuid'], unique=True)
