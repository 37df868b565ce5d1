"""What a cluster consists of and how it behaves: plain values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pace:
    """How long fake kubelets take, each step a (shortest, longest) pair of seconds; by default as fast as kwok can."""

    start: tuple[float, float] = (0, 0)
    """From a pod bound to a node to running."""
    stop: tuple[float, float] = (0, 0)
    """From a pod's deletionTimestamp to its end; the pod's grace period does not count."""
    job: tuple[float, float] = (1, 1)
    """From a Job's pod running to succeeded."""


CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    "taint-eviction-controller",
    "ttl-after-finished-controller",
)
"""What an application's pods and network objects go through; no volumes, quotas or autoscaling."""


@dataclass(frozen=True, slots=True)
class Options:
    """What runs besides etcd and the API server, and how."""

    controllers: tuple[str, ...] = ()
    """Those of kube-controller-manager, by name (`CONTROLLERS`: all of use here); none: it does not run.

    Without the service account controller a pod needs no service account, and without the node lifecycle
    controller a new node gets no taint: the API server's admission would otherwise wait for them for ever.
    """
    scheduler: bool = False
    nodes: int = 0
    """Fake nodes node-1 … node-N, played by kwok; 0: no kwok."""
    node_network: str = "198.18.0.0/15"
    """Where nodes take their InternalIP; the default is the range of RFC 2544, in nobody's network."""
    pod_network: str = "10.32.0.0/12"
    """Where kwok takes the podIP of a pod that is not on its host's network: counted up from the first."""
    service_network: str = "10.96.0.0/12"
    pace: Pace = field(default_factory=Pace)
    watch_cache: bool = True
    """False: lists and watches are read from etcd, so that `compact()` alone makes an old watch a 410."""
    seconds: float = 90
    """For each component to come up; two seconds each are usual, but the machine may be busy."""
    keep: bool = False
    """Leave the directory with data and logs."""

    @classmethod
    def whole(cls, *, nodes: int = 3, pace: Pace | None = None) -> Options:
        """A cluster that schedules and runs pods on `nodes` fake nodes, with all controllers."""
        return cls(controllers=CONTROLLERS, scheduler=True, nodes=nodes, pace=pace or Pace())
