"""Table of what translations notice.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "resource_notice",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False, comment="whose translation says it"),
        sa.Column("about", sa.Text(), nullable=False, comment="the resource that it concerns"),
        sa.Column("reason", sa.Text(), nullable=False, comment="for programs"),
        sa.Column("message", sa.Text(), nullable=False, comment="for a person"),
        sa.Column("normal", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="nothing is wrong"),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "resource", "about", "reason", name=op.f("resource_notice_pkey")),
        comment="What translations decided that a user would want to know; replaced with each, gone with the resource.",
    )
    op.create_index("resource_notice_about_idx", "resource_notice", ["about", "cluster"], unique=False)
