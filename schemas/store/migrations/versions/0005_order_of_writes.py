"""Edges to what must have been applied before, without a reference to it.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column(
        "desired_edge",
        "relation",
        comment="'after': the other must have been applied as it is wanted now, without a reference to it",
    )
    op.create_index(
        "desired_edge_after_idx", "desired_edge", ["to_uuid"], postgresql_where=sa.text("relation = 'after'")
    )
    op.create_table_comment(
        "desired_edge",
        "The object needs the other: as its parent, by a reference, or before itself. Only objects of the store.",
        existing_comment="The object needs the other: as its parent, or by a reference. Only objects of the store.",
    )
