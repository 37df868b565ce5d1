"""The interface of the virtual machine that a node is, as far as Kubernetes tells of it (pure): nested mode.

In Contrail it is a virtual-machine-interface like any other, made by whoever made the machine. Pods hang below it as
sub-interfaces, each under a VLAN tag of its own. Which interface it is, and which tags are free, Contrail alone knows:
the applier finds out, and chooses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Any
FIRST_TAG, LAST_TAG = 1, 4094
"""Tags of sub-interfaces: Contrail takes 0, too, and its vrouter agent then makes none."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """What is known: the node's name, and how to find the interface.

    `interface` is its uuid or colon-joined fq_name, where the node names it; else '', and it is the one that has
    `address` (the node's internal one, '' while unknown) in `network` (colon-joined fq_name; '' for any network).
    """

    node: str
    interface: str = ""
    address: str = ""
    network: str = ""

    def body(self) -> dict[str, Json]:
        """JSON of the store: every field under its name."""
        return {"node": self.node, "interface": self.interface, "address": self.address, "network": self.network}

    @classmethod
    def from_body(cls, body: Mapping[str, Json] | None) -> Trunk | None:
        """Read back what `body` wrote; None for None."""
        return None if body is None else cls(**body)
