"""Metrics of the audit."""

from __future__ import annotations

import time

from prometheus_client import Counter, Gauge

from applier.audit.report import Report

AUDITS = Counter("contrail_kube_applier_audits_total", "Audits that ended, by outcome.", ["outcome"])
FINDINGS = Gauge("contrail_kube_applier_audit_findings", "Findings of the last complete audit.", ["problem"])
REPAIRED = Counter("contrail_kube_applier_audit_repaired_total", "Objects handed to the applier again.")
PRUNED = Counter("contrail_kube_applier_audit_pruned_total", "Orphans deleted.")
OVER_BUDGET = Gauge("contrail_kube_applier_audit_over_budget", "Orphans that broke the deletion budget, 0 if none did.")
SECONDS = Gauge("contrail_kube_applier_audit_seconds", "Duration of the last complete audit.")
SINCE = Gauge(
    "contrail_kube_applier_audit_age_seconds",
    "Seconds since the last complete audit of this process; -1 before the first.",
)
SENTINEL_MISSING = Counter(
    "contrail_kube_applier_sentinel_missing_total", "Objects that a look at a few did not find in Contrail."
)


def note(report: Report) -> None:
    """Show a complete audit."""
    AUDITS.labels("complete").inc()
    counts = report.counts
    for problem, number in (
        ("changed", counts.changed),
        ("missing", counts.missing),
        ("orphan", counts.orphans),
        ("foreign", counts.strangers),
    ):
        FINDINGS.labels(problem).set(number)
    REPAIRED.inc(report.repaired)
    PRUNED.inc(report.pruned)
    OVER_BUDGET.set(report.over)
    SECONDS.set(report.seconds)
    ended = time.monotonic()
    SINCE.set_function(lambda: time.monotonic() - ended)


SINCE.set(-1)
