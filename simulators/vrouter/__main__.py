"""`python -m simulators.vrouter`: the simulated vrouter agent of one node, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from schemas.logs import configure
from simulators.vrouter.contrail import ContrailConfig
from simulators.vrouter.server import VrouterSimulator


def main(arguments: list[str]) -> int:
    """Run it; returns the exit code."""
    options = _parser().parse_args(arguments)
    configure("vrouter-simulator", log_format="text")
    simulator = VrouterSimulator(
        config=ContrailConfig(options.contrail_api, node=options.node),
        netns=options.netns,
        host=options.host,
        port=options.port,
        ports_dir=options.ports_dir,
        forward=options.forward,
        fabric=options.fabric,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: simulator.request_stop())
    try:
        simulator.start()
    except OSError as error:
        sys.stderr.write(f"cannot start on {options.host}:{options.port} (netns {options.netns}): {error}\n")
        return 1
    sys.stdout.write(f"vrouter agent simulator of node {options.node} at {simulator.url}\n")
    sys.stdout.flush()
    simulator.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.vrouter", description=__doc__)
    parser.add_argument("--node", required=True, help="name of the node's virtual-router in Contrail")
    parser.add_argument("--contrail-api", default="http://127.0.0.1:8082", help="config API, real or simulated")
    parser.add_argument("--netns", help="path of the node's network namespace; default: the present one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9091)
    parser.add_argument("--ports-dir", type=Path, help="where port files are kept over a restart; default: nowhere")
    parser.add_argument("--fabric", help="interface towards the other nodes; default: forward on this node only")
    parser.add_argument("--no-forward", dest="forward", action="store_false", help="speak only; needs no root")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
