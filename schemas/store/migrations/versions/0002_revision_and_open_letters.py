"""Remember the highest streamed revision of a snapshot epoch; find open dead letters by resource.

Revision: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "watch_epoch",
        sa.Column(
            "revision",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="highest resource version streamed in this epoch: what is new and below it is a repetition",
        ),
    )
    op.create_index(
        "dead_letter_open_idx",
        "dead_letter",
        ["cluster", "resource"],
        postgresql_where=sa.text("resolved_at IS NULL"),
    )

