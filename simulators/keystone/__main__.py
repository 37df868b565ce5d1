"""`python -m simulators.keystone`: the simulated Keystone, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from schemas.logs import configure
from simulators.keystone.identity import Identity
from simulators.keystone.server import KeystoneSimulator


def main(arguments: Sequence[str]) -> int:
    """Run it; returns the exit code."""
    options = _parser().parse_args(arguments)
    configure("keystone-simulator", log_format="text")
    identity = Identity(options.user, options.password, options.project, lifetime=options.lifetime)
    simulator = KeystoneSimulator(identity, host=options.host, port=options.port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: simulator.request_stop())
    try:
        simulator.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror or error}\n")
        return 1
    sys.stdout.write(f"simulated Keystone at {simulator.url}\n")
    sys.stdout.flush()
    simulator.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators.keystone", description="Simulated Keystone v3.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="port (%(default)s); 0 picks a free one")
    parser.add_argument("--user", default="admin", help="the one user (%(default)s)")
    parser.add_argument("--password", default="secret", help="the user's password (%(default)s)")
    parser.add_argument("--project", default="admin", help="the project in which the user is admin (%(default)s)")
    parser.add_argument(
        "--lifetime", type=float, default=3600.0, metavar="SECONDS", help="for which a token is good (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
