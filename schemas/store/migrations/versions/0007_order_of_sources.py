"""Sources of an object in the order of bytes, which is the translator's: the first few of thousands are one index read.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COMMENT = "in the order of bytes: the smallest count"


def upgrade() -> None:
    # A column that a view reads cannot change; whoever migrates makes the views that are missing.
    op.execute(
        """
        DO $$ DECLARE found text; BEGIN
            FOR found IN
                SELECT DISTINCT c.oid::regclass::text FROM pg_depend d
                JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
                WHERE d.refobjid = 'desired_source'::regclass AND c.relkind = 'v'
            LOOP EXECUTE 'DROP VIEW ' || found; END LOOP;
        END $$
        """
    )
    op.alter_column(
        "desired_source", "resource", type_=sa.Text(collation="C"), existing_type=sa.Text(), comment=_COMMENT
    )
