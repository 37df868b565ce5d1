"""Routes of ingresses: whatever the order of the back-ends, a request goes where Kubernetes says."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import TranslationError
from schemas.records import IngressBackend, IngressPath, IngressRecord, IngressRule
from tests.translator.proxies import Frontend, Pool
from translator.translate.ingress_routes import MOST, default, require_readable, rules

HOSTS = ("", "a.example", "b.example", "*.example", "*.b.example", "x.b.example", "A.Example")
PATHS = ("/", "/a", "/a/", "/a/b", "/ab", "/a.b", "/a'b", "/a:b", "/a+b/(c)", "/a/b/c", "/a/b/c/")
ASKED_HOSTS = ("a.example", "b.example", "c.example", "x.b.example", "y.b.example", "b.example.org", "example")
ASKED_PATHS = (*PATHS, "/aab", "/a/bc", "/axb", "/a/b/", "/a/b/c/d", "/abc", "/ab/c", "/a+b/(c)/d", "/aa+b/(c)", "//a")
KINDS = ("Exact", "Prefix", "ImplementationSpecific")
HAPROXY = shutil.which("haproxy")

paths = st.builds(
    lambda path, kind, to: IngressPath(path=path, path_type=kind, backend=IngressBackend(service=to, port=80)),
    st.sampled_from(PATHS),
    st.sampled_from(KINDS),
    st.sampled_from("stuv"),
)
rule_lists = st.lists(
    st.builds(
        lambda host, paths: IngressRule(host=host, paths=tuple(paths)),
        st.sampled_from(HOSTS),
        st.lists(paths, max_size=4),
    ),
    max_size=4,
)


def frontend(record: IngressRecord, order: random.Random, port: int = 80) -> Frontend:
    """HAProxy's frontend of an ingress's routes, whose pools have their service as member, in some order."""
    found = rules(record)
    routes = [*found.routes, *([default(record.default_backend)] if record.default_backend else [])]
    pools = [Pool(f"p{n}", found.conditions(x, port), (x.backend.service,)) for n, x in enumerate(routes)]
    order.shuffle(pools)
    return Frontend(port, "HTTP", (), tuple(pools))


def wanted(record: IngressRecord, host: str, path: str) -> str | None:
    """The service that a request belongs to, by the words of Kubernetes; None where nothing says so."""
    fallback = None if record.default_backend is None else record.default_backend.service
    hosts = [rule.host.lower() for rule in record.rules]
    wildcard = "*." + host.partition(".")[2]
    nearest = next((each for each in (host, wildcard, "") if each in hosts), None)
    if nearest is None:
        return fallback
    best: tuple[int, int] = (-1, -1)
    found = fallback
    for rule in record.rules:
        for each in rule.paths if rule.host.lower() == nearest else ():
            rank = _rank(each, path)
            if rank is not None and rank > best:  # of two that are alike the first one
                best, found = rank, each.backend.service
    return found


def _rank(rule: IngressPath, path: str) -> tuple[int, int] | None:
    """Exact before prefix, then by elements; None if it does not fit."""
    if rule.path_type == "Exact":
        return (1, 0) if rule.path == path else None
    elements = rule.path.rstrip("/").split("/")[1:]
    asked = path.split("/")[1:]
    return (0, len(elements)) if asked[: len(elements)] == elements else None


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(rule_lists, st.booleans(), st.randoms(use_true_random=False))
def test_a_request_goes_where_kubernetes_says_whatever_the_order(
    found: list[IngressRule], has_default: bool, order: random.Random
) -> None:
    fallback = IngressBackend(service="fallback", port=80) if has_default else None
    record = IngressRecord(rules=tuple(found), default_backend=fallback)
    served = frontend(record, order)
    for host in ASKED_HOSTS:
        for path in ASKED_PATHS:
            to = wanted(record, host, path)
            assert served.backend(host, path) == (None if to is None else (to,)), (host, path)


def one(*paths: tuple[str, str], host: str = "") -> IngressRecord:
    """A rule with these paths and their kinds; each leads to a service of its own, in order."""
    every = tuple(
        IngressPath(path=text, path_type=kind, backend=IngressBackend(service=f"s{number}", port=80))
        for number, (text, kind) in enumerate(paths)
    )
    return IngressRecord(rules=(IngressRule(host=host, paths=every),))


def conditions(record: IngressRecord) -> list[dict[str, str]]:
    found = rules(record)
    return [found.conditions(each, 80) for each in found.routes]


def test_plain_routes_say_what_the_original_said() -> None:
    assert conditions(one(("/cart", "Exact"), host="shop.example")) == [
        {"type": "acl", "host": "shop.example shop.example:80", "path": "/cart"}
    ]
    assert conditions(one(("/", "Prefix"))) == [{"type": "acl", "path": "-m beg /"}]


def test_a_prefix_leaves_out_only_the_nearest_below_it() -> None:
    record = one(("/a", "Prefix"), ("/a/b", "Prefix"), ("/a/b/c", "Prefix"), ("/a", "Exact"))
    assert [each["path"] for each in conditions(record)] == [
        "/a",
        "-m reg ^(?!(/a$|/a/b(/|$)))/a(/|$)",
        "-m reg ^(?!(/a/b/c(/|$)))/a/b(/|$)",
        "-m reg ^/a/b/c(/|$)",
    ]


def test_no_condition_can_say_more_than_its_route() -> None:
    """Neither a space, nor a quote, nor what parts the fields of a node's file comes through."""
    for said in conditions(one(("/it's::::here", "Exact"), ("/it's::::here", "Prefix"))):
        assert "'" not in said["path"] and "::" not in said["path"]
        assert said["path"].count(" ") == (2 if said["path"].startswith("-m") else 0)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (one(("a", "Prefix")), "spec.rules[0].http.paths[0].path is 'a'"),
        (one(("/a b", "Exact")), "spec.rules[0].http.paths[0].path is '/a b'"),
        (one(("/a\n\tbind :1", "Prefix")), r"spec.rules[0].http.paths[0].path is '/a\n\tbind :1'"),
        (one(("", "Exact")), "spec.rules[0].http.paths[0].path is ''"),
        (one(("/x", "Exact"), ("/(.*)|y", "ImplementationSpecific")), "spec.rules[0].http.paths[1].path is '/(.*)|y'"),
        (one(("/", "Prefix"), host="a b"), "spec.rules[0].host is 'a b'"),
        (one(("/", "Prefix"), host="*.*.example"), "spec.rules[0].host is '*.*.example'"),
    ],
)
def test_what_no_request_can_have_is_named(record: IngressRecord, text: str) -> None:
    with pytest.raises(TranslationError) as caught:
        require_readable("Ingress shop/front", record)
    assert str(caught.value).startswith(f"Ingress shop/front: {text}; accepted is a ")


def test_no_path_is_all_paths_where_the_implementation_may_say_so() -> None:
    record = one(("", "ImplementationSpecific"))
    require_readable("Ingress shop/front", record)
    assert conditions(record) == [{"type": "acl", "path": "-m beg /"}]


def test_too_many_paths_are_refused() -> None:
    require_readable("Ingress shop/front", one(*((f"/{n}", "Prefix") for n in range(MOST))))
    with pytest.raises(TranslationError) as caught:
        require_readable("Ingress shop/front", one(*((f"/{n}", "Prefix") for n in range(MOST + 1))))
    said = f"Ingress shop/front: spec.rules has {MOST + 1} paths; accepted are {MOST}, more in other ingresses"
    assert str(caught.value) == said


class Named(BaseHTTPRequestHandler):
    """Says the name of its server."""

    def do_GET(self) -> None:
        """Answer."""
        said = self.server.server_name.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@contextmanager
def servers(names: str) -> Iterator[dict[str, str]]:
    """A server for each name: where it listens."""
    running = [ThreadingHTTPServer(("127.0.0.1", 0), Named) for _ in names]
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in running]
    for name, server, thread in zip(names, running, threads, strict=True):
        server.server_name = name
        thread.start()
    try:
        yield {name: f"127.0.0.1:{server.server_port}" for name, server in zip(names, running, strict=True)}
    finally:
        for server, thread in zip(running, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def haproxy(configuration: str, port: int, folder: Path) -> Iterator[HTTPConnection]:
    """A HAProxy process with this configuration, and a connection to it."""
    assert HAPROXY is not None
    said = folder / "haproxy.conf"
    said.write_text(configuration)
    process = subprocess.Popen([HAPROXY, "-db", "-f", str(said)], stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.02)
        yield HTTPConnection("127.0.0.1", port, timeout=5)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(HAPROXY is None, reason="HAProxy is not installed")
@pytest.mark.slow
def test_haproxy_itself_reads_the_conditions_as_the_model_does(tmp_path: Path) -> None:
    order = random.Random(7)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with servers("stuv") as where:
        for _ in range(25):
            record = IngressRecord(
                rules=tuple(_rule(order) for _ in range(4)), default_backend=IngressBackend(service="s")
            )
            served = frontend(record, order, port)
            head = "defaults\n\ttimeout connect 5000\n\ttimeout client 5000\n\ttimeout server 5000\n\n"
            said = head + served.configuration(f"127.0.0.1:{port}", where)
            with haproxy(said, port, tmp_path) as connection:
                for host in ASKED_HOSTS:
                    for path in ASKED_PATHS:
                        for asked in (host, f"{host.upper()}:{port}"):
                            connection.request("GET", path, headers={"Host": asked})
                            answer = connection.getresponse()
                            assert (answer.read().decode(),) == served.backend(host, path), (asked, path, said)
                connection.close()


def _rule(order: random.Random) -> IngressRule:
    found = [
        IngressPath(
            path=order.choice(PATHS),
            path_type=order.choice(KINDS),
            backend=IngressBackend(service=order.choice("stuv"), port=80),
        )
        for _ in range(order.randrange(5))
    ]
    return IngressRule(host=order.choice(HOSTS), paths=tuple(found))
