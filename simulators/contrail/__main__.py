"""`python -m simulators.contrail`: the simulated config API, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys

from schemas.logs import configure
from simulators.contrail.server import ContrailSimulator


def main(arguments: list[str]) -> int:
    """Run it; returns the exit code."""
    options = _parser().parse_args(arguments)
    configure("contrail-simulator", log_format="text")
    simulator = ContrailSimulator(
        host=options.host,
        port=options.port,
        latency=options.latency / 1000,
        nodes=dict(options.node),
        verbose=options.verbose,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: simulator.request_stop())
    try:
        simulator.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error}; is another one running there?\n")
        return 1
    sys.stdout.write(f"Contrail config API simulator at {simulator.url}\n")
    sys.stdout.flush()
    simulator.wait()
    return 0


def _node(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not name or not equals or not address:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ADDRESS")
    return name, address


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.contrail", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8082, help="port to listen on; 0 picks a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="milliseconds before each answer")
    parser.add_argument(
        "--node",
        type=_node,
        action="append",
        default=[],
        metavar="NAME=ADDRESS",
        help="a node whose virtual-router exists from the start; can be given several times",
    )
    parser.add_argument("--verbose", action="store_true", help="log every request")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
