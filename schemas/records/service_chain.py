"""ServiceChain (opencontrail.org/v1alpha1), our own kind: traffic between two networks led through pods (pure)."""

from __future__ import annotations

import msgspec

from schemas.records.selector import LabelSelector


class ChainNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a chain; exactly one of the three is set.

    `attachment` is a NetworkAttachmentDefinition, `namespace/name`; `namespace` one whose pod network is meant;
    `network` a network of Contrail, `domain:project:name`.
    """

    attachment: str = ""
    namespace: str = ""
    network: str = ""


class ChainService(msgspec.Struct, frozen=True, kw_only=True):
    """One service: pods of the chain's namespace that share its traffic.

    `mode` is in-network, in-network-nat or transparent. The interfaces are names inside the pods, of those in the
    network of that side; '' stands for the first of them.
    """

    name: str
    mode: str
    pod_selector: LabelSelector
    left_interface: str = ""
    right_interface: str = ""


class ChainPort(msgspec.Struct, frozen=True, kw_only=True):
    """A range of destination ports, both ends included."""

    port: int
    end_port: int


class ChainTraffic(msgspec.Struct, frozen=True, kw_only=True):
    """What goes through the chain: `protocol` any, TCP, UDP, SCTP or ICMP; no ports is every port.

    `direction` is both, or left-to-right for what the left side sends, without a way back.
    """

    protocol: str = "any"
    ports: tuple[ChainPort, ...] = ()
    direction: str = "both"


class ServiceChainRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Two networks, the services in the order in which traffic from the left meets them, and which traffic."""

    left: ChainNetwork
    right: ChainNetwork
    services: tuple[ChainService, ...] = ()
    traffic: tuple[ChainTraffic, ...] = ()
    deleting: bool = False
