"""Events (events.k8s.io/v1) as bodies (pure).

An Event's words cannot be changed once it is written, only its series; so other words are another Event, and its name
is the object's with a tail that is decided, and kept, before it is sent.
"""

from __future__ import annotations

from datetime import UTC, datetime

from watchers.feedback.problems import note_of
from watchers.feedback.subject import Json, Subject
from watchers.feedback.telling import Told

CONTROLLER = "opencontrail.org/contrail-kube-feedback"
OF_THE_CLUSTER = "default"
"""Namespace of the Events of objects that have none: Kubernetes asks for this one."""
OVER = "Recovered"
_LONGEST_NAME = 253


def collection(subject: Subject) -> str:
    """Path of the Events of the object's namespace."""
    return f"/apis/events.k8s.io/v1/namespaces/{subject.namespace or OF_THE_CLUSTER}/events"


def name_of(subject: Subject, told: Told) -> str:
    """Name of the Event."""
    tail = f".{told.event}{'-over' if told.over else ''}"
    return f"{subject.name[: _LONGEST_NAME - len(tail)]}{tail}"


def body_of(subject: Subject, told: Told, *, action: str, instance: str, now: float) -> Json:
    """An Event that is to be created; of one that repeats, with its series."""
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name_of(subject, told), "namespace": subject.namespace or OF_THE_CLUSTER},
        "eventTime": moment(now),
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Recover" if told.over else action,
        "reason": OVER if told.over else told.reason,
        "type": "Normal" if told.normal or told.over else "Warning",
        "note": note_of(f"{told.reason} is over: {told.message}" if told.over else told.message),
        "regarding": subject.reference(),
    }
    return {**event, **series_of(told.count, now)} if told.count > 1 else event


def series_of(count: int, now: float) -> Json:
    """The series of an Event that was said so many times."""
    return {"series": {"count": count, "lastObservedTime": moment(now)}}


def moment(seconds: float) -> str:
    """A time as Kubernetes' MicroTime."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
