"""Find the absent holder of a name: it must leave Contrail before another object takes the name.

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
    op.create_index(
        "desired_object_leaving_idx",
        "desired_object",
        ["type", "fq_name"],
        postgresql_where=sa.text("absent"),
    )
