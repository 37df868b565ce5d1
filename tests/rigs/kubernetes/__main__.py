"""`python -m tests.rigs.kubernetes build`: build the binary. `… run`: run a cluster until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from .binary import BuildFailed, build, kubernetes_version, unavailable
from .cluster import KubernetesCluster
from .options import Options, Pace
from .process import ClusterFailed


def main() -> int:
    """Exit codes: 0 done, 1 failed, 69 cannot be had here (EX_UNAVAILABLE), 130 interrupted while starting."""
    arguments = _parser().parse_args()
    if reason := unavailable():
        print(f"kubernetes suite unavailable: {reason}", file=sys.stderr)
        return 69
    try:
        binary = build(lambda line: print(f"kubernetes: {line}", file=sys.stderr, flush=True))
        if arguments.command == "build":
            print(binary)
        else:
            _run(arguments)
    except (BuildFailed, ClusterFailed) as error:
        print(f"kubernetes: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.kubernetes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="build the binary into the cache and print its path")
    run = commands.add_parser("run", help="run a cluster in the foreground; prints the path of its kubeconfig")
    run.add_argument("--nodes", type=int, default=3, help="fake nodes that run pods (default 3)")
    run.add_argument("--bare", action="store_true", help="only etcd and kube-apiserver")
    run.add_argument("--start-seconds", type=float, default=1.0, help="longest time a pod takes to run (default 1)")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    pace = Pace(start=(0, arguments.start_seconds), stop=(0, arguments.start_seconds))
    options = Options() if arguments.bare else Options.whole(nodes=arguments.nodes, pace=pace)
    with KubernetesCluster(options) as cluster:
        print(cluster.kubeconfig, flush=True)
        seconds = time.monotonic() - started
        print(
            f"kubernetes: {kubernetes_version()} at {cluster.admin.server}, up in {seconds:.1f} s; "
            f"logs in {cluster.directory}; Ctrl-C ends it",
            file=sys.stderr,
        )
        try:
            signal.pause()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one shall not cut the clean-up short
            print("kubernetes: stopping", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
