"""The error tree of the whole project (pure).

    ContrailKubeError
    ├── Retryable                 trying again later can help, without a person
    │   ├── BusUnavailable        the broker or the log directory does not answer
    │   │   └── BusLost              the producer has ended, with records that it had taken
    │   ├── StoreUnavailable      the database does not answer, or refused for now
    │   ├── KubernetesUnavailable the Kubernetes API does not answer, or refused for now
    │   │   ├── KubernetesForbidden  a right is missing; a person may grant it meanwhile
    │   │   ├── NotServed            the API server has no such resource (now)
    │   │   ├── NotLeading           another watcher holds the Lease
    │   │   └── VersionExpired       the history asked for is no longer kept: list again
    │   ├── ContrailUnavailable   the Contrail config API does not answer, or refused for now
    │   │   └── ContrailDenied       it, or its Keystone, does not let us in; a person may correct that meanwhile
    │   ├── AgentUnavailable      the vrouter agent or the CNI agent does not answer
    │   ├── Fenced                another instance owns this work now; drop it and start again
    │   └── AddressPending        the pod is known but has no address yet
    └── Terminal                  the same input will fail the same way
        ├── SettingsError         a setting is unknown, missing or malformed
        ├── UndecodableRecord     bytes on the bus that no schema of ours reads
        ├── MalformedObject       a Kubernetes object that breaks its own API's rules
        ├── SnapshotHeld          a listing that is not believed, or an object of it that cannot be read
        ├── TranslationError      a resource that cannot become Contrail objects
        ├── ModelError            a Contrail object that breaks Contrail's schema
        ├── ContrailRefused       the Contrail API said no, and will say no again
        ├── StoreMismatch         the database's schema is not the one this version needs
        ├── BusMismatch           the topic or log is not laid out as this version needs
        ├── PlugError             an interface could not be made or removed in the kernel
        ├── AgentRefused          the vrouter agent said no, and will say no again
        └── RequestRefused        a CNI request that cannot be served as it is; carries its CNI error code

Every message names the object, what was wrong, and what a person can do about it.
"""

from __future__ import annotations


class ContrailKubeError(Exception):
    """Root of every error that this project raises on purpose."""


class Retryable(ContrailKubeError):
    """Trying again later can help, without a person."""

    retry_after: float = 0.0
    """Seconds that the other side asked to wait; 0 where it did not say."""


class Terminal(ContrailKubeError):
    """The same input fails the same way: a person, or another input, is needed."""


class BusUnavailable(Retryable):
    """The broker or the log directory does not answer."""


class BusLost(BusUnavailable):
    """The producer has ended, with records that it had taken: open another, and list again."""


class StoreUnavailable(Retryable):
    """The database does not answer, or refused for now."""


class KubernetesUnavailable(Retryable):
    """The Kubernetes API does not answer, or refused for now."""


class KubernetesForbidden(KubernetesUnavailable):
    """The Kubernetes API knows us and a right is missing; the message names verb and resource."""


class NotServed(KubernetesUnavailable):
    """The API server has no such resource: its CRD is not installed, or it is another kind of server."""


class NotLeading(KubernetesUnavailable):
    """Another watcher holds the Lease: publish nothing, and wait until it is free."""


class VersionExpired(KubernetesUnavailable):
    """The resourceVersion or the continue token is older than what the API server keeps: list again."""


class ContrailUnavailable(Retryable):
    """The Contrail config API does not answer, or refused for now.

    `elsewhere`: another endpoint of it is there for the next calls, so there is no reason to hold them back.
    """

    def __init__(self, message: str, *, elsewhere: bool = False) -> None:
        super().__init__(message)
        self.elsewhere = elsewhere


class ContrailDenied(ContrailUnavailable):
    """Credentials are refused, or cannot be had; the message names the user and who refused, never a secret."""


class AgentUnavailable(Retryable):
    """The vrouter agent or the CNI agent does not answer."""


class Fenced(Retryable):
    """Another instance owns this work now: drop what is in hand and start again from the store."""


class AddressPending(Retryable):
    """The pod is known, or will be, but has no address yet."""


class SettingsError(Terminal):
    """A setting is unknown, missing or malformed; the message names the variable and what is accepted."""


class UndecodableRecord(Terminal):
    """Bytes on the bus that no schema of ours reads."""


class MalformedObject(Terminal):
    """A Kubernetes object that breaks its own API's rules."""


class SnapshotHeld(Terminal):
    """A listing that is not believed, or not whole: its snapshot is not ended before a person has looked."""


class TranslationError(Terminal):
    """A resource that cannot become Contrail objects; names the resource, the field and what is accepted."""


class ModelError(Terminal):
    """A Contrail object that breaks Contrail's schema; caught before anything is sent."""


class ContrailRefused(Terminal):
    """The Contrail API said no, and will say no again to the same request."""


class StoreMismatch(Terminal):
    """The database's schema is not the one this version needs."""


class BusMismatch(Terminal):
    """The topic or log is not laid out as this version needs."""


class PlugError(Terminal):
    """An interface could not be made or removed in the kernel."""


class AgentRefused(Terminal):
    """The vrouter agent said no, and will say no again to the same request."""


class RequestRefused(Terminal):
    """A CNI request that cannot be served as it is: malformed, for another node, or for rows that make no sense.

    `code` is the error code of the CNI specification (100 and above are ours, see cni/answers.py).
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
