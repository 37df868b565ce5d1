"""Clearing away what no DEL has come for: GC, and the start after a crash (shell)."""

from __future__ import annotations

import logging

from cni import locks
from cni.answers import NOT_ALL_FREED
from cni.detach import Detacher
from cni.interface import FIRST
from cni.locks import NamedLocks
from cni.netlink import Kernel
from cni.records import ATTACHED, ATTACHING, Record, Records
from cni.requests import Attachment, Request
from schemas.errors import AgentUnavailable, ContrailKubeError, PlugError, RequestRefused

logger = logging.getLogger(__name__)


class Sweeper:
    """GC of one node."""

    def __init__(self, *, kernel: Kernel, records: Records, held: NamedLocks, detacher: Detacher) -> None:
        self._kernel = kernel
        self._records = records
        self._held = held
        self._detacher = detacher

    def collect(self, request: Request) -> int:
        """GC: free what is not listed as valid, go on after errors, and return how many were freed.

        Only attachments of the request's network. Raises RequestRefused when something could not be freed.
        """
        stale = self._records.where(
            lambda r: r.network == request.network and request.valid.isdisjoint((r.attachment, r.leader))
        )
        failures: list[str] = []
        freed = sum(self._free(record, failures) for record in stale)
        freed += self._free_orphans(request, failures)
        logger.info("garbage collected network=%s freed=%d failed=%d", request.network, freed, len(failures))
        if failures:
            raise RequestRefused(NOT_ALL_FREED, f"{len(failures)} could not be freed: {'; '.join(failures[:5])}")
        return freed

    def recover(self) -> int:
        """Undo every ADD that a killed agent did not finish; returns how many. For the start, before serving."""
        unfinished = self._records.where(lambda r: r.phase == ATTACHING or not self._is_led(r))
        for record in unfinished:
            logger.warning("unfinished ADD undone attachment=%s tap=%s", record.attachment, record.interface.tap)
            self._free(record, [])
        return len(unfinished)

    def _is_led(self, record: Record) -> bool:
        """Whether the ADD that made the interface came to its end: that of its leader is stored last."""
        leader = self._records.get(record.leader)
        return leader is not None and leader.phase == ATTACHED

    def _free(self, record: Record, failures: list[str]) -> bool:
        """Free one attachment; what goes wrong is logged and added to `failures`."""
        names = locks.container(record.attachment.container), locks.machine(record.interface.machine_uuid)
        try:
            # A request that is at work on it now proves that it is wanted, or sees to it itself.
            with self._held.hold(*names, timeout=0):
                if self._records.get(record.attachment) == record:
                    self._detacher.release(record)
        except AgentUnavailable:
            logger.info("left alone, because a request is at work on it attachment=%s", record.attachment)
            return False
        except (ContrailKubeError, OSError) as error:
            logger.error("cannot be freed attachment=%s error=%s", record.attachment, error)
            failures.append(f"{record.attachment}: {error}")
            return False
        return True

    def _free_orphans(self, request: Request, failures: list[str]) -> int:
        """Remove links that name an attachment which has neither a record nor a place in the list."""
        # Links first: an ADD writes its record before it makes its link.
        taps = self._kernel.taps()
        known = {record.attachment for record in self._records.all()} | request.valid
        freed = 0
        for tap, label in taps.items():
            first = Attachment(label.attachment.container, FIRST)
            if label.network != request.network or not known.isdisjoint((label.attachment, first)):
                continue
            try:
                freed += self._kernel.unplug(tap)
            except PlugError as error:
                failures.append(str(error))
        return freed
