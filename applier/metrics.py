"""Metrics of the applier; no label grows with the number of pods."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter(
    "contrail_kube_applier_calls_total",
    "Calls to the Contrail API by HTTP status; 'none' where no answer came.",
    ["operation", "status", "endpoint"],
)
CALL_SECONDS = Histogram(
    "contrail_kube_applier_call_seconds",
    "Time of a call to the Contrail API.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)
FAILOVERS = Counter("contrail_kube_applier_failovers_total", "Changes from one API endpoint to another.")
TOKENS = Counter("contrail_kube_applier_tokens_total", "Requests for a Keystone token.", ["result"])
RESULTS = Counter("contrail_kube_applier_results_total", "Results of attempts at objects.", ["result"])
STALE = Counter(
    "contrail_kube_applier_stale_results_total", "Results that were not stored: the object had changed meanwhile."
)
ADDRESSES = Counter("contrail_kube_applier_addresses_total", "Addresses read back and recorded.")
HELD = Gauge("contrail_kube_applier_objects_held", "Objects loaded and not yet recorded.")
RUNNING = Gauge("contrail_kube_applier_calls_running", "Objects that are being applied right now.")
LIMIT = Gauge("contrail_kube_applier_concurrency_limit", "Calls allowed at one time after slowing down.")
SHARDS = Gauge("contrail_kube_applier_shards", "Shards held by this process.")
COMMIT_SECONDS = Histogram(
    "contrail_kube_applier_commit_seconds",
    "Time to record one batch of results.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
