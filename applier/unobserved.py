"""What an earlier version applied without reading what Contrail decided (shell; SQL): it is looked at once more."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Engine, text

from schemas.errors import ContrailKubeError
from schemas.store.engine import store_errors

logger = logging.getLogger(__name__)

_LOOK_AGAIN = text("""
    UPDATE apply_state a SET status = 'pending', attempts = 0, next_attempt_at = now(), updated_at = now()
    FROM desired_object d
    WHERE d.cluster = :cluster AND d.type = 'floating-ip' AND d.body ->> 'parent_type' = 'floating-ip-pool'
      AND NOT d.absent AND NOT (d.body -> 'properties') ? 'floating_ip_address'
      AND a.object_uuid = d.uuid AND a.status = 'applied'
      AND NOT EXISTS (SELECT FROM observed_object o WHERE o.uuid = d.uuid)
""")


def look_again(engine: Engine, *, cluster: str) -> int:
    """Make applied floating-ips of a pool due whose address is not known; returns how many."""
    with store_errors("look for addresses that were not read", engine), engine.begin() as connection:
        count = connection.execute(_LOOK_AGAIN, {"cluster": cluster}).rowcount
    if count:
        logger.info("addresses to be read back, which an earlier version did not count=%d", count)
    return count


def look_again_beside(engine: Engine, *, cluster: str) -> None:
    """The same in a thread of its own: work does not wait for it, and the next start does it if this one cannot."""

    def look() -> None:
        try:
            look_again(engine, cluster=cluster)
        except ContrailKubeError as error:
            logger.warning("left to the next start: %s", error)

    threading.Thread(target=look, name="unobserved", daemon=True).start()
