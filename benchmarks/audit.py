"""How long an audit takes, how many calls and how much memory: of a Contrail as it shall be, and of a wiped one.

    python -m benchmarks.audit [--applied OBJECTS] [--latency MILLISECONDS]

The command `python -m applier audit` runs as a process over a store in which everything is applied and a simulated API
that holds the objects, first with all of the API's time, then with the share that is the default, then after the API
has lost everything. All share this machine's cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

from benchmarks.bare_loop import bare_loop
from benchmarks.contrail_site import NAMESPACES, Site, site
from benchmarks.cpu import cpu_seconds, peak_megabytes
from benchmarks.warm_start import fill
from console.postgres import EmbeddedPostgres
from tests.applier.objects import pod

_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Audited:
    """One audit: its own report, and what the process used."""

    report: dict[str, Any]
    seconds: float
    cpu: float
    megabytes: float

    def __str__(self) -> str:
        counts = self.report["counts"]
        return (
            f"{self.report['listed']} objects listed in {self.report['seconds']:.1f} s, {self.report['calls']} calls, "
            f"{counts['changed']} changed, {counts['missing']} missing, {self.report['repaired']} handed over; "
            f"process: {self.seconds:.1f} s, CPU {self.cpu:.1f} s, at most {self.megabytes:.0f} MB"
        )


def main(arguments: Sequence[str]) -> int:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description="Measure the audit.")
    parser.add_argument("--applied", type=int, default=10_000, help="objects (default: %(default)s)")
    parser.add_argument("--latency", type=int, default=0, help="ms that the API takes to answer (default: %(default)s)")
    options = parser.parse_args(arguments)
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    with (
        EmbeddedPostgres(durable=True) as server,
        site(server, "audit", concurrency=8, latency=options.latency) as here,
    ):
        _prepare(here, options.applied)
        print(f"all of the API's time: {_audit(here, share=1.0)}")
        print(f"a quarter of it:       {_audit(here, share=0.25)}")
        requests.post(f"{here.api}/_simulator/reset", timeout=60).raise_for_status()
        print(f"after a wipe:          {_audit(here, '--repair', share=1.0)}")
        steps = here.scalar("SELECT count(DISTINCT next_attempt_at) FROM apply_state WHERE status = 'pending'")
        span = here.scalar("SELECT extract(epoch FROM max(next_attempt_at) - min(next_attempt_at)) FROM apply_state")
        print(f"the refill is spread over {float(span):.0f} s in {steps} steps")
    return 0


def _prepare(here: Site, objects: int) -> None:
    pods = [pod(f"ns-{n % NAMESPACES}", f"pod-{n}") for n in range(objects // 4)]
    with here.apply():
        here.bootstrap()
    bare_loop(here, pods, reads=0)
    fill(here.store.engine, pods)


def _audit(here: Site, *arguments: str, share: float) -> Audited:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("CONTRAIL_KUBE_")},
        "CONTRAIL_KUBE_DATABASE_URL": here.database,
        "CONTRAIL_KUBE_CONTRAIL_URLS": here.api,
        "CONTRAIL_KUBE_APPLIER_AUDIT_API_SHARE": str(share),
        "CONTRAIL_KUBE_PROCESS_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "applier", "audit", "--output", "json", "--limit", "0", *arguments]
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        cpu = megabytes = 0.0
        while process.poll() is None:
            cpu, megabytes = max(cpu, cpu_seconds(process.pid)), max(megabytes, peak_megabytes(process.pid))
            time.sleep(_POLL)
        assert process.stdout is not None
        told = process.stdout.read()  # short: no findings are asked for
    return Audited(json.loads(told), time.monotonic() - began, cpu, megabytes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
