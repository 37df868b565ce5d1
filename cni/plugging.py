"""One interface of an ADD: made, taken over from predecessors, undone (shell).

Record → kernel → vrouter agent, so that whatever is killed in between is found by the record. The caller holds the
locks of the container and of the machine.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from cni.detach import Detacher
from cni.interface import Interface
from cni.netlink import Kernel
from cni.records import ATTACHED, ATTACHING, Record, Records
from cni.requests import Attachment, Request
from cni.vrouter import PortAgent, PortFiles
from cni.withdrawals import Withdrawals
from schemas.errors import ContrailKubeError

logger = logging.getLogger(__name__)


class Plugger:
    """Interfaces of one node."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        vrouter: PortAgent,
        records: Records,
        withdrawals: Withdrawals,
        port_files: PortFiles,
        detacher: Detacher,
    ) -> None:
        self._kernel = kernel
        self._vrouter = vrouter
        self._records = records
        self._withdrawals = withdrawals
        self._port_files = port_files
        self._detacher = detacher

    def known(self, request: Request, interface: Interface) -> Record | None:
        """The record of the same interface made before, if the kernel still has what it says."""
        record = self._records.get(Attachment(request.attachment.container, interface.ifname))
        if record is None or record.phase != ATTACHED:
            return None
        if record.interface != interface or record.netns != request.netns:
            return None
        faults = self._kernel.faults(interface, request.netns)
        if faults:
            logger.warning("attached interface is made anew attachment=%s faults=%s", record.attachment, faults)
            return None
        return record

    def begin(self, request: Request, interface: Interface) -> tuple[Record, bool]:
        """The record of an interface to be made, and whether one of the same attachment was there before."""
        attachment = Attachment(request.attachment.container, interface.ifname)
        own = self._records.get(attachment)
        if own is not None and own.interface.tap != interface.tap:
            self._detacher.release(own)
        lead = "" if attachment == request.attachment else request.attachment.ifname
        record = Record(attachment, request.network, request.netns, 0, ATTACHING, interface, lead=lead)
        return self._records.begin(record), own is not None

    def plug(self, record: Record, *, again: bool, wait: float) -> Record:
        """Make the interface and announce its port; returns the record with the MAC of the host's end."""
        interface = record.interface
        self._take_over(record, again=again)
        tap_mac = self._kernel.plug(interface, record.netns, record.label)
        self._vrouter.announce(interface, record.attachment, record.netns, wait=wait)
        return replace(record, tap_mac=tap_mac)

    def finish(self, record: Record) -> Record:
        """Store that the interface is what its ADD made it."""
        record = replace(record, phase=ATTACHED)
        self._records.put(record)
        return record

    def roll_back(self, record: Record) -> None:
        """Undo what was made; where that fails, the record stays, so that DEL, GC or the next start finish the work."""
        try:
            self._detacher.release(record)
        except (ContrailKubeError, OSError) as error:
            logger.error("failed ADD cannot be undone yet attachment=%s error=%s", record.attachment, error)

    def _take_over(self, record: Record, *, again: bool) -> None:
        """Remove what an earlier sandbox of the pod, or an earlier try, left under the same names."""
        interface = record.interface
        older = self._records.where(lambda r: r.interface.tap == interface.tap and r.attachment != record.attachment)
        for predecessor in older:
            logger.info("predecessor replaced attachment=%s by=%s", predecessor.attachment, record.attachment)
            self._records.remove(predecessor.attachment)
        # Before the port is announced, else the withdrawal could come after it.
        pending = self._withdrawals.remove(interface.machine_uuid)
        removed = self._kernel.unplug(interface.tap)
        # The agent keeps an old file rather than write the new port into it.
        self._port_files.remove(interface.machine_name, interface.interface_uuid)
        if (older or again or pending or removed) and not self._detacher.has_sibling(record):
            self._vrouter.withdraw(interface.machine_uuid)
