"""Rates of a pod's interface, held by token buckets in the kernel (shell, over pyroute2).

A token bucket (tbf) delays what leaves the link it is on: on the node's end of a pair that is what goes to the pod, on
the pod's end what the pod sends. It goes with its link, so nothing is ever to be removed. Needs CAP_NET_ADMIN.
"""

from __future__ import annotations

import errno
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import TC_H_ROOT
from pyroute2.netlink.rtnl.tcmsg.common import get_rate_parameters

from cni.limits import Limit

KIND = "tbf"
_HANDLE = 0x10000
_LATENCY = 0.025
"""Seconds that a packet may wait beyond the bucket, before it is dropped: as in the reference plugin."""
_LONGEST = 274
"""Seconds of the rate that a bucket can hold: the kernel is told in ticks of 64 ns, in 32 bits."""
_FASTEST = 2**32 - 1
"""Bytes per second that the kernel can be told in 32 bits: 34 Gbit/s."""
_FRAME = 18
"""Bytes of a frame beyond its MTU: Ethernet's header and a tag."""


def limit_link(route: Any, index: int, limit: Limit | None, *, mtu: int) -> None:
    """Put the limit on what leaves the link, which has no bucket yet; raises NetlinkError or OSError."""
    if limit is None:
        return
    try:
        route.tc("add", KIND, index=index, handle=_HANDLE, parent=TC_H_ROOT, **_shape(limit, mtu))
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            raise OSError(error.code, "the kernel has no token bucket filter (module sch_tbf)") from error
        raise


def limit_faults(route: Any, index: int, name: str, limit: Limit | None, *, mtu: int) -> tuple[str, ...]:
    """In what the link differs from what `limit_link` made; of a link without a limit nothing is asked."""
    if limit is None:
        return ()
    asked = f"{limit.rate} bit/s with a burst of {limit.burst} bit"
    found = _bucket_of(route, index)
    if found is None:
        return (f"{name} lacks the limit of {asked}",)
    wanted = get_rate_parameters(_shape(limit, mtu))
    if any(found[key] != wanted[key] for key in ("rate", "buffer", "limit")):
        return (f"{name} has a limit of {found['rate'] * 8} bit/s, or of another burst, instead of {asked}",)
    return ()


def _bucket_of(route: Any, index: int) -> Any:
    """Parameters of the token bucket at the root of the link; None where there is none."""
    for qdisc in route.get_qdiscs(index=index):
        if qdisc["parent"] == TC_H_ROOT and qdisc.get_attr("TCA_KIND") == KIND:
            return qdisc.get_attr("TCA_OPTIONS").get_attr("TCA_TBF_PARMS")
    return None


def _shape(limit: Limit, mtu: int) -> dict[str, int]:
    """Rate in bytes per second, and bytes of the bucket and of what may wait for it."""
    rate = min(limit.rate // 8, _FASTEST)
    # A frame that no bucket can hold would never pass; pyroute2 reckons in whole microseconds of the rate.
    frame = mtu + _FRAME + 2 * (rate // 1_000_000 + 1)
    burst = min(max(limit.burst // 8, frame), rate * _LONGEST)
    return {"rate": rate, "burst": burst, "limit": int(rate * _LATENCY) + burst}
