"""Tables of what feedback has written into Kubernetes; whose dead letters are; observations in order of time.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dead_letter",
        sa.Column("uid", sa.Text(), server_default="", nullable=False, comment="of the resource, where it is known"),
    )
    op.create_index("observed_object_observed_at_idx", "observed_object", ["observed_at"], unique=False)
    op.create_table(
        "written_back",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False, comment="status.loadBalancer.ingress, or a pod's annotation"),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="what Kubernetes was told: JSON"),
        sa.Column("resource_version", sa.Text(), nullable=False, comment="of the resource after it"),
        sa.Column(
            "held",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="who keeps us from writing it; empty: written",
        ),
        sa.Column("written_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("part IN ('addresses', 'network-status')", name=op.f("written_back_part_check")),
        sa.PrimaryKeyConstraint("cluster", "resource", "part", name=op.f("written_back_pkey")),
        comment="What feedback has written into objects of Kubernetes, so that it writes what changes and nothing else.",
    )
    op.create_table(
        "told_event",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False, comment="the resource that it is about"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("normal", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="nothing is wrong"),
        sa.Column("event", sa.Text(), nullable=False, comment="name of the Event, without the resource's"),
        sa.Column(
            "count", sa.Integer(), server_default="0", nullable=False, comment="times that it was said; 0: not yet"
        ),
        sa.Column(
            "over",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="it is so no more; to be said",
        ),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True, comment="when last"),
        sa.PrimaryKeyConstraint("cluster", "resource", "reason", name=op.f("told_event_pkey")),
        comment="Events that feedback has written, or is about to write; a row goes when what it says is over.",
    )
