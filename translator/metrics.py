"""Metrics of the translator; no label grows with the number of pods."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("contrail_kube_translator_events", "Events folded, by what became of them.", ["action"])
CHANGES = Counter("contrail_kube_translator_changes", "Desired objects changed, by operation.", ["op"])
DEAD_LETTERS = Counter("contrail_kube_translator_dead_letters", "Records and resources that went to dead letters.")
BATCH_SECONDS = Histogram("contrail_kube_translator_batch_seconds", "Time of one transaction, retries included.")
BATCH_EVENTS = Histogram(
    "contrail_kube_translator_batch_events", "Records per transaction.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
RACES = Counter("contrail_kube_translator_races", "Transactions run again because another one came between.")
FENCED = Counter("contrail_kube_translator_fenced", "Batches dropped because another instance owns the partition.")
GAPS = Counter("contrail_kube_translator_gaps", "Times that records were lost to the bus's retention.")
LAG = Gauge("contrail_kube_translator_lag_records", "Records on the bus and not yet in the store.", ["partition"])
PARTITIONS = Gauge("contrail_kube_translator_partitions", "Partitions assigned to this instance.")
