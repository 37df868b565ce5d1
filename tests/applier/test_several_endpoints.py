"""An applier with Keystone, TLS and two API servers that come and go: the work goes on, and nothing is doubled."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from applier.gate import PART
from applier.service import AppliedInBackground
from schemas.health import Health
from schemas.settings import ContrailSettings
from simulators.contrail.access import with_token
from simulators.contrail.server import ContrailSimulator
from simulators.keystone.server import KeystoneSimulator
from tests.applier.desired import DesiredStore
from tests.applier.doors import Door
from tests.applier.running import settings_for, until, until_applied
from tests.applier.shop import shop
from tests.rigs.certificates import Authority

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.process,
    # Python's ssl module leaves a socket that is reset before its handshake to the garbage collection.
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]

NODES = {"node-1": "192.0.2.1"}


@dataclass(frozen=True)
class Site:
    """A Contrail of two API servers with one state, behind Keystone and TLS."""

    contrail: ContrailSimulator
    keystone: KeystoneSimulator
    doors: tuple[Door, Door]
    secret: Path
    settings: ContrailSettings


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority = Authority(tmp_path)
    tls = authority.issue("server").server(client_authority=authority.file)
    ours = authority.issue("applier")
    secret = tmp_path / "password"
    secret.write_text("secret")
    with KeystoneSimulator(tls=tls) as keystone:
        guard = with_token(keystone.is_valid, keystone_url=keystone.url)
        with (
            ContrailSimulator(nodes=NODES, latency=0.002, guard=guard, tls=tls) as contrail,
            Door(contrail.url) as one,
            Door(contrail.url) as other,
        ):
            settings = ContrailSettings(
                urls=(one.url, other.url),
                auth="keystone",
                user="admin",
                password_file=str(secret),
                project="admin",
                keystone_url=keystone.url,
                ca_file=str(authority.file),
                client_certificate_file=str(ours.certificate),
                client_key_file=str(ours.key),
                connect_timeout=1.0,
                read_timeout=1.0,
            )
            yield Site(contrail, keystone, (one, other), secret, settings)


@contextmanager
def applying(store: DesiredStore, site: Site) -> Iterator[Health]:
    health = Health()
    url = store.engine.url.render_as_string(hide_password=False)
    settings = replace(settings_for(url, site.contrail.url), contrail=site.settings)
    with AppliedInBackground(settings, health=health):
        yield health


def not_ready(health: Health, *said: str) -> Callable[[], bool]:
    return lambda: all(each in health.why_not_ready().get(PART, "") for each in said)


def check(store: DesiredStore, site: Site, pods: int) -> None:
    """Each pod is there once, with an address of its own."""
    for type_ in ("virtual-machine", "virtual-machine-interface", "instance-ip"):
        assert site.contrail.count(type_) == pods
    addresses = {body["address"] for body in store.observed().values()}
    assert len(addresses) == pods


def test_a_killed_endpoint_stops_the_work_for_less_than_a_second(store: DesiredStore, site: Site) -> None:
    shop(store, *(f"web-{n}" for n in range(100)))
    with applying(store, site) as health:
        until(lambda: site.contrail.count("virtual-machine") > 20)
        site.doors[0].kill()
        progress = [(time.monotonic(), site.contrail.counters.total())]
        while store.unfinished():
            calls = site.contrail.counters.total()
            if calls != progress[-1][1]:
                progress.append((time.monotonic(), calls))
            assert time.monotonic() - progress[-1][0] < 10.0, store.unfinished()
            time.sleep(0.005)
        pauses = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(progress)]
        assert max(pauses) < 1.0
        assert not health.why_not_ready()
    check(store, site, 100)


def test_an_endpoint_that_never_answers_costs_one_timeout(store: DesiredStore, site: Site) -> None:
    site.doors[0].swallowing = True
    shop(store, *(f"web-{n}" for n in range(20)))
    began = time.monotonic()
    with applying(store, site):
        until_applied(store)
    assert time.monotonic() - began < 2 * site.settings.connect_timeout, "TLS did not come about within one of them"
    check(store, site, 20)


def test_when_all_endpoints_go_both_are_named_and_the_work_ends_when_one_is_back(
    store: DesiredStore, site: Site
) -> None:
    shop(store, *(f"web-{n}" for n in range(60)))
    with applying(store, site) as health:
        until(lambda: site.contrail.count("virtual-machine") > 10)
        for door in site.doors:
            door.kill()
        until(not_ready(health, *(door.url for door in site.doors)))
        site.doors[1].open()
        until_applied(store)
        assert not health.why_not_ready()
    check(store, site, 60)


def test_tokens_revoked_in_mid_work_go_unnoticed(store: DesiredStore, site: Site) -> None:
    shop(store, *(f"web-{n}" for n in range(60)))
    with applying(store, site):
        until(lambda: site.contrail.count("virtual-machine") > 10)
        site.keystone.revoke()
        until_applied(store)
        assert site.keystone.asked == 2
    assert not any(state.attempts for state in store.states().values())
    check(store, site, 60)


def test_case_67_a_wrong_password_stops_all_writing_until_its_file_is_corrected(
    store: DesiredStore, site: Site
) -> None:
    site.secret.write_text("hunter2")
    shop(store, "web-0")
    with applying(store, site) as health:
        until(not_ready(health, f"Keystone {site.keystone.url} refused us as user 'admin' of project 'admin'"))
        assert "hunter2" not in health.why_not_ready()[PART]
        assert site.contrail.counters.total() == site.contrail.refused == 0
        site.secret.write_text("secret")
        until_applied(store)


def test_a_keystone_that_is_away_holds_calls_back_and_is_named(store: DesiredStore, site: Site) -> None:
    site.keystone.stop()
    shop(store, "web-0")
    with applying(store, site) as health:
        until(not_ready(health, f"Keystone {site.keystone.url} gave no token: Connection refused"))
        site.keystone.start()
        until_applied(store)


def environment(store: DesiredStore, settings: ContrailSettings) -> Mapping[str, str]:
    """What a process of its own is told."""
    named = {spec.name: getattr(settings, spec.name) for spec in fields(settings)}
    told = {f"CONTRAIL_KUBE_CONTRAIL_{name.upper()}": str(value) for name, value in named.items() if value}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONTRAIL_KUBE_")},
        **told,
        "CONTRAIL_KUBE_CONTRAIL_URLS": ",".join(settings.urls),
        "CONTRAIL_KUBE_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
        "CONTRAIL_KUBE_APPLIER_TAKEOVER_INTERVAL": "0.1",
    }


def test_a_process_of_its_own_applies_pods_over_all_of_it(store: DesiredStore, site: Site, tmp_path: Path) -> None:
    pods = shop(store, *(f"web-{n}" for n in range(30)))
    log = tmp_path / "log"
    with (
        log.open("wb") as err,
        subprocess.Popen(
            [sys.executable, "-m", "applier"], env=environment(store, site.settings), stderr=err
        ) as process,
    ):
        try:
            until(lambda: site.contrail.count("virtual-machine") > 5, told=log.read_text)
            site.doors[0].kill()
            until_applied(store)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30.0) == 0
        finally:
            process.kill()
    check(store, site, len(pods))
    text = log.read_text()
    assert text.count("the Contrail API is asked at another endpoint") == 1
    assert "secret" not in text.replace(str(site.secret), "")
    assert not any(token in text for token in site.keystone.identity.tokens)
