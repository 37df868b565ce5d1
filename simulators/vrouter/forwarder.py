"""Forwarding between the taps of a node, and between nodes: a bridge per virtual network (shell, over pyroute2).

Pods of one virtual network share a bridge and reach each other; pods of different ones do not. With a fabric
interface the bridge gets a VXLAN port on it, so that the same network reaches over all nodes on that fabric
(flood and learn over multicast). The gateway's address is answered by every node's own bridge, under one
MAC everywhere as a vrouter does, and its ARP does not cross the fabric.
All methods run in one thread that is in the node's namespace; needs CAP_NET_ADMIN.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from simulators.vrouter.config import Assignment

logger = logging.getLogger(__name__)

GATEWAY_MAC = "00:00:5e:00:01:00"
GROUP = "239.255.77.1"
"""Multicast group of the fabric: broadcasts of all networks go there, told apart by their VXLAN number."""
PORT = 4789
_BRIDGE, _TUNNEL = "vrb", "vrx"
_ALIAS = "vrouter simulator"
_IFA_F_NODAD = 0x02


class Forwarder:
    """Bridges of one node. `fabric` names the interface towards other nodes; None keeps to this one."""

    def __init__(self, fabric: str | None = None) -> None:
        self._fabric = fabric
        self._taps: dict[str, str] = {}
        self._routes: dict[str, set[tuple[int, str]]] = {}

    def attach(self, tap: str, network_uuid: str) -> None:
        """Put the tap into the bridge of its network; raises OSError when there is no such tap."""
        with _netlink() as route:
            bridge = _index(route, bridge_name(network_uuid)) or self._make_bridge(route, network_uuid)
            index = _index(route, tap)
            if index is None:
                self._drop_if_unused(route, network_uuid)
                raise OSError(errno.ENODEV, f"{tap} does not exist on this node")
            route.link("set", index=index, master=bridge, state="up")
            self._taps[tap] = network_uuid

    def serve(self, tap: str, assignments: tuple[Assignment, ...]) -> None:
        """Answer for the gateways of the tap's addresses, and reach these addresses from the node itself."""
        network_uuid = self._taps.get(tap)
        if network_uuid is None:
            return
        with _netlink() as route:
            bridge = _index(route, bridge_name(network_uuid))
            for a in assignments:
                family, bits = (AF_INET, 32) if a.family == 4 else (AF_INET6, 128)
                if a.gateway:
                    flags = {"flags": _IFA_F_NODAD} if a.family == 6 else {}
                    with _present_is_fine():
                        route.addr("add", index=bridge, address=a.gateway, prefixlen=bits, **flags)
                route.route("replace", family=family, dst=f"{a.address}/{bits}", oif=bridge)
                self._routes.setdefault(tap, set()).add((family, f"{a.address}/{bits}"))

    def detach(self, tap: str) -> None:
        """Take the tap out; the last of a network takes the bridge along. No error if it is gone."""
        network_uuid = self._taps.pop(tap, None)
        if network_uuid is None:
            return
        with _netlink() as route:
            bridge = _index(route, bridge_name(network_uuid))
            for family, destination in self._routes.pop(tap, ()):
                with _absent_is_fine():
                    route.route("del", family=family, dst=destination, oif=bridge)
            index = _index(route, tap)
            if index is not None:
                with _absent_is_fine():
                    route.link("set", index=index, master=0)
            self._drop_if_unused(route, network_uuid)

    def clear(self) -> None:
        """Remove every bridge and tunnel of ours on this node, those of a killed predecessor too."""
        self._taps.clear()
        self._routes.clear()
        with _netlink() as route:
            for link in route.get_links():
                if link.get_attr("IFLA_IFALIAS") == _ALIAS:
                    with _absent_is_fine():
                        route.link("del", index=link["index"])

    def _make_bridge(self, route: Any, network_uuid: str) -> int:
        name = bridge_name(network_uuid)
        route.link("add", ifname=name, kind="bridge", address=GATEWAY_MAC, br_mcast_snooping=0)
        index = _prepare(route, name)
        if self._fabric is not None:
            self._make_tunnel(route, network_uuid, index)
        route.link("set", index=index, state="up")
        logger.info("bridge made network=%s bridge=%s", network_uuid, name)
        return index

    def _make_tunnel(self, route: Any, network_uuid: str, bridge: int) -> None:
        name = _TUNNEL + _digest(network_uuid)
        fabric = _index(route, self._fabric or "")
        if fabric is None:
            raise OSError(errno.ENODEV, f"fabric interface {self._fabric} does not exist on this node")
        local = next(iter(route.get_addr(index=fabric, family=AF_INET)), None)
        if local is None:
            raise OSError(errno.EADDRNOTAVAIL, f"fabric interface {self._fabric} has no IPv4 address")
        route.link(
            "add",
            ifname=name,
            kind="vxlan",
            vxlan_id=tunnel_id(network_uuid),
            vxlan_link=fabric,
            vxlan_group=GROUP,
            vxlan_local=local.get_attr("IFA_ADDRESS"),
            vxlan_port=PORT,
        )
        index = _prepare(route, name)
        route.link("set", index=index, master=bridge, state="up")
        # What the bridge can answer itself (its gateway) is not asked of other nodes.
        route.brport("set", index=index, neigh_suppress=1)

    def _drop_if_unused(self, route: Any, network_uuid: str) -> None:
        if network_uuid in self._taps.values():
            return
        for name in (_TUNNEL + _digest(network_uuid), bridge_name(network_uuid)):
            with _absent_is_fine():
                route.link("del", ifname=name)
        logger.info("bridge removed network=%s", network_uuid)


def bridge_name(network_uuid: str) -> str:
    """Name of the network's bridge on every node."""
    return _BRIDGE + _digest(network_uuid)


def tunnel_id(network_uuid: str) -> int:
    """VXLAN number of the network: the same on every node, without asking anybody."""
    return int.from_bytes(hashlib.sha1(network_uuid.encode(), usedforsecurity=False).digest()[:3], "big") or 1


def _digest(network_uuid: str) -> str:
    return hashlib.sha1(network_uuid.encode(), usedforsecurity=False).hexdigest()[:11]


def _prepare(route: Any, name: str) -> int:
    """Mark a new link as ours; it shall have no IPv6 address of its own, being the same on every node."""
    index = _index(route, name)
    assert index is not None
    with contextlib.suppress(FileNotFoundError):
        Path("/proc/sys/net/ipv6/conf", name, "addr_gen_mode").write_text("1")
    route.link("set", index=index, ifalias=_ALIAS)
    return index


@contextmanager
def _netlink() -> Iterator[Any]:
    try:
        with IPRoute() as route:
            yield route
    except NetlinkError as error:
        raise OSError(error.code, f"forwarder: {error.args[-1]}") from error


def _index(route: Any, name: str) -> int | None:
    with _absent_is_fine():
        for link in route.link("get", ifname=name):
            return int(link["index"])
    return None


@contextmanager
def _absent_is_fine() -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code not in (errno.ENODEV, errno.ESRCH, errno.ENOENT):
            raise


@contextmanager
def _present_is_fine() -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        if error.code != errno.EEXIST:
            raise
