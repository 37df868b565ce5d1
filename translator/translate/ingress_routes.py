"""Routes of an ingress: which requests go to which back-end, each told so that it stands for itself (pure).

A request belongs to the rule of its host: the very host before a wildcard, that before the rule of all hosts. In the
rule an exact path counts before a prefix, and the longest prefix before shorter ones. svc-monitor puts the routes
into HAProxy's configuration in any order, and HAProxy takes the first that fits: so each route's patterns leave out
what belongs to a nearer one, and no request fits two.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from schemas.errors import TranslationError
from schemas.records import IngressBackend, IngressRecord

EXACT, PREFIX = "Exact", "Prefix"
_WILDCARD = "*."
_HOST = re.compile(r"(\*\.)?(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_SPECIAL = re.compile(r"[.$()*+]")
_LAST = "\U0010ffff"
"""Behind every letter that a path can have."""
MOST = 500
"""Rules and paths of one ingress; each path is three objects, six with HTTPS, and a part of one configuration."""
_QUOTED = {"'": r"\x27", ":": r"\x3a"}
"""As HAProxy's configuration has them: a quote would begin a quotation, and colons part what the node is sent."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """Requests for `path` of `host` ('' for any other host, '*.…' for a wildcard), and the back-end that they go to.

    `kind` is Exact or Prefix, or '' for what no route is for; a prefix has no '/' at its end, so that of all paths is
    ''. `field` is where the ingress names the back-end.
    """

    host: str
    kind: str
    path: str
    backend: IngressBackend
    field: str

    @property
    def key(self) -> str:
        """What tells it from the other routes of its ingress, whatever these are."""
        return f"{self.host}|{self.kind}|{self.path}"

    @property
    def is_default(self) -> bool:
        """Whether it is for what no route is for."""
        return not self.kind


class Rules(msgspec.Struct, frozen=True, gc=False):
    """All routes, ordered by host, kind and path; the patterns of their paths by key, and those of hosts by host."""

    routes: tuple[Route, ...]
    paths: Mapping[str, str]
    hosts: Mapping[str, str]

    def conditions(self, route: Route, port: int) -> dict[str, str]:
        """Annotations of the route's pool, of which svc-monitor makes HAProxy's conditions, word by word."""
        if route.is_default:
            return {"type": "default"}
        host = self.hosts.get(route.host, f"{route.host} {route.host}:{port}")
        return {"type": "acl", "path": self.paths[route.key], **({"host": host} if host else {})}


def rules(record: IngressRecord) -> Rules:
    """Routes of an ingress and their patterns; of two routes for the same the first one counts."""
    found: dict[str, Route] = {}
    by_host: dict[str, list[Route]] = {}
    for route in _every(record):
        if route.key not in found:
            found[route.key] = route
            by_host.setdefault(route.host, []).append(route)
    paths = {key: pattern for routes in by_host.values() for key, pattern in _path_patterns(routes)}
    hosts = {rule.host.lower() for rule in record.rules} - {""}
    wide = {host: _host_pattern(host, hosts) for host in by_host if not host or host.startswith(_WILDCARD)}
    routes = sorted(found.values(), key=lambda route: (route.host, route.kind, route.path))
    return Rules(tuple(routes), paths, wide)


def _host_pattern(wide: str, hosts: Iterable[str]) -> str:
    """What the Host header is compared with for a wildcard, or '' for any host; '' if any will do."""
    nearer = sorted(_expression(each) for each in hosts if each != wide and _is_nearer(each, wide))
    but = f"(?!({'|'.join(nearer)})(:|$))" if nearer else ""
    if wide:
        return f"-m reg ^{but}{_expression(wide)}(:[0-9]+)?$"
    return f"-m reg ^{but}" if but else ""


def _path_patterns(routes: Iterable[Route]) -> Iterator[tuple[str, str]]:
    """Key and pattern of each route of one host: a prefix leaves out what belongs to the nearest routes below it."""
    every = sorted(routes, key=lambda route: (route.path + "/", route.kind == EXACT))
    beginnings = [route.path + "/" for route in every]
    for place, route in enumerate(every):
        if route.kind == EXACT:
            yield route.key, _quoted(route.path)
            continue
        below, number = [], place + 1
        end = bisect_left(beginnings, beginnings[place] + _LAST)
        while number < end:
            below.append(_beginning(every[number]))
            covers = every[number].kind == PREFIX
            number = bisect_left(beginnings, beginnings[number] + _LAST) if covers else number + 1
        but = f"(?!({'|'.join(below)}))" if below else ""
        yield route.key, f"-m reg ^{but}{_beginning(route)}" if but or route.path else "-m beg /"


def default(backend: IngressBackend) -> Route:
    """The route of what no other is for."""
    return Route("", "", "", backend, "spec.defaultBackend")


def require_readable(label: str, record: IngressRecord) -> None:
    """Raise TranslationError for a host or path that no request can have, or that HAProxy would read otherwise."""
    size = sum(max(1, len(rule.paths)) for rule in record.rules)
    if size > MOST:
        raise TranslationError(f"{label}: spec.rules has {size} paths; accepted are {MOST}, more in other ingresses")
    for number, rule in enumerate(record.rules):
        if rule.host and not _HOST.fullmatch(rule.host.lower()):
            field = f"spec.rules[{number}].host"
            raise _unaccepted(label, field, rule.host, "a name of letters, digits, '-' and '.', perhaps after '*.'")
        for place, path in enumerate(rule.paths):
            field = f"spec.rules[{number}].http.paths[{place}].path"
            if (path.path or path.path_type in (EXACT, PREFIX)) and not _PATH.fullmatch(path.path):
                raise _unaccepted(
                    label, field, path.path, "a path that begins with '/', as a URL has it, '%' for others"
                )


def _every(record: IngressRecord) -> Iterator[Route]:
    for number, rule in enumerate(record.rules):
        for place, each in enumerate(rule.paths):
            kind = EXACT if each.path_type == EXACT else PREFIX  # what is left to the implementation is a prefix
            path = each.path if kind == EXACT else each.path.rstrip("/")
            field = f"spec.rules[{number}].http.paths[{place}].backend"
            yield Route(rule.host.lower(), kind, path, each.backend, field)


def _is_nearer(host: str, than: str) -> bool:
    """Whether a host is one of those that the wider one, a wildcard or '' for any, means."""
    return not than or ("*" not in host and host.partition(".")[2] == than.removeprefix(_WILDCARD))


def _expression(host: str) -> str:
    """An expression for a host."""
    wildcard = host.startswith(_WILDCARD)
    return ("[^.:]+[.]" if wildcard else "") + host.removeprefix(_WILDCARD).replace(".", "[.]")


def _beginning(route: Route) -> str:
    """An expression for a route's paths, seen from their beginning."""
    if not route.path:
        return "/"
    path = _quoted(_SPECIAL.sub(lambda found: f"[{found[0]}]", route.path))
    return path + ("$" if route.kind == EXACT else "(/|$)")


def _quoted(text: str) -> str:
    return "".join(_QUOTED.get(letter, letter) for letter in text)


def _unaccepted(label: str, field: str, text: str, accepted: str) -> TranslationError:
    return TranslationError(f"{label}: {field} is {text[:300]!r}; accepted is {accepted}")
