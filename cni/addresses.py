"""What the store knows of a pod's interfaces, and when that is enough to plug one (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cni.answers import NOT_OF_THIS_NODE
from cni.requests import Pod
from schemas.errors import AddressPending, RequestRefused

READY = "ready"
PARKED = "dead"
"""State of what the applier has given up: waiting is of no use until a person has acted."""


@dataclass(frozen=True, slots=True)
class PodAddress:
    """One row of the view pod_address: an interface and one address family, as it stands in the store.

    `family` is 4 or 6. `address`, `prefix_len`, `gateway` and `dns` are None until Contrail has allocated; nothing
    here has been checked yet (see cni/interface.py).
    """

    namespace: str
    pod: str
    pod_uid: str
    node: str
    interface: str
    interface_uuid: str
    machine_uuid: str
    machine_name: str
    network_uuid: str
    network: str
    mac: str
    family: int
    address: str | None
    prefix_len: int | None
    gateway: str | None
    dns: str | None
    linked: bool
    state: str
    reason: str
    vlan: int | None = None
    """Tag of the sub-interface, in nested mode."""


class AddressStore(Protocol):
    """Where the rows come from."""

    def addresses(self, pod: Pod) -> tuple[PodAddress, ...]:
        """Rows of the pod, by uid where it has one, else by namespace and name; () when not (yet) known.

        Raises StoreUnavailable, or StoreMismatch when the database is not of this version.
        """

    def check(self) -> None:
        """Raise StoreUnavailable or StoreMismatch unless the rows can be read now."""

    def rest(self) -> None:
        """Nobody will ask for a while: let go of idle connections."""


def usable(
    rows: Sequence[PodAddress], pod: Pod, ifname: str, node: str, *, every: bool = False
) -> dict[str, tuple[PodAddress, ...]]:
    """Rows of the interface by its name, all of them ready; with `every`, those of all the pod's interfaces, it first.

    Every family must be ready: half of a dual stack is not enough. Raises AddressPending while the pod has to wait,
    RequestRefused when the pod, by its uid, belongs to another node.
    """
    if not rows:
        raise AddressPending(f"pod {pod}: not in the store yet (has the watcher seen it, and the translator?)")
    elsewhere = next((row for row in rows if row.node != node), None)
    if elsewhere is not None:
        _refuse_foreign(elsewhere, pod, node)
    names = sorted({row.interface for row in rows}, key=lambda name: (name != ifname, len(name), name))
    if ifname not in names:
        raise AddressPending(f"pod {pod}: has no interface {ifname} (it has {', '.join(sorted(names))})")
    wanted = names if every else [ifname]
    mine = {name: tuple(row for row in rows if row.interface == name) for name in wanted}
    for name, of_name in mine.items():
        for row in of_name:
            if row.state != READY or row.address is None or not row.linked:
                raise AddressPending(f"pod {pod}: interface {name} is {row.state}: {row.reason or 'no address yet'}")
    return mine


def is_parked(rows: Sequence[PodAddress], ifname: str, *, every: bool = False) -> bool:
    """Whether waiting is of no use: the applier gave up on part of the interface, or with `every` of any."""
    return any(row.state == PARKED and (every or row.interface == ifname) for row in rows)


def _refuse_foreign(row: PodAddress, pod: Pod, node: str) -> None:
    if pod.uid and row.node:
        raise RequestRefused(NOT_OF_THIS_NODE, f"pod {pod} (uid {pod.uid}) belongs to node {row.node}, this is {node}")
    # Without a uid it may be a predecessor of the same name on another node, whose row will be replaced.
    raise AddressPending(f"pod {pod}: the store still has it on node {row.node or '(none)'}")
