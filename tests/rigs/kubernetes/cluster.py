"""A real Kubernetes control plane on loopback, started for a test or a recording and gone with it.

etcd and kube-apiserver always; kube-controller-manager, kube-scheduler and kwok (fake nodes that run pods)
on demand. One directory under the system's temporary one holds data, keys and logs; nothing else is touched.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from console.ports import free_port
from tests.rigs.certificates import Authority, Certificate

from . import etcd, flags
from .access import Access, ApiError, Json, grant
from .binary import build
from .nodes import fake_nodes, stages
from .options import Options
from .process import ClusterFailed, Component

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

PORT_ATTEMPTS = 5
USER = "rotated"
"""Has a token and a certificate, and no rights before a test grants some."""


class KubernetesCluster:
    """The control plane; a context manager. Methods that start something return when it serves.

    Raises ClusterFailed with the tail of a log when a part does not come up. Not thread-safe.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.directory = Path()
        self.kubeconfig = Path()
        """Of the administrator (group system:masters)."""
        self.token = ""
        self.certificate: Certificate | None = None
        """Credentials of USER."""
        self._admin: Access | None = None
        self._binary = Path()
        self._token = secrets.token_hex(16)
        self._components: dict[str, Component] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def admin(self) -> Access:
        """The administrator's access: server address, authority (PEM) and token."""
        assert self._admin is not None, "the cluster is not started"
        return self._admin

    def start(self) -> None:
        """Start everything (building the binary first if need be); on failure nothing is left running."""
        self._binary = build()
        self.directory = Path(tempfile.mkdtemp(prefix="kube-rig-"))
        try:
            self._start_etcd()
            self._start_first_apiserver()
            self._wait_for_namespace("default")
            self._start_actors()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, last started first, and remove the directory; may be called twice."""
        for component in reversed(self._components.values()):
            component.kill()  # nothing in it is worth a goodbye, and an API server's takes a second
        self._components.clear()
        if not self.options.keep and self.directory.name.startswith("kube-rig-"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def component(self, name: str) -> Component:
        """One running part, to kill, freeze or restart it: 'etcd', 'kwok', 'kube-scheduler' and so on."""
        return self._components[name]

    def kill_apiserver(self) -> None:
        """End the API server as a crash would: its clients' connections break."""
        self.component("kube-apiserver").kill()

    def start_apiserver(self) -> None:
        """Start it again, on the same port with the same data and keys, after `kill_apiserver`."""
        self.component("kube-apiserver").start()
        self._wait_for_apiserver()

    def freeze_apiserver(self) -> None:
        """Let it hold its connections and answer nothing, until `thaw_apiserver`."""
        self.component("kube-apiserver").freeze()

    def thaw_apiserver(self) -> None:
        """Let a frozen API server go on."""
        self.component("kube-apiserver").thaw()

    def rotate(self) -> tuple[str, Certificate]:
        """A new token and a new certificate of USER, the only ones that are taken from the next start on.

        The certificate is of a new authority, as after a rotation of authorities.
        """
        token, folder = secrets.token_hex(16), self.directory / f"clients-{secrets.token_hex(4)}"
        folder.mkdir()
        lines = (f"{self._token},admin,admin,system:masters", f"{token},{USER},{USER}")
        (self.directory / flags.TOKENS).write_text("".join(f"{line}\n" for line in lines))
        authority = Authority(folder, "clients")
        shutil.copy(authority.file, self.directory / flags.CLIENTS)
        return token, authority.issue(USER)

    def compact(self) -> int:
        """Forget all history before now, in etcd and in the API server's cache; answers etcd's revision.

        Afterwards a watch from an older resourceVersion, or an older `continue` of a paged list, is 410. With
        the watch cache on, that takes a restart of the API server, which breaks its clients' connections.
        """
        revision = etcd.compact(self.directory / flags.ETCD_SOCKET)
        if self.options.watch_cache:
            self.kill_apiserver()
            self.start_apiserver()
        return revision

    def add_nodes(self, count: int) -> None:
        """Create fake nodes node-1 … node-<count>; those that exist stay. Ready only while kwok runs."""
        for node in fake_nodes(count, network=self.options.node_network):
            try:
                self.admin.request("POST", "/api/v1/nodes", node)
            except ApiError as error:
                if error.status != 409:
                    raise

    def restricted(self, name: str, rules: Sequence[Json], *, namespace: str = "kube-system") -> Access:
        """A new service account that may do only what `rules` (RBAC PolicyRules) say, in every namespace."""
        return grant(self.admin, namespace=namespace, name=name, rules=rules)

    def client(self) -> ApiClient:
        """A new client of the official `kubernetes` package with the administrator's rights; close it."""
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig))

    def _add(self, name: str, arguments: Sequence[str]) -> Component:
        component = Component(name, arguments, binary=self._binary, directory=self.directory)
        self._components[name] = component
        component.start()
        return component

    def _start_etcd(self) -> None:
        component = self._add("etcd", flags.etcd(self.directory))
        socket_path = self.directory / flags.ETCD_SOCKET
        component.wait(lambda: etcd.healthy(socket_path), "health", seconds=self.options.seconds)

    def _start_first_apiserver(self) -> None:
        """Choose a port; another one when somebody took it before the API server could."""
        self.token, self.certificate = self.rotate()
        for attempt in range(PORT_ATTEMPTS):
            port = free_port()
            self._add("kube-apiserver", flags.apiserver(self.directory, port=port, options=self.options))
            try:
                self._wait_for_apiserver(port)
                break
            except ClusterFailed as error:
                if "address already in use" not in str(error) or attempt == PORT_ATTEMPTS - 1:
                    raise
        self.kubeconfig = self.admin.write_kubeconfig(self.directory / "kubeconfig")

    def _wait_for_apiserver(self, port: int | None = None) -> None:
        component = self.component("kube-apiserver")
        authority = self.directory / flags.AUTHORITY
        if port is not None:
            component.wait(authority.exists, "certificate", seconds=self.options.seconds)
            server = f"https://127.0.0.1:{port}"
            self._admin = Access(server, authority.read_text(), self._token)
        component.wait(lambda: self.admin.succeeds("/readyz"), "/readyz", seconds=self.options.seconds)

    def _wait_for_namespace(self, name: str) -> None:
        path = f"/api/v1/namespaces/{name}"
        component = self.component("kube-apiserver")
        component.wait(lambda: self.admin.succeeds(path), f"namespace {name}", seconds=self.options.seconds)

    def _start_actors(self) -> None:
        if self.options.controllers:
            arguments = flags.controllers(self.directory, self.kubeconfig, self.options)
            manager = self._add("kube-controller-manager", arguments)
            if "serviceaccount-controller" in self.options.controllers:
                path = "/api/v1/namespaces/default/serviceaccounts/default"
                manager.wait(lambda: self.admin.succeeds(path), path, seconds=self.options.seconds)
        if self.options.scheduler:
            self._add("kube-scheduler", flags.scheduler(self.kubeconfig))
        if self.options.nodes:
            self._start_kwok()

    def _start_kwok(self) -> None:
        configuration = self.directory / "stages.yaml"
        configuration.write_text(stages(self.options.pace))
        self.add_nodes(self.options.nodes)
        component = self._add("kwok", flags.kwok(self.kubeconfig, configuration, self.options))
        component.wait(self._nodes_ready, "nodes ready", seconds=self.options.seconds)

    def _nodes_ready(self) -> bool:
        nodes: list[Json] = self.admin.request("GET", "/api/v1/nodes")["items"]
        return all(_ready(node) and not node["spec"].get("taints") for node in nodes)


def _ready(node: Json) -> bool:
    conditions: list[Json] = node["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
