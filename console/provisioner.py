"""Plays the installer of a simulated Contrail: registers a virtual-router for every Node of the store.

What it registered goes with its Node, once no machine is left on it. A real deployment registers its own when a compute
node is installed; nothing here ever speaks to a real one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

import requests
from sqlalchemy import Engine

from console.observe import nodes
from schemas.errors import ContrailKubeError, ContrailUnavailable

logger = logging.getLogger(__name__)

PERIOD = 0.2
"""Seconds between looks at the nodes."""
TIMEOUT = 5.0
PARENT = "default-global-system-config"


def internal_address(body: Mapping[str, Any]) -> str:
    """First InternalIP of a Node record's jsonb body, or ''."""
    return next((a["address"] for a in body.get("addresses", ()) if a.get("type") == "InternalIP"), "")


class Provisioner:
    """A thread that follows the nodes until stopped; `problem` says what keeps it from its work, or ''."""

    def __init__(self, *, engine: Engine, cluster: str, api: str) -> None:
        self._engine = engine
        self._cluster = cluster
        self._api = api.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment has no business on the loopback
        self._done: dict[str, str] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provisioner", daemon=True)
        self.problem = ""

    def start(self) -> Provisioner:
        """Begin to follow."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, within one request."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUT + 1)
        self._session.close()

    def forget(self) -> None:
        """Register all nodes again: the API began anew."""
        self._done = {}

    def round(self) -> None:
        """Register what is new or has another address, and remove what has no Node any more.

        Raises ContrailUnavailable or StoreUnavailable.
        """
        done = self._done
        found = nodes(self._engine, cluster=self._cluster)
        for name, body in found.items():
            address = internal_address(body)
            if done.get(name) != address:
                self._register(name, address)
                done[name] = address
        for name in [name for name in done if name not in found]:
            if self._remove(name):
                done.pop(name, None)

    def _run(self) -> None:
        while not self._ended.wait(PERIOD):
            try:
                self.round()
                self.problem = ""
            except ContrailKubeError as error:
                if str(error) != self.problem:
                    logger.warning("virtual-routers cannot be registered: %s", error)
                self.problem = str(error)

    def _register(self, name: str, address: str) -> None:
        fq_name = [PARENT, name]
        body = {"fq_name": fq_name, "parent_type": "global-system-config", "virtual_router_ip_address": address}
        answer = self._send("POST", "/virtual-routers", {"virtual-router": body})
        if answer.status_code == 409:
            found = self._send("POST", "/fqname-to-id", {"type": "virtual-router", "fq_name": fq_name})
            self._expect(found, name)
            change = {"virtual-router": {"fq_name": fq_name, "virtual_router_ip_address": address}}
            answer = self._send("PUT", f"/virtual-router/{found.json()['uuid']}", change)
        self._expect(answer, name)
        logger.info("registered virtual-router node=%s address=%s", name, address)

    def _remove(self, name: str) -> bool:
        """Whether the virtual-router is gone; one that still has machines is left until the applier has taken them."""
        asked = {"type": "virtual-router", "fq_name": [PARENT, name]}
        found = self._send("POST", "/fqname-to-id", asked)
        if found.status_code == 404:
            return True
        self._expect(found, name)
        path = f"/virtual-router/{found.json()['uuid']}"
        answer = self._send("GET", f"{path}?fields=virtual_machine_refs")
        self._expect(answer, name)
        if answer.json()["virtual-router"].get("virtual_machine_refs"):
            return False
        self._expect(self._send("DELETE", path), name)
        logger.info("removed virtual-router node=%s", name)
        return True

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        try:
            return self._session.request(method, self._api + path, json=body, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise ContrailUnavailable(f"the simulated Contrail API at {self._api} does not answer: {error}") from error

    def _expect(self, answer: requests.Response, name: str) -> None:
        if answer.status_code != 200:
            raise ContrailUnavailable(
                f"the simulated Contrail API refused virtual-router {name}: {answer.status_code} {answer.text[:200]}"
            )
