"""Table of the VLAN tags of nested pods.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vlan_tag",
        sa.Column("interface_uuid", postgresql.UUID(as_uuid=False), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column(
            "parent_uuid",
            postgresql.UUID(as_uuid=False),
            nullable=False,
            comment="in Contrail: the interface of the machine that the node is",
        ),
        sa.Column("parent_fq_name", sa.Text(), nullable=False, comment="colon-joined"),
        sa.Column("tag", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("tag BETWEEN 1 AND 4094", name=op.f("vlan_tag_tag_check")),
        sa.ForeignKeyConstraint(
            ["interface_uuid"],
            ["desired_object.uuid"],
            name=op.f("vlan_tag_interface_uuid_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interface_uuid", name=op.f("vlan_tag_pkey")),
        comment="Tags of pods' interfaces in nested mode: given by the applier, kept until Contrail has no such "
        "interface.",
    )
    op.create_index("vlan_tag_parent_uuid_tag_idx", "vlan_tag", ["parent_uuid", "tag"], unique=True)
