"""`python -m tests.rigs.recording [DIRECTORY]`: take the shipped recording again. See docs/recording.md.

Starts a real control plane with fake nodes, runs our watchers over it, plays the story, and writes what they
published, compressed, to DIRECTORY (by default console/recordings/shop, which is replaced).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.bus.log import LogProducer, export_topic
from schemas.health import Health
from tests.rigs.kubernetes import KubernetesCluster, Options, Pace, unavailable
from tests.rigs.recording.story import Story
from watchers.connection import from_kubeconfig
from watchers.publisher import PART as BUS
from watchers.service import run
from watchers.settings import WatchersSettings

SHIPPED = Path(__file__).parents[3] / "console" / "recordings" / "shop"
CLUSTER = "k8s"
TOPIC = f"k8s.changes.{CLUSTER}"
PARTITIONS = 4
PACE = Pace(start=(0.1, 0.6), stop=(0.1, 0.5), job=(1, 2))
QUIET_SECONDS = 3.0
"""The watchers get so long to publish the last changes; they need milliseconds."""


def main() -> int:
    """Exit codes: 0 taken, 1 failed, 69 no real control plane can be had here (EX_UNAVAILABLE)."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.recording", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, default=SHIPPED)
    directory: Path = parser.parse_args().directory
    if reason := unavailable():
        say(f"cannot record: {reason}")
        return 69
    with tempfile.TemporaryDirectory(prefix="recording-") as scratch:
        record(Path(scratch))
        shutil.rmtree(directory / TOPIC, ignore_errors=True)
        count = export_topic(Path(scratch) / "log", TOPIC, directory)
    size = sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
    say(f"{count} events, {size} bytes in {directory}")
    return 0


def record(scratch: Path) -> None:
    """Play the story before the watchers, with one restart of theirs; the log is left in `scratch`/log."""
    with KubernetesCluster(Options.whole(nodes=4, pace=PACE)) as cluster, cluster.client() as api:
        story = Story(api, say=say)
        with watching(cluster, scratch):
            for step in (story.install, story.grow, story.update, story.lose_pods, story.report, story.relabel):
                step()
            story.try_out_and_delete()
            time.sleep(QUIET_SECONDS)
        story.while_nobody_looks()
        with watching(cluster, scratch):
            time.sleep(QUIET_SECONDS)
        say(f"{len(story.pods())} pods at the end")


@contextmanager
def watching(cluster: KubernetesCluster, scratch: Path) -> Iterator[None]:
    """Our watchers over the cluster, until the block ends; what they publish is in `scratch`/log."""
    stop, health, errors = threading.Event(), Health(), list[BaseException]()
    health.not_ready(BUS, "not started")

    def body() -> None:
        try:
            run(
                WatchersSettings(epoch_file=str(scratch / "epochs.json"), identity="recorder"),
                cluster=CLUSTER,
                load=from_kubeconfig(str(cluster.kubeconfig)),
                open_producer=lambda: LogProducer(scratch / "log", TOPIC, PARTITIONS),
                stop=stop,
                health=health,
            )
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while health.why_not_ready():
            if errors or time.monotonic() > deadline:
                raise RuntimeError(f"the watchers are not ready: {health.why_not_ready()} {errors}")
            time.sleep(0.05)
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


def say(text: str) -> None:
    """Tell whoever waits what happens."""
    print(f"recording: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
