"""`python -m simulators.contrail`: the simulated config API, until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields

from schemas.errors import SettingsError
from schemas.logs import configure
from schemas.settings import ProcessSettings, check_unknown, from_env
from simulators.contrail.server import ContrailSimulator
from simulators.contrail.settings import SimulatorSettings


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it; returns the exit code."""
    asked = vars(_parser().parse_args(arguments))
    try:
        check_unknown(environ, (SimulatorSettings,))
        process = from_env(ProcessSettings, environ, defaults={"log_format": "text"})
        read = from_env(SimulatorSettings, environ)
        given = {spec.name: asked[spec.name] for spec in fields(read) if asked.get(spec.name) is not None}
        if "nodes" in given:
            given["nodes"] = tuple(given["nodes"])
        settings = SimulatorSettings(**{spec.name: getattr(read, spec.name) for spec in fields(read)} | given)
        tls = settings.tls()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure("contrail-simulator", level=process.log_level, log_format=process.log_format)
    return _serve(settings, tls)


def _serve(settings: SimulatorSettings, tls: ssl.SSLContext | None) -> int:
    simulator = ContrailSimulator(
        host=settings.host,
        port=settings.port,
        latency=settings.latency,
        work=settings.work,
        nodes=settings.routers(),
        verbose=settings.verbose,
        guard=settings.guard(),
        tls=tls,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: simulator.request_stop())
    try:
        simulator.start()
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        culprit = "; is another one running there?" if error.errno == errno.EADDRINUSE else ""
        sys.stderr.write(f"cannot listen on {where}: {error.strerror or error}{culprit}\n")
        return 1
    sys.stdout.write(f"simulated Contrail config API at {simulator.url}\n")
    sys.stdout.flush()
    simulator.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.contrail",
        description="Simulated Contrail config API. Every option can also be set in the environment: "
        "CONTRAIL_KUBE_SIMULATOR_HOST, _PORT, _LATENCY and _WORK (seconds), _NODES, _VERBOSE, _AUTH, …; a password "
        "only there.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8082); 0 picks a free one")
    parser.add_argument("--latency", type=_seconds, metavar="MS", help="milliseconds before each answer (0)")
    work = "milliseconds of work on each request, one after another (0)"
    parser.add_argument("--work", type=_seconds, metavar="MS", help=work)
    parser.add_argument(
        "--node",
        dest="nodes",
        action="append",
        metavar="NAME=ADDRESS",
        help="a node whose virtual-router exists from the start; can be given several times",
    )
    parser.add_argument("--auth", help="who may call: none, basic or keystone (none)")
    parser.add_argument("--user", help="who may call with basic authentication (admin)")
    parser.add_argument("--keystone-url", metavar="URL", help="Keystone that knows the tokens, with its version (…/v3)")
    parser.add_argument("--certificate", dest="certificate_file", metavar="FILE", help="PEM certificate, for https")
    parser.add_argument("--key", dest="key_file", metavar="FILE", help="PEM key of the certificate")
    parser.add_argument(
        "--client-ca", dest="client_ca_file", metavar="FILE", help="PEM certificates that sign those of clients"
    )
    parser.add_argument("--verbose", action="store_true", default=None, help="log every request")
    return parser


def _seconds(milliseconds: str) -> float:
    return float(milliseconds) / 1000


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
