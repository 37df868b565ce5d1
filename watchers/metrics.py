"""Metrics of the watchers; no label is per object."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_PREFIX = "contrail_kube_watchers"

PUBLISHED = Counter(f"{_PREFIX}_published_total", "Events made durable on the bus.", ["kind", "op"])
SUPPRESSED = Counter(f"{_PREFIX}_suppressed_total", "Changes whose normalized record is the same as before.", ["kind"])
LISTINGS = Counter(f"{_PREFIX}_listings_total", "Snapshots begun, by what made them necessary.", ["kind", "reason"])
UNDECODABLE = Counter(f"{_PREFIX}_undecodable_total", "Lines and objects that could not be decoded.", ["kind"])
LETTERS = Counter(f"{_PREFIX}_letters_total", "Undecodable things sent on as dead letters; the rest is counted only.")
API_ERRORS = Counter(f"{_PREFIX}_api_errors_total", "Requests that failed, and watches that broke.", ["kind"])
OBJECTS = Gauge(f"{_PREFIX}_objects", "Objects that exist, as far as is known.", ["kind"])
SILENCE = Gauge(f"{_PREFIX}_silence_seconds", "Since the last list page, event or bookmark.", ["kind"])
PENDING = Gauge(f"{_PREFIX}_pending", "Events that wait for the bus, or are on their way to it.")
ROOM = Gauge(f"{_PREFIX}_room", "Events that may wait for the bus before the watches are held up.")
LEADING = Gauge(f"{_PREFIX}_leading", "1 while this watcher may publish, 0 while another leads.")
PUBLISH_SECONDS = Histogram(
    f"{_PREFIX}_publish_seconds",
    "From an event being taken from the API to its being durable on the bus.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600),
)
