"""The command lines of the components, and the names of the files they share. Pure.

What each flag is for is said here; a flag that only repeats a default is not given.
"""

from __future__ import annotations

from pathlib import Path

from .options import Options

ETCD_SOCKET = "etcd.sock"
TOKENS = "tokens.csv"
CLIENTS = "clients.pem"
"""The authority whose certificates are taken from clients, by their common name."""
CERTIFICATES = "certificates"
AUTHORITY = f"{CERTIFICATES}/apiserver.crt"
"""The API server's own certificate and, after it, that of the authority that it made to sign it."""
KEY = f"{CERTIFICATES}/apiserver.key"
NEEDED_BY = {
    "ServiceAccount": "serviceaccount-controller",
    "TaintNodesByCondition": "node-lifecycle-controller",
}
"""Admission plugins that make objects wait for a controller; off where that does not run."""


def etcd(directory: Path) -> list[str]:
    """One member on unix sockets, without syncs to disk: it survives its own end, not the machine's."""
    nobody = "http://127.0.0.1:2380"  # the member list takes no sockets, and nobody reads it
    client, peer = f"unix://{directory / ETCD_SOCKET}", f"unix://{directory / 'etcd-peer.sock'}"
    return [
        "--name=rig",
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={nobody}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={nobody}",
        f"--initial-cluster=rig={nobody}",
        "--log-level=warn",
    ]


def apiserver(directory: Path, *, port: int, options: Options) -> list[str]:
    """TLS with certificates of its own making, tokens, RBAC; its TLS key also signs service account tokens."""
    off = [plugin for plugin, controller in NEEDED_BY.items() if controller not in options.controllers]
    return [
        f"--etcd-servers=unix://{directory / ETCD_SOCKET}",
        "--etcd-compaction-interval=0",  # only compact() forgets history
        f"--watch-cache={str(options.watch_cache).lower()}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",  # an Endpoints object may not hold a loopback address
        f"--secure-port={port}",
        f"--cert-dir={directory / CERTIFICATES}",
        f"--token-auth-file={directory / TOKENS}",
        f"--client-ca-file={directory / CLIENTS}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={directory / KEY}",
        f"--service-account-signing-key-file={directory / KEY}",
        f"--service-cluster-ip-range={options.service_network}",
        f"--disable-admission-plugins={','.join(off)}",
        "--enable-priority-and-fairness=false",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def controllers(directory: Path, kubeconfig: Path, options: Options) -> list[str]:
    """The chosen controllers, serving nothing, and not held back by the client's usual 20 requests a second."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(options.controllers)}",
        f"--service-account-private-key-file={directory / KEY}",
        f"--root-ca-file={directory / AUTHORITY}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def scheduler(kubeconfig: Path) -> list[str]:
    """The default profile, serving nothing."""
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def kwok(kubeconfig: Path, configuration: Path, options: Options) -> list[str]:
    """Plays every node that has the annotation, with leases, so that the node lifecycle controller trusts them."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={configuration}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        "--manage-all-nodes=false",
        f"--cidr={options.pod_network}",
        "--node-lease-duration-seconds=40",
    ]
