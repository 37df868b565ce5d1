"""VLAN sub-interfaces of the interface of a virtual machine that is a node (shell, over pyroute2).

On the node the sub-interface itself stays, named and labelled like a tap; the pod has a macvlan above it, with the
pod's MAC. So whatever is left can be seen and removed from the node alone: the pod's end goes with what it stands on.
"""

from __future__ import annotations

import errno
from typing import Any, Protocol

from pyroute2.netlink.exceptions import NetlinkError

from cni.interface import Interface

_IFF_UP = 1


class Vlans(Protocol):
    """How the kernel makes and finds tagged sub-interfaces; `route` is an IPRoute of the node's namespace."""

    def make(self, route: Any, name: str, *, trunk: str, tag: int, mtu: int) -> None:
        """Make the sub-interface, down; raises NetlinkError or OSError, and then there is none."""

    def found(self, route: Any, *, trunk: str, tag: int) -> tuple[Any, ...]:
        """Link messages of what carries the trunk's frames of that tag."""


class KernelVlans:
    """802.1Q of the Linux kernel."""

    def make(self, route: Any, name: str, *, trunk: str, tag: int, mtu: int) -> None:
        """One message, as every other link."""
        index = usable_trunk(route, trunk)["index"]
        try:
            route.link("add", ifname=name, kind="vlan", link=index, vlan_id=tag, mtu=mtu)
        except NetlinkError as error:
            if error.code == errno.EOPNOTSUPP:
                raise OSError(error.code, "the kernel has no 802.1Q VLANs (module 8021q)") from error
            raise

    def found(self, route: Any, *, trunk: str, tag: int) -> tuple[Any, ...]:
        """By kind, lower interface and tag."""
        lower = link_named(route, trunk)
        return tuple(
            link
            for link in route.get_links()
            if lower is not None and link.get_attr("IFLA_LINK") == lower["index"] and _tag_of(link) == tag
        )


def _tag_of(link: Any) -> int | None:
    info = link.get_attr("IFLA_LINKINFO")
    if info is None or info.get_attr("IFLA_INFO_KIND") != "vlan":
        return None
    data = info.get_attr("IFLA_INFO_DATA")
    return None if data is None else data.get_attr("IFLA_VLAN_ID")


def usable_trunk(route: Any, name: str) -> Any:
    """Link message of the trunk; raises OSError naming what is wrong with it."""
    trunk = link_named(route, name)
    if trunk is None:
        raise OSError(errno.ENODEV, f"{name}, which CONTRAIL_KUBE_CNI_NESTED_INTERFACE names, is missing on the node")
    if not trunk["flags"] & _IFF_UP:
        raise OSError(errno.ENETDOWN, f"{name}, which carries nested pods, is down")
    return trunk


def make_pod_end(route: Any, interface: Interface, lower: int, netns_fd: int) -> None:
    """The pod's end above the sub-interface, straight in the pod's namespace.

    VEPA, as the original: what pods of one node send to each other passes the vrouter, which has the policies.
    """
    route.link(
        "add",
        ifname=interface.ifname,
        kind="macvlan",
        link=lower,
        macvlan_mode="vepa",
        address=interface.mac,
        mtu=interface.mtu,
        net_ns_fd=netns_fd,
    )


def link_named(route: Any, name: str) -> Any:
    """Link message of the name, None if there is none."""
    try:
        return next(iter(route.link("get", ifname=name)), None)
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            return None
        raise
