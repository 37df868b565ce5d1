"""One user's way to an API server: address, certificate authority and token; plain JSON requests on the stdlib.

Every request has a deadline and none is repeated.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

Json = dict[str, Any]
"""A Kubernetes object, or a list of them, as the API server writes it."""
REQUEST_SECONDS = 30
TOKEN_SECONDS = 24 * 3600


class ApiError(RuntimeError):
    """The API server answered with an error: `status` is the HTTP code, the text is its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """Where an API server is (`https://…`), the PEM text of its authority, and a bearer token."""

    server: str
    authority: str
    token: str

    def request(self, method: str, path: str, body: Json | None = None) -> Json:
        """The JSON answer to one request; {} where the answer is plain text. Raises ApiError or OSError."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data=data, headers=headers, method=method)
        context = ssl.create_default_context(cadata=self.authority)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS, context=context) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read().decode(errors="replace")[:2000]) from None
        return json.loads(text) if text.startswith(b"{") else {}

    def succeeds(self, path: str) -> bool:
        """Whether a GET answers without an error: false too while nothing listens or TLS fails."""
        try:
            self.request("GET", path)
        except (ApiError, OSError, ValueError):
            return False
        return True

    def write_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that needs no other file (JSON, which is YAML), readable by its owner only."""
        authority = base64.b64encode(self.authority.encode()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "rig",
            "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}],
            "clusters": [{"name": "rig", "cluster": {"server": self.server, "certificate-authority-data": authority}}],
            "users": [{"name": "rig", "user": {"token": self.token}}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=1))
        return path


def grant(admin: Access, *, namespace: str, name: str, rules: Sequence[Json]) -> Access:
    """A new service account that may do what `rules` (PolicyRules of a ClusterRole) allow in every namespace.

    The namespace is made if it is not there. The token holds for a day. Existing parts are an ApiError 409.
    """
    try:
        admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    except ApiError as error:
        if error.status != 409:
            raise
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    admin.request("POST", accounts, {"metadata": {"name": name}})
    role = f"{namespace}:{name}"
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    admin.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": role}, "rules": list(rules)})
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
    }
    admin.request("POST", f"{rbac}/clusterrolebindings", binding)
    asked = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
    issued = admin.request("POST", f"{accounts}/{name}/token", asked)
    return replace(admin, token=issued["status"]["token"])
