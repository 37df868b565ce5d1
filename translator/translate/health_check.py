"""A service's health check, which the vrouter agents run against the interfaces of its members (pure).

The service asks for it by annotation and emits the object; its slices link the members to it. The agents reach
IPv4 addresses only, and take all routes of an interface away while its check fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

import msgspec

from schemas.contrail.objects import ContrailObject, Json, Link
from schemas.identity import object_uuid
from schemas.records import ServiceRecord, SettingsRecord
from translator.resource import Resource
from translator.translate import annotated, names
from translator.translate.names import Named
from translator.translate.service_address import marks

TYPE = "service-health-check"
FAMILY = "v4"
"""The one that agents check."""
UNCHECKED = "NoHealthCheck"
"""Reason of the notice of a service that asks for a check and has no address that could be checked."""
_MONITORS = ("PING", "HTTP", "BFD")
_NUMBERS = {"delay": (5, 3600), "timeout": (3, 3600), "max_retries": (3, 100)}
"""Default and greatest value; delay and timeout are seconds."""
_HTTP = ("port", "path")
# The agent makes a command line of it, so there is nothing that a shell reads.
_PATH = re.compile(r"/[A-Za-z0-9._~/%=?,:@+-]{0,255}")
_ITSELF = "local-ip"
"""Contrail's word for the address of the interface."""
_ACCEPTED = (
    '{"monitor_type": "PING", "HTTP" or "BFD"} and perhaps delay and timeout (1 to 3600 seconds) and max_retries (1 to '
    "100); with HTTP port (1 to 65535) and perhaps path (letters, digits and ._~/%=?,:@+- behind a '/')"
)


class Check(msgspec.Struct, frozen=True, gc=False):
    """What is asked for; port 0 and path '' where it is not HTTP."""

    monitor: str
    delay: int
    timeout: int
    max_retries: int
    port: int = 0
    path: str = ""

    def properties(self) -> dict[str, Json]:
        """As Contrail's `service_health_check_properties`."""
        shared: dict[str, Json] = {
            "enabled": True,
            "health_check_type": "link-local",
            "monitor_type": self.monitor,
            "delay": self.delay,
            "timeout": self.timeout,
            "max_retries": self.max_retries,
        }
        if not self.port:
            return {**shared, "url_path": _ITSELF}
        url = f"http://{_ITSELF}:{self.port}{self.path}"
        return {**shared, "url_path": url, "http_method": "GET", "expected_codes": "200"}


def asked(label: str, annotations: Mapping[str, str]) -> Check | None:
    """The check that a service asks for, None if none; raises TranslationError."""
    text = annotations.get(annotated.HEALTH_CHECK)
    if text is None:
        return None
    check = _read(text)
    if check is None:
        raise annotated.unaccepted(label, annotated.HEALTH_CHECK, text, _ACCEPTED)
    return check


def is_asked(service: Resource) -> bool:
    """Whether the service asks for a check, and can be understood."""
    text = cast(ServiceRecord, service.body).annotations.get(annotated.HEALTH_CHECK)
    return text is not None and _read(text) is not None


def check_object(settings: SettingsRecord, service: Resource, check: Check) -> ContrailObject:
    """The check."""
    named = _named(settings, service)
    return ContrailObject(
        named.type,
        named.fq_name,
        named.uuid,
        names.PROJECT,
        {"annotations": marks(settings, service), "service_health_check_properties": check.properties()},
        parent_uuid=names.project(settings, service.namespace).uuid,
    )


def checked(settings: SettingsRecord, service: Resource, member: Named) -> Link:
    """The link that has a member's interface checked."""
    named = _named(settings, service)
    return Link(member.type, member.fq_name, named.type, named.fq_name, named.uuid, owner_uuid=member.uuid)


def _named(settings: SettingsRecord, service: Resource) -> Named:
    fq_name = (*names.project(settings, service.namespace).fq_name, f"{service.name}__{service.uid}")
    return Named(TYPE, fq_name, object_uuid(settings.cluster, TYPE, service.uid))


@lru_cache(maxsize=1024)
def _read(text: str) -> Check | None:
    read = annotated.parsed(text)
    if not isinstance(read, dict) or read.get("monitor_type") not in _MONITORS:
        return None
    monitor = read["monitor_type"]
    if not set(read) <= {"monitor_type", *_NUMBERS, *(_HTTP if monitor == "HTTP" else ())}:
        return None
    delay, timeout, retries = (_number(read.get(key, default), most) for key, (default, most) in _NUMBERS.items())
    if not (delay and timeout and retries):
        return None
    if monitor != "HTTP":
        return Check(monitor, delay, timeout, retries)
    port, path = _number(read.get("port"), 65535), read.get("path", "/")
    if not port or not isinstance(path, str) or not _PATH.fullmatch(path):
        return None
    return Check(monitor, delay, timeout, retries, port, path)


def _number(value: object, most: int) -> int:
    """A whole number, or the text of one, from 1 to `most`; 0 for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most else 0
