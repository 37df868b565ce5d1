"""Attaching a pod: what ADD does, in an order that a crash at any point can be recovered from (shell).

Rows → interfaces (checked) → of each: record → kernel → vrouter agent → of all: operational → records. Whatever fails
after a record was begun is undone; whatever is killed after it is found by the record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from cni import locks
from cni.addresses import AddressStore, PodAddress, is_parked, usable
from cni.answers import result_in
from cni.exhaustion import Exhaustion
from cni.interface import FIRST, Interface, interface_of, result_of
from cni.locks import NamedLocks
from cni.patience import Caller, Patience
from cni.plugging import Plugger
from cni.records import Record
from cni.requests import Pod, Request
from cni.settings import EVERY, AgentSettings
from cni.vrouter import PortAgent
from schemas.errors import AddressPending, StoreUnavailable

logger = logging.getLogger(__name__)

Json = Any


class Attacher:
    """ADD of one node."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        store: AddressStore,
        vrouter: PortAgent,
        plugger: Plugger,
        held: NamedLocks,
        exhaustion: Exhaustion,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._vrouter = vrouter
        self._plugger = plugger
        self._held = held
        self._exhaustion = exhaustion
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
        mtu = request.mtu or self._settings.mtu
        interfaces = [interface_of(of_name, name, mtu, request.limits) for name, of_name in rows.items()]
        names = locks.container(request.attachment.container), locks.machine(interfaces[0].machine_uuid)
        with self._held.hold(*names, timeout=patience.left):
            # A runtime that gave up has sent its DEL, or will: what we made now would outlive it.
            patience.still_wanted()
            records = self._attached(request, interfaces, patience)
        plugged = [(record.interface, record.tap_mac) for record in records]
        return result_in(result_of(plugged, request.netns), request.version)

    def _wait_for_rows(self, pod: Pod, ifname: str, patience: Patience) -> dict[str, tuple[PodAddress, ...]]:
        """Rows by interface: of all that the pod has, where the first one is asked for and the settings say so."""
        every = ifname == FIRST and self._settings.interfaces == EVERY
        while True:
            rows: tuple[PodAddress, ...] = ()
            try:
                rows = self._store.addresses(pod)
                found = usable(rows, pod, ifname, self._settings.node_name, every=every)
                self._exhaustion.seen(rows)
                return found
            except (AddressPending, StoreUnavailable) as error:
                self._exhaustion.seen(rows)
                # Any state but 'given up' can still change in time.
                if is_parked(rows, ifname, every=every) or not patience.pause():
                    raise type(error)(f"{error} (waited {patience.waited:.1f} s)") from error

    def _attached(self, request: Request, interfaces: Sequence[Interface], patience: Patience) -> list[Record]:
        """Records of these interfaces; those that are not as they should be are made first, all or none."""
        known = {i.ifname: record for i in interfaces if (record := self._plugger.known(request, i)) is not None}
        made: dict[str, Record] = {}
        try:
            for interface in (i for i in interfaces if i.ifname not in known):
                record, again = self._plugger.begin(request, interface)
                made[interface.ifname] = record
                made[interface.ifname] = self._plugger.plug(record, again=again, wait=patience.left)
            for record in made.values():
                self._wait_until_operational(record.interface, patience)
            # The first one last: while it is not attached, a start of the agent undoes what was made beside it.
            for name in reversed(made):
                made[name] = self._plugger.finish(made[name])
        except BaseException:
            for record in reversed(made.values()):
                self._plugger.roll_back(record)
            raise
        return [known.get(i.ifname) or made[i.ifname] for i in interfaces]

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
        port = self._vrouter.port(interface.machine_uuid, interface.interface_uuid, wait=wait)
        if port is None:
            return "it does not list it (has it received the machine, the network and the address from the controller?)"
        if not port.serves(interface):
            return f"it has {port} instead of {interface.port} with MAC {interface.mac}"
        wanted = {str(address.ip.ip) for address in interface.addresses}
        if port.address is not None and port.address not in wanted:
            return f"it has address {port.address} instead of {', '.join(sorted(wanted))}"
        return None
