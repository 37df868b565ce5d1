"""`python -m cni` runs the node agent; `python -m cni install` puts the plugin on the node."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from cni.address_store import PostgresAddresses
from cni.agent import build, stop_on_signals
from cni.install import PYTHON, conflist, install
from cni.plugin import AGENT_SOCKET, VERSIONS
from cni.settings import AgentSettings
from schemas.errors import ContrailKubeError, SettingsError
from schemas.health import Health, HealthServer
from schemas.logs import configure
from schemas.settings import ClusterSettings, DatabaseSettings, ProcessSettings, check_unknown, describe, from_env

logger = logging.getLogger("cni")


def main(arguments: list[str]) -> int:
    """Run one of the two; returns the exit code: 0 done, 1 failed, 2 wrong settings."""
    options = _parser().parse_args(arguments)
    try:
        return _install(options) if options.command == "install" else _serve()
    except SettingsError as error:
        sys.stderr.write(f"cni: {error}\n")
        return 2
    except ContrailKubeError as error:
        sys.stderr.write(f"cni: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cni", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("agent", help="run the node agent (the default); settings come from CONTRAIL_KUBE_…")
    put = commands.add_parser("install", help="put the plugin and its configuration on this node")
    put.add_argument("--bin-dir", type=Path, default=Path("/opt/cni/bin"))
    put.add_argument("--conf-dir", type=Path, default=Path("/etc/cni/net.d"))
    put.add_argument("--python", type=Path, default=PYTHON, help="interpreter of the host, 3.8 or newer")
    put.add_argument("--agent-socket", type=Path, default=Path(AGENT_SOCKET))
    put.add_argument("--mtu", type=int, default=1500)
    put.add_argument(
        "--cni-version", choices=VERSIONS, default="1.0.0", help="containerd before 2.0 knows nothing above 1.0.0"
    )
    return parser


def _install(options: argparse.Namespace) -> int:
    configuration = conflist(socket=options.agent_socket, mtu=options.mtu, version=options.cni_version)
    try:
        paths = install(
            bin_dir=options.bin_dir, conf_dir=options.conf_dir, python=options.python, configuration=configuration
        )
    except OSError as error:
        sys.stderr.write(f"cannot install {error.filename}: {error.strerror}\n")
        return 1
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


def _serve() -> int:
    check_unknown(os.environ, (AgentSettings,))
    process = from_env(ProcessSettings, os.environ)
    settings, cluster = from_env(AgentSettings, os.environ), from_env(ClusterSettings, os.environ)
    database = from_env(DatabaseSettings, os.environ)
    health = Health()
    with ExitStack() as stack:
        store = PostgresAddresses(database, cluster=cluster.name, node=settings.node_name)
        stack.callback(store.close)
        configure("cni", level=process.log_level, log_format=process.log_format)
        logger.info("starting %s", describe(settings, cluster, database, process))
        if process.health_port:
            stack.enter_context(HealthServer(health, host=process.health_host, port=process.health_port))
        network = f"{cluster.name}-default-pod-network"
        agent = build(settings, store=store, health=health, pod_network=network)
        stop_on_signals(agent.stop)
        agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
