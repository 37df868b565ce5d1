"""A pod's interface in the kernel: a veth pair, its addresses, routes and limits (shell, over pyroute2).

The pair is made by one netlink message that puts the pod's end straight into the pod's namespace under its final
name, MAC and MTU: there is never a half of it, and never a temporary name. The host's end carries an alias that
names the attachment, so that it can be found without a record. In nested mode a VLAN sub-interface takes the place of
the veth (cni/vlans.py). Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import Any, Protocol

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from cni.bandwidth import limit_faults, limit_link
from cni.interface import Address, Interface, default_gateways
from cni.namespaces import inside, opened
from cni.requests import Attachment
from cni.vlans import KernelVlans, Vlans, link_named, make_pod_end
from schemas.errors import PlugError

logger = logging.getLogger(__name__)

_ALIAS = "contrail-kube"
_IFA_F_NODAD = 0x02
_SCOPE_LINK = 253
_IFF_UP = 1
_MAIN_TABLE = 254


@dataclass(frozen=True, slots=True)
class Label:
    """What the host's end says of itself: the CNI network and the attachment that it belongs to."""

    network: str
    attachment: Attachment

    def __str__(self) -> str:
        """Alias of the link; none of the parts can hold a '/'."""
        return "/".join((_ALIAS, self.network, self.attachment.container, self.attachment.ifname))

    @classmethod
    def parse(cls, alias: str | None) -> Label | None:
        """Read back what `str` wrote; None for any other alias."""
        parts = (alias or "").split("/")
        if len(parts) != 4 or parts[0] != _ALIAS:
            return None
        return cls(parts[1], Attachment(parts[2], parts[3]))


class Kernel(Protocol):
    """What ADD, DEL, CHECK and GC need of the kernel."""

    def plug(self, interface: Interface, netns: str, label: Label) -> str:
        """Make the interface and return the MAC of the host's end; on any error nothing is left."""

    def unplug(self, tap: str) -> bool:
        """Remove the pair; False when there was none. Raises PlugError."""

    def faults(self, interface: Interface, netns: str) -> tuple[str, ...]:
        """In what the interface differs from what `plug` made; () when it does not."""

    def taps(self) -> dict[str, Label]:
        """Names of all host's ends that carry a label."""


class Netlink:
    """The kernel of this node; every call has sockets of its own, so threads may share one object.

    `trunk` is the interface that carries sub-interfaces, '' where the node has none.
    """

    def __init__(self, *, trunk: str = "", vlans: Vlans | None = None) -> None:
        self._trunk = trunk
        self._vlans = vlans or KernelVlans()

    def plug(self, interface: Interface, netns: str, label: Label) -> str:
        """Make the pair, and configure both ends; see Kernel. Raises RequestRefused for a bad netns, else PlugError."""
        with opened(netns) as fd:
            try:
                with IPRoute() as route:
                    if interface.vlan is None:
                        tap_mac = _make_pair(route, interface, fd, label)
                    else:
                        tap_mac = self._make_sub_interface(route, interface, fd, label)
                inside(fd, lambda: _configure(interface))
            except (NetlinkError, OSError) as error:
                self._undo(interface.tap)
                raise PlugError(_explain(interface, error)) from error
            return tap_mac

    def _make_sub_interface(self, route: Any, interface: Interface, netns_fd: int, label: Label) -> str:
        """The tagged sub-interface of the trunk, labelled before it can carry anything, and the pod's end above it."""
        assert interface.vlan is not None
        if not self._trunk:
            raise OSError(
                errno.ENODEV,
                f"the pod is VLAN {interface.vlan} of a machine's interface (nested mode), and "
                "CONTRAIL_KUBE_CNI_NESTED_INTERFACE of this node's agent names none",
            )
        if interface.limits.ingress is not None:
            # What comes out of a sub-interface leaves no link of the node that a bucket could be on.
            logger.warning("nested pod's ingress is not limited pod=%s/%s", interface.namespace, interface.pod)
        self._take_over_tag(route, interface.vlan, interface.tap)
        self._vlans.make(route, interface.tap, trunk=self._trunk, tag=interface.vlan, mtu=interface.mtu)
        tap = link_named(route, interface.tap)
        if tap is None:
            raise OSError(errno.ENODEV, f"{interface.tap} vanished while it was made")
        route.link("set", index=tap["index"], ifalias=str(label))
        _refuse_advertisements(interface.tap)
        make_pod_end(route, interface, tap["index"], netns_fd)
        route.link("set", index=tap["index"], state="up")
        return str(tap.get_attr("IFLA_ADDRESS"))

    def _take_over_tag(self, route: Any, tag: int, name: str) -> None:
        """Remove what a pod whose DEL never came has left under the tag; what is not ours is left, and is an error."""
        for link in self._vlans.found(route, trunk=self._trunk, tag=tag):
            found, alias = str(link.get_attr("IFLA_IFNAME")), link.get_attr("IFLA_IFALIAS")
            if found == name:
                continue
            if Label.parse(alias) is None:
                raise OSError(errno.EEXIST, f"VLAN {tag} of {self._trunk} is {found}, which somebody else made")
            logger.warning("leftover of the tag removed vlan=%d link=%s alias=%s", tag, found, alias)
            route.link("del", index=link["index"])

    def unplug(self, tap: str) -> bool:
        """Remove the host's end, and the pod's with it."""
        try:
            with IPRoute() as route:
                route.link("del", ifname=tap)
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return False
            raise PlugError(f"{tap} cannot be removed: {_reason(error)}") from error
        except OSError as error:
            raise PlugError(f"{tap} cannot be removed: {_reason(error)}") from error
        return True

    def faults(self, interface: Interface, netns: str) -> tuple[str, ...]:
        """Compare both ends with what they should be."""
        with _kernel_errors(interface.tap), IPRoute() as route:
            tap = link_named(route, interface.tap)
            if tap is None:
                return (f"{interface.tap} is missing on the node",)
            ingress = interface.limits.ingress if interface.vlan is None else None
            faults = limit_faults(route, tap["index"], interface.tap, ingress, mtu=interface.mtu)
        found = [*faults, *([] if tap["flags"] & _IFF_UP else [f"{interface.tap} is down"])]
        with opened(netns) as fd, _kernel_errors(interface.ifname):
            return (*found, *inside(fd, lambda: _pod_faults(interface, tap["index"])))

    def taps(self) -> dict[str, Label]:
        """All labelled links of the node."""
        with _kernel_errors("links"), IPRoute() as route:
            named = {link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_IFALIAS") for link in route.get_links()}
        return {name: label for name, alias in named.items() if (label := Label.parse(alias)) is not None}

    def _undo(self, tap: str) -> None:
        try:
            self.unplug(tap)
        except PlugError as error:
            logger.error("cannot undo a failed plug: %s", error)


def _make_pair(route: Any, interface: Interface, netns_fd: int, label: Label) -> str:
    peer = {
        "ifname": interface.ifname,
        "net_ns_fd": netns_fd,
        "address": interface.mac,
        "mtu": interface.mtu,
    }
    route.link("add", ifname=interface.tap, kind="veth", mtu=interface.mtu, peer=peer)
    _refuse_advertisements(interface.tap)
    tap = link_named(route, interface.tap)
    if tap is None:
        raise OSError(errno.ENODEV, f"{interface.tap} vanished while it was made")
    route.link("set", index=tap["index"], ifalias=str(label), state="up")
    limit_link(route, tap["index"], interface.limits.ingress, mtu=interface.mtu)
    return str(tap.get_attr("IFLA_ADDRESS"))


def _refuse_advertisements(tap: str) -> None:
    """A pod must not give the node routes by IPv6 router advertisements; no file means no IPv6."""
    path = Path("/proc/sys/net/ipv6/conf", tap, "accept_ra")
    try:
        path.write_text("0")
    except FileNotFoundError:
        return


def _configure(interface: Interface) -> None:
    """Addresses and routes of the pod's end; runs in the pod's namespace."""
    with IPRoute() as route:
        route.link("set", index=_index(route, "lo"), state="up")
        index = _index(route, interface.ifname)
        limit_link(route, index, interface.limits.egress, mtu=interface.mtu)
        for address in interface.addresses:
            # No duplicate detection: Contrail has allocated the address, and the pod needs it at once.
            flags = {"flags": _IFA_F_NODAD} if address.ip.version == 6 else {}
            prefix = address.ip.network.prefixlen
            route.addr("add", index=index, address=str(address.ip.ip), prefixlen=prefix, **flags)
        route.link("set", index=index, state="up")
        for address in default_gateways(interface):
            _default_route(route, index, address)


def _default_route(route: Any, index: int, address: Address) -> None:
    gateway = address.gateway
    assert gateway is not None
    family, everything = (AF_INET, "0.0.0.0/0") if gateway.version == 4 else (AF_INET6, "::/0")
    # fe80::/10 is on every link already; IPv4's 169.254/16 is not.
    on_link = gateway in address.ip.network or (gateway.version == 6 and gateway.is_link_local)
    if not on_link:
        host = f"{gateway}/{gateway.max_prefixlen}"
        route.route("add", family=family, dst=host, oif=index, scope=_SCOPE_LINK)
    route.route("add", family=family, dst=everything, gateway=str(gateway), oif=index)


def _pod_faults(interface: Interface, tap_index: int) -> list[str]:
    """Faults of the pod's end; runs in the pod's namespace."""
    with IPRoute() as route:
        link = link_named(route, interface.ifname)
        if link is None:
            return [f"{interface.ifname} is missing in the pod"]
        faults = []
        if not link["flags"] & _IFF_UP:
            faults.append(f"{interface.ifname} is down")
        faults += limit_faults(route, link["index"], interface.ifname, interface.limits.egress, mtu=interface.mtu)
        if link.get_attr("IFLA_LINK") != tap_index:
            faults.append(f"{interface.ifname} is not the other end of {interface.tap}")
        for name, wanted, found in (
            ("MAC", interface.mac, link.get_attr("IFLA_ADDRESS")),
            ("MTU", interface.mtu, link.get_attr("IFLA_MTU")),
        ):
            if wanted != found:
                faults.append(f"{interface.ifname} has {name} {found} instead of {wanted}")
        present = {
            f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
            for message in route.get_addr(index=link["index"])
        }
        faults += [
            f"{interface.ifname} lacks address {address.ip}"
            for address in interface.addresses
            if str(address.ip) not in present
        ]
        gateways = set(_default_gateways_of(route, link["index"]))
        faults += [
            f"{interface.ifname} lacks the default route over {address.gateway}"
            for address in default_gateways(interface)
            if str(address.gateway) not in gateways
        ]
        return faults


def _default_gateways_of(route: Any, index: int) -> Iterator[str]:
    for family in (AF_INET, AF_INET6):
        for message in route.get_routes(family=family, table=_MAIN_TABLE):
            if message["dst_len"] == 0 and message.get_attr("RTA_OIF") == index:
                yield str(message.get_attr("RTA_GATEWAY"))


def _index(route: Any, name: str) -> int:
    link = link_named(route, name)
    if link is None:
        raise OSError(errno.ENODEV, f"{name} is missing in the pod")
    return int(link["index"])


@contextmanager
def _kernel_errors(what: str) -> Iterator[None]:
    try:
        yield
    except (NetlinkError, OSError) as error:
        raise PlugError(f"{what} cannot be read from the kernel: {_reason(error)}") from error


def _explain(interface: Interface, error: Exception) -> str:
    what = f"pod {interface.namespace}/{interface.pod}: {interface.tap} and {interface.ifname} cannot be made"
    if isinstance(error, NetlinkError) and error.code == errno.EEXIST:
        return f"{what}: an interface, address or route of that name is already there, made by somebody else"
    return f"{what}: {_reason(error)}"


def _reason(error: Exception) -> str:
    if isinstance(error, NetlinkError):
        return str(error.args[1] if len(error.args) > 1 else error)
    return getattr(error, "strerror", None) or str(error)
