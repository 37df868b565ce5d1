"""CHECK and STATUS: is an attachment as ADD left it, and could ADD be served (shell; changes nothing)."""

from __future__ import annotations

from typing import Any

from cni.addresses import AddressStore
from cni.answers import LIMITED, NOT_AS_ADDED, UNAVAILABLE
from cni.netlink import Kernel
from cni.records import ATTACHED, Record, Records
from cni.requests import Request
from cni.vrouter import PortAgent
from schemas.errors import AgentRefused, AgentUnavailable, RequestRefused, StoreMismatch, StoreUnavailable

Json = Any


class Checker:
    """CHECK and STATUS of one node."""

    def __init__(self, *, store: AddressStore, kernel: Kernel, vrouter: PortAgent, records: Records) -> None:
        self._store = store
        self._kernel = kernel
        self._vrouter = vrouter
        self._records = records

    def check(self, request: Request) -> None:
        """CHECK: raises RequestRefused naming every fault, AgentUnavailable when the vrouter agent is away."""
        record = self._records.get(request.attachment)
        if record is None or record.phase != ATTACHED:
            raise RequestRefused(NOT_AS_ADDED, f"{request.attachment} is not attached")
        interface = record.interface
        faults = [*_unlike_previous(record, request.previous), *self._kernel.faults(interface, request.netns)]
        ports = self._vrouter.ports(interface.machine_uuid, wait=request.timeout * 0.9)
        if not any(port.interface_uuid == interface.interface_uuid and port.tap == interface.tap for port in ports):
            faults.append(f"the vrouter agent does not have port {interface.tap}")
        if faults:
            raise RequestRefused(NOT_AS_ADDED, f"pod {interface.namespace}/{interface.pod}: {'; '.join(faults)}")

    def status(self) -> None:
        """STATUS: raises RequestRefused, 51 without the vrouter agent (it forwards for pods), 50 without the store."""
        try:
            self._vrouter.check()
        except (AgentUnavailable, AgentRefused) as error:
            raise RequestRefused(LIMITED, str(error)) from error
        try:
            self._store.check()
        except (StoreUnavailable, StoreMismatch) as error:
            raise RequestRefused(UNAVAILABLE, str(error)) from error


def _unlike_previous(record: Record, previous: Json) -> list[str]:
    """Addresses that the runtime was told of (prevResult) and that the record lacks."""
    if not isinstance(previous, dict):
        return []
    mine = {str(address.ip) for address in record.interface.addresses}
    ips = previous.get("ips")
    told = [ip.get("address") for ip in ips if isinstance(ip, dict)] if isinstance(ips, list) else []
    return [
        f"prevResult has address {address}, which is not the interface's" for address in told if address not in mine
    ]
