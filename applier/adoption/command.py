"""`python -m applier adopt [--dry-run]`: take over what contrail-kube-manager made for this cluster (shell)."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from applier.adoption.adopting import Adopted, Adoption, Outlook
from applier.adoption.judging import Verdict
from applier.adoption.recording import alone
from applier.adoption.reporting import as_json, write_report, write_result
from applier.client import ContrailClient
from applier.command import Command, Invocation
from applier.progress import Progress


def run(options: Namespace, called: Invocation) -> int:
    """0: nothing needs a person; 1: something does, or it was refused; 2: nobody said yes."""
    cluster = called.settings.cluster
    client = ContrailClient(called.settings.contrail, pool_size=1)
    try:
        with alone(called.engine, cluster.name):
            adoption = Adoption(client, called.engine, cluster=cluster, quiet=options.quiet)
            with Progress(called.err) as progress:
                outlook = adoption.look(progress)
            if options.dry_run:
                return _finish(options, called, outlook, None)
            if against := _against(options, outlook):
                called.err.write(f"{against}. Nothing was changed.\n")
                return 1
            if not options.yes and not _confirmed(called, outlook):
                return 2
            with Progress(called.err) as progress:
                adopted = adoption.adopt(outlook, progress)
            return _finish(options, called, outlook, adopted)
    finally:
        client.close()


def _against(options: Namespace, outlook: Outlook) -> str:
    """Why it is not done now, whoever says yes."""
    return outlook.busy or ("" if options.remove_many else outlook.many)


def _confirmed(called: Invocation, outlook: Outlook) -> bool:
    if not sys.stdin.isatty():
        called.err.write("say --yes to do it, or --dry-run to look at what would be done; nothing was changed\n")
        return False
    write_report(outlook, called.err)
    called.err.write("Do this? Type yes: ")
    called.err.flush()
    return sys.stdin.readline().strip() == "yes"


def _finish(options: Namespace, called: Invocation, outlook: Outlook, adopted: Adopted | None) -> int:
    against = _against(options, outlook) if adopted is None else ""
    if options.output == "json":
        called.out.write(as_json(outlook, adopted, cluster=called.settings.cluster.name) + "\n")
    else:
        write_report(outlook, called.out, everything=options.all)
        if against:
            called.out.write(f"NOT YET: {against}\n")
        if adopted is not None:
            write_result(adopted, called.out)
    undecided = outlook.judgement.of(Verdict.AMBIGUOUS) or outlook.judgement.held
    return 1 if undecided or against or (adopted is not None and adopted.failures) else 0


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="default: %(default)s")
    parser.add_argument("--all", action="store_true", help="list every object, however many are kept")
    parser.add_argument("--remove-many", action="store_true", help="although a great part of all pods would be removed")
    parser.add_argument(
        "--quiet",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="refuse if an object was made later than so long ago; 0 does not look (default: %(default)g)",
    )


ADOPT = Command("adopt", "take over what contrail-kube-manager made for this cluster", run, _options)
