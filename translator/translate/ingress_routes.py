"""Routes of an ingress: which requests go to which back-end, each told so that it stands for itself (pure).

A request belongs to the rule of its host: the very host before a wildcard, that before the rule of all hosts. In the
rule an exact path counts before a prefix, and the longest prefix before shorter ones. svc-monitor puts the routes
into HAProxy's configuration in any order, and HAProxy takes the first that fits: so each route's patterns leave out
what belongs to a nearer one, and no request fits two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from schemas.errors import TranslationError
from schemas.records import IngressBackend, IngressRecord

EXACT, PREFIX = "Exact", "Prefix"
_WILDCARD = "*."
_HOST = re.compile(r"(\*\.)?(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_SPECIAL = re.compile(r"[.$()*+]")
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
    """All routes, ordered by host, kind and path, and all hosts that have a rule, with or without paths."""

    routes: tuple[Route, ...]
    hosts: tuple[str, ...]

    def conditions(self, route: Route, port: int) -> dict[str, str]:
        """Annotations of the route's pool, of which svc-monitor makes HAProxy's conditions, word by word."""
        if route.is_default:
            return {"type": "default"}
        host, path = self._host(route, port), self._path(route)
        return {"type": "acl", "path": path, **({"host": host} if host else {})}

    def _host(self, route: Route, port: int) -> str:
        """What the Host header is compared with, ignoring case; '' if any host will do."""
        if route.host and not route.host.startswith(_WILDCARD):
            return f"{route.host} {route.host}:{port}"
        nearer = [_expression(each) for each in self.hosts if each != route.host and _is_nearer(each, route.host)]
        but = f"(?!({'|'.join(nearer)})(:|$))" if nearer else ""
        if route.host:
            return f"-m reg ^{but}{_expression(route.host)}(:[0-9]+)?$"
        return f"-m reg ^{but}" if but else ""

    def _path(self, route: Route) -> str:
        """What the path is compared with: a prefix leaves out what belongs to a nearer route of its host."""
        if route.kind == EXACT:
            return _quoted(route.path)
        beneath = [x for x in self.routes if x.host == route.host and x != route and _is_beneath(x, route)]
        first = [each for each in beneath if not any(_is_beneath(each, other) for other in beneath if other != each)]
        but = f"(?!({'|'.join(map(_beginning, first))}))" if first else ""
        if not but and not route.path:
            return "-m beg /"
        return f"-m reg ^{but}{_beginning(route)}"


def rules(record: IngressRecord) -> Rules:
    """Routes and hosts of an ingress; of two routes for the same the first one counts."""
    found: dict[str, Route] = {}
    for route in _every(record):
        found.setdefault(route.key, route)
    routes = sorted(found.values(), key=lambda route: (route.host, route.kind, route.path))
    return Rules(tuple(routes), tuple(sorted({rule.host.lower() for rule in record.rules} - {""})))


def default(backend: IngressBackend) -> Route:
    """The route of what no other is for."""
    return Route("", "", "", backend, "spec.defaultBackend")


def require_readable(label: str, record: IngressRecord) -> None:
    """Raise TranslationError for a host or path that no request can have, or that HAProxy would read otherwise."""
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


def _is_beneath(route: Route, prefix: Route) -> bool:
    """Whether all of a route's paths are among those of a prefix."""
    return prefix.kind == PREFIX and f"{route.path}/".startswith(f"{prefix.path}/")


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
