"""Where TLS of an ingress ends: at its proxies, with the certificates of the secrets that it names (pure).

A secret's name is all that is said of it. The node that runs a proxy asks Kubernetes for the secret, and puts its
certificate into HAProxy's configuration; HAProxy chooses by what the certificates are for, not by the hosts that the
ingress lists beside them.
"""

from __future__ import annotations

import re

import msgspec

from schemas.contrail.objects import Json
from schemas.errors import TranslationError
from schemas.records import IngressRecord
from translator.notice import Notice

NOT_SERVED = "TlsNotServed"
_SECRET = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class Ending(msgspec.Struct, frozen=True, gc=False):
    """Names of certificates, `<namespace>__<secret>`: the one for clients that name no host, and the others."""

    default: str | None
    others: tuple[str, ...]
    notices: tuple[Notice, ...]

    @property
    def is_there(self) -> bool:
        """Whether HTTPS can be served."""
        return self.default is not None or bool(self.others)

    def of(self, *, is_default: bool) -> dict[str, Json]:
        """What a listener says of TLS; `is_default`: that of what no route is for.

        Of the listeners of a port svc-monitor takes the default certificate of any, and the others' of all of them.
        """
        return {"default_tls_container": self.default, "sni_containers": list(self.others) if is_default else []}


def ending(namespace: str, record: IngressRecord) -> Ending:
    """Where TLS of the ingress ends; of an entry that names no secret, a notice."""
    general = [each.secret_name for each in record.tls if each.secret_name and not each.hosts]
    named = {each.secret_name for each in record.tls if each.secret_name} - set(general[:1])
    # Backwards: the node's script replaces names as they come, also where one is the beginning of another.
    others = tuple(f"{namespace}__{name}" for name in sorted(named, reverse=True))
    notices = (
        _unserved(f"spec.tls[{number}]", each.hosts) for number, each in enumerate(record.tls) if not each.secret_name
    )
    return Ending(f"{namespace}__{general[0]}" if general else None, others, tuple(notices))


def require_readable(label: str, record: IngressRecord) -> None:
    """Raise TranslationError for a secret's name that no secret can have."""
    for number, each in enumerate(record.tls):
        if each.secret_name and not _SECRET.fullmatch(each.secret_name):
            raise TranslationError(
                f"{label}: spec.tls[{number}].secretName is {each.secret_name[:300]!r}; accepted is the name of a "
                "Secret: letters, digits, '-' and '.'"
            )


def _unserved(field: str, hosts: tuple[str, ...]) -> Notice:
    what = f" for {', '.join(hosts)}" if hosts else ""
    return Notice(NOT_SERVED, f"{field} names no secret: HTTPS{what} is not served, as TLS ends at the proxies only")
