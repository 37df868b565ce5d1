"""What happens in the recorded cluster: an online shop is installed, grows, is updated, and loses pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kubernetes import client, utils

MANIFESTS = Path(__file__).parent / "manifests"
PATIENCE = 120.0


class Story:
    """Acts on a cluster through the official client; each step returns when the cluster has settled."""

    def __init__(self, api: client.ApiClient, *, say: Callable[[str], None]) -> None:
        self._api = api
        self._apps = client.AppsV1Api(api)
        self._core = client.CoreV1Api(api)
        self._batch = client.BatchV1Api(api)
        self._say = say

    def install(self) -> None:
        """The shop as on its first day."""
        self._apply(sorted(MANIFESTS.glob("*.yaml")))

    def grow(self) -> None:
        """More customers: scaling up where they are, and down where they are not."""
        self._say("scaling")
        for name, replicas in (("frontend", 10), ("cart", 6), ("recommendations", 2)):
            self._apps.patch_namespaced_deployment_scale(name, "shop", {"spec": {"replicas": replicas}})
        self.settle()

    def scale(self, name: str, namespace: str, replicas: int) -> None:
        """A Deployment gets that many pods."""
        self._apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": replicas}})
        self.settle()

    def update(self) -> None:
        """Version 1.1 of the catalogue takes the place of 1.0, pod by pod."""
        self._say("rolling update of shop/catalogue")
        containers = [{"name": "catalogue", "image": "example.org/shop/catalogue:1.1"}]
        template = {"metadata": {"labels": {"version": "1.1"}}, "spec": {"containers": containers}}
        self._apps.patch_namespaced_deployment("catalogue", "shop", {"spec": {"template": template}})
        self.settle()

    def lose_pods(self) -> None:
        """Pods are deleted; those of a StatefulSet come back under the same name, as others."""
        self._say("deleting pods")
        for namespace, label in (("data", "app=orders-db"), ("shop", "app=cart"), ("payments", "app=fraud")):
            pod = self._core.list_namespaced_pod(namespace, label_selector=label).items[0]
            self._core.delete_namespaced_pod(pod.metadata.name, namespace)
        self.settle()

    def report(self) -> None:
        """A Job, whose pods complete and stay."""
        self._apply([MANIFESTS / "later" / "report.yaml"])

    def relabel(self) -> None:
        """Labels of a running pod and of a namespace change in place."""
        self._say("changing labels")
        pod = self._core.list_namespaced_pod("shop", label_selector="app=search").items[0]
        self._core.patch_namespaced_pod(pod.metadata.name, "shop", {"metadata": {"labels": {"track": "canary"}}})
        self._core.patch_namespace("payments", {"metadata": {"labels": {"audited": "yes"}}})
        self.settle()

    def try_out_and_delete(self) -> None:
        """A namespace of its own, deleted with all that is in it."""
        self._apply([MANIFESTS / "later" / "staging.yaml"])
        self._say("deleting namespace staging")
        self._core.delete_namespace("staging")
        self._until(lambda: "staging" not in self._namespaces(), "namespace staging is gone")
        self.settle()

    def while_nobody_looks(self) -> None:
        """What the watchers learn from their next snapshot only."""
        self._say("changes while the watchers are down")
        self._apps.delete_namespaced_deployment("mail", "shop")
        pod = self._core.list_namespaced_pod("data", label_selector="app=cache").items[0]
        self._core.delete_namespaced_pod(pod.metadata.name, "data")
        self.settle()

    def settle(self) -> None:
        """Wait until every controller has what it wants, and nothing is on its way out."""
        self._until(self._is_settled, "everything is as it shall be")

    def pods(self) -> list[Any]:
        """All pods."""
        return list(self._core.list_pod_for_all_namespaces().items)

    def _apply(self, files: Iterable[Path]) -> None:
        for file in files:
            self._say(f"applying {file.name}")
            utils.create_from_yaml(self._api, str(file))
        self.settle()

    def _namespaces(self) -> set[str]:
        return {each.metadata.name for each in self._core.list_namespace().items}

    def _is_settled(self) -> bool:
        deployments = self._apps.list_deployment_for_all_namespaces().items
        sets = self._apps.list_stateful_set_for_all_namespaces().items
        agents = self._apps.list_daemon_set_for_all_namespaces().items
        jobs = self._batch.list_job_for_all_namespaces().items
        return (
            all(
                (d.status.observed_generation, d.status.updated_replicas, d.status.ready_replicas, d.status.replicas)
                == (d.metadata.generation, d.spec.replicas, d.spec.replicas, d.spec.replicas)
                for d in deployments
            )
            and all(s.status.ready_replicas == s.spec.replicas for s in sets)
            and all(a.status.number_ready == a.status.desired_number_scheduled > 0 for a in agents)
            and all(j.status.succeeded == j.spec.completions for j in jobs)
            and all(p.metadata.deletion_timestamp is None and p.status.phase != "Pending" for p in self.pods())
        )

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {PATIENCE:.0f} s: {what}")
            time.sleep(0.1)
