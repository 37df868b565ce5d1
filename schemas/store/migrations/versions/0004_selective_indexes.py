"""Begin secondary indexes with their most selective column.

Two indexes that both begin with `cluster` look alike to the planner as long as a table has no statistics, and
the wrong one reads the whole cluster for every key.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEXES = (
    ("k8s_resource_snapshot_idx", "k8s_resource", ["topic", "partition", "kind", "epoch"], None),
    ("resource_read_read_idx", "resource_read", ["read", "cluster"], None),
    ("desired_source_resource_idx", "desired_source", ["resource", "cluster"], None),
    ("dead_letter_open_idx", "dead_letter", ["resource", "cluster"], sa.text("resolved_at IS NULL")),
)


def upgrade() -> None:
    for name, table, columns, where in INDEXES:
        op.drop_index(name, table_name=table)
        op.create_index(name, table, columns, postgresql_where=where)
