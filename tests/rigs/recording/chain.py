"""`python -m tests.rigs.recording.chain [DIRECTORY]`: take the recording of the service chain again. docs/recording.md.

Like the recording of the shop, of a cluster with one namespace: that of deploy/kubernetes/examples/service-chain.yaml.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import yaml

from schemas.bus.log import export_topic
from tests.rigs.kubernetes import KubernetesCluster, Options, unavailable
from tests.rigs.kubernetes.access import Access
from tests.rigs.recording.__main__ import PACE, QUIET_SECONDS, TOPIC, say, watching
from tests.rigs.recording.story import Story

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "console" / "recordings" / "chain"
EXAMPLE = ROOT / "deploy" / "kubernetes" / "examples" / "service-chain.yaml"
CRDS = (
    ROOT / "tests" / "watchers" / "kinds" / "nad-crd.yaml",
    ROOT / "deploy" / "kubernetes" / "servicechain-crd.yaml",
)
PATIENCE = 60.0


def main() -> int:
    """Exit codes: 0 taken, 69 no real control plane can be had here (EX_UNAVAILABLE)."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    if reason := unavailable():
        say(f"cannot record: {reason}")
        return 69
    with tempfile.TemporaryDirectory(prefix="recording-") as scratch:
        record(Path(scratch))
        shutil.rmtree(directory / TOPIC, ignore_errors=True)
        say(f"{export_topic(Path(scratch) / 'log', TOPIC, directory)} events in {directory}")
    return 0


def record(scratch: Path) -> None:
    """Apply the example under the eyes of the watchers, with one more firewall at last."""
    with KubernetesCluster(Options.whole(nodes=2, pace=PACE)) as cluster, cluster.client() as api:
        for file in CRDS:
            make(cluster.admin, yaml.safe_load(file.read_text()))
        story = Story(api, say=say)
        with watching(cluster, scratch):
            for body in yaml.safe_load_all(EXAMPLE.read_text()):
                make(cluster.admin, body)
            story.settle()
            story.scale("firewall", "edge", 3)
            time.sleep(QUIET_SECONDS)


def make(admin: Access, body: dict[str, object]) -> None:
    """Create an object of any kind, once the API server serves its kind."""
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    version, kind = str(body["apiVersion"]), str(body["kind"])
    root = f"/{'apis' if '/' in version else 'api'}/{version}"
    deadline = time.monotonic() + PATIENCE
    while not (found := [each for each in _served(admin, root) if each["kind"] == kind and "/" not in each["name"]]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{version} {kind} is not served")
        time.sleep(0.1)
    space = f"/namespaces/{metadata['namespace']}" if found[0]["namespaced"] else ""
    admin.request("POST", f"{root}{space}/{found[0]['name']}", body)
    say(f"{kind} {metadata['name']}")


def _served(admin: Access, root: str) -> list[dict[str, str]]:
    return list(admin.request("GET", root)["resources"]) if admin.succeeds(root) else []


if __name__ == "__main__":
    sys.exit(main())
