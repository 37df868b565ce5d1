"""What to do when a simulated Contrail begins anew: its memory is gone, so everything is to be applied again."""

from __future__ import annotations

import logging

from sqlalchemy import Engine, text

from schemas.store.engine import store_errors
from schemas.store.tables import SHARDS

logger = logging.getLogger(__name__)

_PENDING = text(
    """
    UPDATE apply_state a
    SET status = 'pending', applied_generation = NULL, attempts = 0, next_attempt_at = now(), reason = '',
        last_error = '', updated_at = now()
    FROM desired_object d WHERE d.uuid = a.object_uuid AND d.cluster = :cluster
    """
)
_UNOBSERVED = text(
    "DELETE FROM observed_object o USING desired_object d WHERE o.uuid = d.uuid AND d.cluster = :cluster"
)
_NOTIFY = text("SELECT pg_notify('desired', :shards), pg_notify('observed', '')")


def forget(engine: Engine, *, cluster: str) -> int:
    """Take nothing of the cluster for applied or observed any more; returns how many objects that were.

    Never for a real Contrail: that one remembers.
    """
    with store_errors("forget what the simulated Contrail forgot", engine), engine.begin() as connection:
        count = connection.execute(_PENDING, {"cluster": cluster}).rowcount
        connection.execute(_UNOBSERVED, {"cluster": cluster})
        connection.execute(_NOTIFY, {"shards": ",".join(str(shard) for shard in range(SHARDS))})
    if count:
        logger.warning("the simulated Contrail began anew: all %d objects are applied again", count)
    return count
