"""Metrics of the feedback; no label is per object."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "contrail_kube_feedback"

WRITES = Counter(f"{_PREFIX}_writes_total", "Writes into the Kubernetes API, by what came of them.", ["part", "result"])
PROBLEMS = Gauge(f"{_PREFIX}_problems", "Problems and notices that are told by Events.")
UNTOLD = Gauge(f"{_PREFIX}_untold", "Events that are due and wait for their turn.")
HELD = Gauge(f"{_PREFIX}_held", "Services and ingresses whose status another controller writes.")
LEADING = Gauge(f"{_PREFIX}_leading", "1 while this process writes, 0 while another does.")
ROUND_SECONDS = Histogram(f"{_PREFIX}_round_seconds", "Time of one look at everything, writes included.")
