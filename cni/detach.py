"""Undoing an attachment: what DEL, GC, a failed ADD and the start after a crash have in common (shell).

Needs only the record and the kernel: neither the store nor the vrouter agent can keep a pod from being deleted.
"""

from __future__ import annotations

import logging

from cni import locks
from cni.interface import FIRST
from cni.locks import NamedLocks
from cni.netlink import Kernel
from cni.records import Record, Records
from cni.requests import Attachment, Request
from cni.vrouter import PortAgent, PortFiles
from cni.withdrawals import Withdrawals
from schemas.errors import AgentRefused, AgentUnavailable

logger = logging.getLogger(__name__)


class Detacher:
    """DEL of one node."""

    def __init__(
        self,
        *,
        kernel: Kernel,
        vrouter: PortAgent,
        records: Records,
        withdrawals: Withdrawals,
        port_files: PortFiles,
        held: NamedLocks,
    ) -> None:
        self._kernel = kernel
        self._vrouter = vrouter
        self._records = records
        self._withdrawals = withdrawals
        self._port_files = port_files
        self._held = held

    def detach(self, request: Request, timeout: float) -> None:
        """DEL: nothing of the attachment is left when this returns. Raises PlugError if the kernel refuses."""
        attachment = request.attachment
        with self._held.hold(locks.container(attachment.container), timeout=timeout):
            is_recorded = self._records.get(attachment) is not None
            # What the ADD made beside its own interface goes with it, and before it.
            for record in self._records.group(attachment):
                with self._held.hold(locks.machine(record.interface.machine_uuid), timeout=timeout):
                    # An ADD of a newer sandbox may have taken the record over while we waited.
                    if self._records.get(record.attachment) is not None:
                        self.release(record)
            if not is_recorded or self._torn(attachment):
                self._detach_unrecorded(request)

    def release(self, record: Record) -> None:
        """Remove everything that the record names, and the record last; the caller holds its locks."""
        interface = record.interface
        if self._has_successor(record):
            logger.info("left to its successor attachment=%s tap=%s", record.attachment, interface.tap)
            self._records.remove(record.attachment)
            return
        self._kernel.unplug(interface.tap)
        self._port_files.remove(interface.machine_name, interface.interface_uuid)
        if not self.has_sibling(record):
            self.withdraw(interface.machine_uuid, f"{interface.namespace}/{interface.pod}")
        self._records.remove(record.attachment)

    def withdraw(self, machine_uuid: str, pod: str) -> None:
        """Tell the vrouter agent now, or durably intend to."""
        try:
            self._vrouter.withdraw(machine_uuid)
        except (AgentUnavailable, AgentRefused) as error:
            logger.warning("withdrawal is left for later pod=%s machine=%s error=%s", pod, machine_uuid, error)
            self._withdrawals.put(machine_uuid, pod)

    def has_sibling(self, record: Record) -> bool:
        """Whether the machine has another interface, whose port must stay: the agent withdraws machines, not ports."""
        mine = record.interface
        return bool(
            self._records.where(lambda r: r.interface.machine_uuid == mine.machine_uuid and r.interface.tap != mine.tap)
        )

    def unplug_labelled(self, attachment: Attachment) -> bool:
        """Remove links without a record whose label names the attachment: they tell of themselves.

        With a container's first interface go all that are left of it.
        """
        found = [
            tap
            for tap, label in self._kernel.taps().items()
            if label.attachment.container == attachment.container
            and attachment.ifname in (FIRST, label.attachment.ifname)
            and self._records.get(label.attachment) is None
        ]
        for tap in found:
            logger.warning("link without a record removed tap=%s attachment=%s", tap, attachment)
            self._kernel.unplug(tap)
        return bool(found)

    def _detach_unrecorded(self, request: Request) -> None:
        attachment, pod = request.attachment, request.pod
        torn = self._torn(attachment)
        found = self.unplug_labelled(attachment)
        if (torn or found) and pod is not None and pod.uid:
            # The machine has the pod's uid. A newer sandbox of the pod keeps its ports.
            with self._held.hold(locks.machine(pod.uid), timeout=request.timeout):
                if not self._records.where(lambda r: r.interface.machine_uuid == pod.uid):
                    self.withdraw(pod.uid, str(pod))
        for each in torn:
            self._records.remove(each)

    def _torn(self, attachment: Attachment) -> list[Attachment]:
        """Attachments that go with this one, and whose records cannot be read."""
        return [t for t in self._records.torn_of(attachment.container) if attachment.ifname in (FIRST, t.ifname)]

    def _has_successor(self, record: Record) -> bool:
        return bool(self._records.where(lambda r: r.interface.tap == record.interface.tap and r.serial > record.serial))
