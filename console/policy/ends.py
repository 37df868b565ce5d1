"""Ends and ports of a connection as a person names them: `shop/web`, `203.0.113.7`, `80/TCP`, `http` (pure)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from console.policy.picture import Picture, Pod
from schemas.errors import SettingsError

PROTOCOLS = ("TCP", "UDP", "SCTP")
ICMP = "ICMP"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: an address with the pod that has it, or the node; both are empty for what is outside."""

    address: str
    pod: Pod | None = None
    node: str = ""

    @property
    def label(self) -> str:
        """`shop/web (10.32.0.8)`, `node n1 (…)` or the address."""
        if self.pod is not None:
            return f"{self.pod.label} ({self.address})"
        return f"node {self.node} ({self.address})" if self.node else self.address

    @property
    def family(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.address).version


@dataclass(frozen=True, slots=True)
class Port:
    """A destination port; ICMP has number 0."""

    protocol: str
    number: int

    def __str__(self) -> str:
        return self.protocol if self.protocol == ICMP else f"{self.number}/{self.protocol}"


def ends(text: str, option: str, picture: Picture) -> list[End]:
    """The end in each family that it has an address of; raises SettingsError for one that is not known."""
    try:
        return [end_of(str(ipaddress.ip_address(text)), picture)]
    except ValueError:
        pass
    pod = picture.pods.get(text)
    if pod is None:
        raise SettingsError(f"{option} {text!r}: {_unknown(text, picture)}")
    if not pod.addresses:
        raise SettingsError(f"{option} {text!r}: the pod has no address yet, and policies go by addresses, too")
    return [End(each, pod) for each in pod.addresses]


def end_of(address: str, picture: Picture) -> End:
    """Whose address it is: a pod's, a node's, or nobody's here."""
    pod, node = picture.owners.get(address, (None, ""))
    return End(address, pod, node)


def is_number(name: str) -> bool:
    """Whether a port is named by its number."""
    return name.isascii() and name.isdigit()


def port(text: str, target: Pod | None) -> Port:
    """A port: number or name, with TCP unless it says another protocol; a name is the target pod's."""
    name, _, said = text.partition("/")
    protocol = (said or "TCP").upper()
    if name.upper() == ICMP and not said:
        return Port(ICMP, 0)
    if protocol not in PROTOCOLS:
        raise SettingsError(
            f"--port {text!r}: protocol is {said!r}; accepted are {', '.join(PROTOCOLS)}, and ICMP alone"
        )
    if is_number(name):
        if not 1 <= int(name) <= 65535:
            raise SettingsError(f"--port {text!r}: {name} is no port; accepted are 1 to 65535")
        return Port(protocol, int(name))
    if not _NAME.fullmatch(name):
        raise SettingsError(f"--port {text!r}: accepted are 80, 80/UDP, the name of a container port, and ICMP")
    if target is None:
        raise SettingsError(f"--port {text!r}: a name is a container port of the target, and the target is no pod")
    found = next((each.port for each in target.ports if (each.name, each.protocol) == (name, protocol)), None)
    if found is None:
        has = ", ".join(f"{each.name} ({each.port}/{each.protocol})" for each in target.ports if each.name) or "none"
        raise SettingsError(f"--port {text!r}: {target.label} has no {protocol} port of that name; it has {has}")
    return Port(protocol, found)


def _unknown(text: str, picture: Picture) -> str:
    if reason := picture.absent.get(text):
        return f"the pod {reason}"
    space, slash, name = text.partition("/")
    if not slash:
        return "accepted are namespace/pod and an address"
    if space not in picture.namespaces:
        known = ", ".join(sorted(picture.namespaces)[:10]) or "none"
        return f"namespace {space!r} is not known; known are {known}"
    inside = sorted(pod.name for pod in picture.pods.values() if pod.namespace == space)
    more = f" and {len(inside) - 10} more" if len(inside) > 10 else ""
    return f"no pod {name!r} in namespace {space}; there are {', '.join(inside[:10]) or 'none'}{more}"
