"""CHECK and STATUS: is an attachment as ADD left it, and could ADD be served (shell; changes nothing)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cni.addresses import AddressStore
from cni.answers import LIMITED, NOT_AS_ADDED, UNAVAILABLE
from cni.exhaustion import Exhaustion
from cni.netlink import Kernel
from cni.records import ATTACHED, Record, Records
from cni.requests import Request
from cni.vrouter import PortAgent
from schemas.errors import AgentRefused, AgentUnavailable, RequestRefused, StoreMismatch, StoreUnavailable

Json = Any


class Checker:
    """CHECK and STATUS of one node."""

    def __init__(
        self, *, store: AddressStore, kernel: Kernel, vrouter: PortAgent, records: Records, exhaustion: Exhaustion
    ) -> None:
        self._store = store
        self._exhaustion = exhaustion
        self._kernel = kernel
        self._vrouter = vrouter
        self._records = records

    def check(self, request: Request) -> None:
        """CHECK: raises RequestRefused naming every fault, AgentUnavailable when the vrouter agent is away."""
        record = self._records.get(request.attachment)
        if record is None or record.phase != ATTACHED:
            raise RequestRefused(NOT_AS_ADDED, f"{request.attachment} is not attached")
        group = self._records.group(request.attachment)
        faults = _unlike_previous(group, request.previous)
        for each in group:
            faults += self._faults(each, request)
        if faults:
            interface = record.interface
            raise RequestRefused(NOT_AS_ADDED, f"pod {interface.namespace}/{interface.pod}: {'; '.join(faults)}")

    def status(self) -> None:
        """STATUS: raises RequestRefused with 50 where an ADD of now could not be served.

        That is without the vrouter agent, without the store, or when the pod network was just seen used up. Without
        the vrouter agent it is 51 where pods are attached, whose new connections the agent would have set up.
        """
        try:
            self._vrouter.check()
        except (AgentUnavailable, AgentRefused) as error:
            raise RequestRefused(LIMITED if self._records.all() else UNAVAILABLE, str(error)) from error
        try:
            self._store.check()
        except (StoreUnavailable, StoreMismatch) as error:
            raise RequestRefused(UNAVAILABLE, str(error)) from error
        if (trouble := self._exhaustion.trouble()) is not None:
            raise RequestRefused(UNAVAILABLE, f"no address is left for pods: {trouble}")

    def _faults(self, record: Record, request: Request) -> list[str]:
        interface = record.interface
        faults = list(self._kernel.faults(interface, request.netns))
        port = self._vrouter.port(interface.machine_uuid, interface.interface_uuid, wait=request.timeout * 0.9)
        if port is None or not port.serves(interface):
            faults.append(f"the vrouter agent does not have port {interface.port}")
        return faults


def _unlike_previous(group: Sequence[Record], previous: Json) -> list[str]:
    """Addresses that the runtime was told of (prevResult) and that the records lack."""
    if not isinstance(previous, dict):
        return []
    mine = {str(address.ip) for record in group for address in record.interface.addresses}
    ips = previous.get("ips")
    told = [ip.get("address") for ip in ips if isinstance(ip, dict)] if isinstance(ips, list) else []
    return [
        f"prevResult has address {address}, which is not the interface's" for address in told if address not in mine
    ]
