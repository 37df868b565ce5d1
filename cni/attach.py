"""Attaching a pod: what ADD does, in an order that a crash at any point can be recovered from (shell).

Rows → interface (checked) → record → kernel → vrouter agent → operational → record. Whatever fails after the
record was begun is undone; whatever is killed after it is found by the record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cni import locks
from cni.addresses import AddressStore, PodAddress, is_parked, usable
from cni.answers import result_in
from cni.detach import Detacher
from cni.interface import Interface, interface_of, result_of
from cni.locks import NamedLocks
from cni.netlink import Kernel
from cni.patience import Caller, Patience
from cni.records import ATTACHED, ATTACHING, Record, Records
from cni.requests import Pod, Request
from cni.settings import AgentSettings
from cni.vrouter import PortAgent, PortFiles
from cni.withdrawals import Withdrawals
from schemas.errors import AddressPending, ContrailKubeError, StoreUnavailable

logger = logging.getLogger(__name__)

Json = Any


class Attacher:
    """ADD of one node."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        store: AddressStore,
        kernel: Kernel,
        vrouter: PortAgent,
        records: Records,
        withdrawals: Withdrawals,
        port_files: PortFiles,
        held: NamedLocks,
        detacher: Detacher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._kernel = kernel
        self._vrouter = vrouter
        self._records = records
        self._withdrawals = withdrawals
        self._port_files = port_files
        self._held = held
        self._detacher = detacher
        self._clock = clock

    def attach(self, request: Request, caller: Caller) -> dict[str, Json]:
        """ADD: the result in the request's version. Raises a ContrailKubeError, and then nothing is left."""
        assert request.pod is not None
        patience = Patience(
            # The plugin must still be there to hear a late answer.
            min(self._settings.deadline, request.timeout * 0.9),
            caller=caller,
            first=self._settings.first_pause,
            longest=self._settings.longest_pause,
            clock=self._clock,
        )
        rows = self._wait_for_rows(request.pod, request.attachment.ifname, patience)
        interface = interface_of(rows, request.attachment.ifname, request.mtu or self._settings.mtu)
        names = locks.container(request.attachment.container), locks.machine(interface.machine_uuid)
        with self._held.hold(*names, timeout=patience.left):
            # A runtime that gave up has sent its DEL, or will: what we made now would outlive it.
            patience.still_wanted()
            record = self._known(request, interface) or self._make(request, interface, patience)
        return result_in(result_of(interface, request.netns, record.tap_mac), request.version)

    def _wait_for_rows(self, pod: Pod, ifname: str, patience: Patience) -> tuple[PodAddress, ...]:
        while True:
            rows: tuple[PodAddress, ...] = ()
            try:
                rows = self._store.addresses(pod)
                return usable(rows, pod, ifname, self._settings.node_name)
            except (AddressPending, StoreUnavailable) as error:
                # Any state but 'given up' can still change in time.
                if is_parked(rows, ifname) or not patience.pause():
                    raise type(error)(f"{error} (waited {patience.waited:.1f} s)") from error

    def _known(self, request: Request, interface: Interface) -> Record | None:
        """The record of the same ADD done before, if the kernel still has what it says."""
        record = self._records.get(request.attachment)
        if record is None or record.phase != ATTACHED:
            return None
        if record.interface != interface or record.netns != request.netns:
            return None
        faults = self._kernel.faults(interface, request.netns)
        if faults:
            logger.warning("attached interface is made anew attachment=%s faults=%s", record.attachment, faults)
            return None
        return record

    def _make(self, request: Request, interface: Interface, patience: Patience) -> Record:
        own = self._records.get(request.attachment)
        if own is not None and own.interface.tap != interface.tap:
            self._detacher.release(own)
        record = self._records.begin(
            Record(request.attachment, request.network, request.netns, 0, ATTACHING, interface)
        )
        try:
            self._take_over(record, again=own is not None)
            tap_mac = self._kernel.plug(interface, request.netns, record.label)
            self._vrouter.announce(interface, request.attachment, request.netns, wait=patience.left)
            self._wait_until_operational(interface, patience)
            record = replace(record, phase=ATTACHED, tap_mac=tap_mac)
            self._records.put(record)
        except BaseException:
            self._roll_back(record)
            raise
        return record

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

    def _wait_until_operational(self, interface: Interface, patience: Patience) -> None:
        patience.restart()
        while (lacking := self._lacking(interface, patience.left)) is not None:
            if not patience.pause():
                raise AddressPending(
                    f"pod {interface.namespace}/{interface.pod}: the vrouter agent has taken port {interface.tap} "
                    f"but not made it work: {lacking} (waited {patience.waited:.1f} s)"
                )

    def _lacking(self, interface: Interface, wait: float) -> str | None:
        """What the agent's port still lacks; None when it is as it should be."""
        states = self._vrouter.ports(interface.machine_uuid, wait=wait)
        port = next((state for state in states if state.interface_uuid == interface.interface_uuid), None)
        if port is None:
            return "it does not list it (has it received the machine, the network and the address from the controller?)"
        if port.tap != interface.tap or port.mac != interface.mac:
            return f"it has {port.tap} with MAC {port.mac} instead of {interface.tap} with {interface.mac}"
        wanted = {str(address.ip.ip) for address in interface.addresses}
        if port.address is not None and port.address not in wanted:
            return f"it has address {port.address} instead of {', '.join(sorted(wanted))}"
        return None

    def _roll_back(self, record: Record) -> None:
        try:
            self._detacher.release(record)
        except (ContrailKubeError, OSError) as error:
            # The record stays, so that DEL, GC or the next start finish the work.
            logger.error("failed ADD cannot be undone yet attachment=%s error=%s", record.attachment, error)
