"""Cases 76 and 77 with the real compiler, store and applier: what the API holds after every single write.

What is in effect is the old policies, all of them, or the new ones, and never anything between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from schemas.contrail.types import type_of
from schemas.events import ChangeEvent, Op, change
from schemas.identity import ResourceKey
from schemas.records import ContainerPort
from simulators.contrail.faults import Fault, Trouble
from simulators.contrail.rendering import View, whole
from simulators.contrail.server import ContrailSimulator
from simulators.contrail.state import State
from tests.applier.desired import DesiredStore
from tests.applier.running import applying, until, until_applied
from tests.policy.building import ALL, block, expressed, labelled, pod, pods, policy, port, rule, shop
from tests.policy.cluster import Cluster, Spot, pairs, spots
from tests.policy.contrail_firewall import ContrailFirewall
from tests.policy.kubernetes_rules import KubernetesRules
from tests.policy.truth import interesting_addresses, interesting_ports, uids
from tests.translator.facts import CLUSTER, SOURCE
from tests.translator.world import World
from translator.postgres import PostgresStore

pytestmark = [pytest.mark.postgres, pytest.mark.process]
SEEN = (
    "project",
    "virtual-network",
    "virtual-machine",
    "virtual-machine-interface",
    "tag",
    "application-policy-set",
    "firewall-policy",
    "firewall-rule",
    "address-group",
)
Table = dict[str, tuple[bool, ...]]
"""By the two ends, whether each of the ports is open."""
Row = tuple[str, str, str, Mapping[str, Any]]
"""(type, joined name, uuid, body) as the store holds objects."""

DENY = policy(shop(), "shop/deny", ALL, ingress=(), egress=())
TO_DB = policy(
    DENY,
    "shop/db",
    labelled(app="db"),
    ingress=(rule(pods(labelled(app="web")), ports=(port("sql"),)),),
    egress=(rule(pods(of=labelled(team="y"))),),
)
BUT_WEB = policy(
    shop(),
    "shop/all-but-web",
    expressed(("app", "NotIn", ("web",))),
    ingress=(rule(pods(expressed(("tier", "Exists", ()))), block("203.0.113.0/24", "203.0.113.0/26")),),
    egress=(rule(block("0.0.0.0/0", "10.32.0.2/32"), ports=(port(1, 9000),)),),
)
MANY = policy(
    BUT_WEB, "shop/more", expressed(("app", "DoesNotExist", ())), ingress=(rule(pods(of=ALL), ports=(port("http"),)),)
)


class Playing:
    """A cluster whose policies change, the translator that is told of it, and a Contrail whose every state is kept."""

    def __init__(self, engine: Engine, contrail: ContrailSimulator, start: Cluster) -> None:
        self.store, self.states = DesiredStore(engine), list[list[Row]]()
        self._world = World(PostgresStore(engine, CLUSTER), settings=start.settings, with_settings=True)
        self._told: dict[ResourceKey, ChangeEvent] = {}
        self._version = 0
        self.become(start)
        contrail.look_on(self._keep)

    def become(self, cluster: Cluster) -> None:
        """Tell what is different, in one batch."""
        wanted = {event.key: event for event in cluster.events()}
        gone = [_gone(event) for key, event in self._told.items() if key not in wanted]
        new = [each for key, each in wanted.items() if key not in self._told or self._told[key].body != each.body]
        self._told = wanted
        self._world.tell(*map(self._at, (*gone, *new)))

    def statuses(self, type_: str) -> set[str]:
        """Statuses of all objects of a type."""
        return {state.status for state in self.store.states().values() if state.type == type_}

    def _at(self, event: ChangeEvent) -> ChangeEvent:
        self._version += 1
        return msgspec.structs.replace(event, resource_version=str(self._version))

    def _keep(self, state: State) -> None:
        rows = list(_rows(state))
        if not self.states or rows != self.states[-1]:
            self.states.append(rows)


def _gone(event: ChangeEvent) -> ChangeEvent:
    return change(op=Op.DELETE, epoch=1, key=event.key, uid=event.uid, resource_version="0", source=SOURCE, body=None)


def _rows(state: State) -> Iterator[Row]:
    for type_ in SEEN:
        for item in state.of_type(type_):
            fields = whole(state, item, View(base=None))
            references = [
                {"type": rule.target, "to": each["to"], "uuid": each["uuid"], "attr": each.get("attr")}
                for field, rule in type_of(type_).references.items()
                for each in fields.get(field) or ()
            ]
            yield type_, ":".join(fields["fq_name"]), fields["uuid"], {"properties": fields, "references": references}


def table(cluster: Cluster, rows: list[Row] | None = None) -> Table:
    """What is open, by Kubernetes' rules, or by these objects of Contrail."""
    ports, names = interesting_ports(MANY), uids(cluster)
    if rows is None:
        rules = KubernetesRules(cluster)
        return {f"{a} > {b}": rules.allows(a, b, ports) for a, b in _ends(cluster)}
    firewall = ContrailFirewall(rows)
    return {f"{a} > {b}": firewall.allows(a, b, ports, names) for a, b in _ends(cluster)}


def _told(number: int, found: Table, tables: list[Table]) -> str:
    """Where a table is neither the old nor the new one."""
    cells = [f"{ends}: {found[ends]}, not {[each[ends] for each in tables]}" for ends in found]
    odd = [cell for cell, ends in zip(cells, found, strict=True) if found[ends] not in [each[ends] for each in tables]]
    return f"state {number}: " + "; ".join(odd or ["each cell is old or new, but not all of one"])


def _ends(cluster: Cluster) -> list[tuple[Spot, Spot]]:
    return list(pairs(spots(cluster, interesting_addresses(MANY))))


@pytest.fixture
def contrail() -> Iterator[ContrailSimulator]:
    with ContrailSimulator(nodes={"m1": "192.168.0.1"}) as simulator:
        yield simulator


WAY = [shop(), DENY, TO_DB, BUT_WEB, MANY, TO_DB, BUT_WEB, shop()]


def test_case_76_every_state_of_the_api_has_all_old_rules_or_all_new_ones(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    playing = Playing(store_engine, contrail, WAY[0])
    with applying(playing.store, contrail):
        until_applied(playing.store)
        for old, new in pairwise(WAY):
            tables = [table(old), table(new)]
            playing.states.clear()
            playing.become(new)
            until_applied(playing.store)
            found = [table(new, rows) for rows in playing.states]
            for number, each in enumerate(found):
                assert each in tables, _told(number, each, tables)
            assert found[-1] == tables[1] and found == sorted(found, key=tables.index)
    assert contrail.count("firewall-rule") == contrail.count("firewall-policy") == 0


def test_case_76_a_new_rule_or_membership_that_is_refused_leaves_the_old_policies_in_effect(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    playing = Playing(store_engine, contrail, TO_DB)
    with applying(playing.store, contrail):
        until_applied(playing.store)
        for path in ("/firewall-rules", "/ref-update"):
            playing.states.clear()
            contrail.faults.add(Fault(Trouble.STATUS, "POST", path, None, status=500, text="hiccup"))
            playing.become(BUT_WEB)
            until(lambda: "blocked" in playing.statuses("firewall-policy"), told=playing.store.unfinished)
            assert {str(table(TO_DB, rows)) for rows in playing.states} <= {str(table(TO_DB))}
            contrail.faults.clear()
            until_applied(playing.store)
            assert table(BUT_WEB, playing.states[-1]) == table(BUT_WEB)
            playing.become(TO_DB)
            until_applied(playing.store)


def test_a_pod_out_of_one_membership_and_into_another_that_is_refused_stays_isolated(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    old = policy(shop(), "shop/front", expressed(("tier", "Exists", ())), ingress=(), egress=())
    old = policy(old, "shop/rest", expressed(("tier", "DoesNotExist", ())), ingress=(), egress=())
    new = pod(old, "shop/web", ContainerPort(port=80, name="http"), number=1, app="web")
    playing = Playing(store_engine, contrail, old)
    with applying(playing.store, contrail):
        until_applied(playing.store)
        for before, after in ((old, new), (new, old)):
            playing.states.clear()
            contrail.faults.add(Fault(Trouble.STATUS, "POST", "/ref-update", None, status=500, text="hiccup"))
            playing.become(after)
            until(lambda: "blocked" in playing.statuses("virtual-machine-interface"), told=playing.store.unfinished)
            contrail.faults.clear()
            until_applied(playing.store)
            assert {str(table(before, rows)) for rows in playing.states} == {str(table(before))} == {str(table(after))}


def until_refused(playing: Playing, type_: str) -> None:
    """Until this type is given up, and what waits was looked at twice more, or went on."""

    def waiting() -> dict[str, int]:
        return {uuid: each.attempts for uuid, each in playing.store.states().items() if each.status == "blocked"}

    until(lambda: "dead" in playing.statuses(type_), told=playing.store.unfinished)
    before = waiting()
    until(lambda: all(waiting().get(uuid, 1 << 30) >= count + 2 for uuid, count in before.items()))


FRONT = policy(shop(), "shop/front", expressed(("tier", "Exists", ())), ingress=(), egress=())


def test_case_76_a_list_that_is_refused_for_good_leaves_the_memberships_of_the_one_in_effect(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    """Both isolate web, the old one by a membership: without it the old list, which stays, would let everybody in."""
    new = policy(shop(), "shop/web", labelled(app="web"), ingress=(), egress=())
    playing = Playing(store_engine, contrail, FRONT)
    with applying(playing.store, contrail):
        until_applied(playing.store)
        playing.states.clear()
        contrail.faults.add(Fault(Trouble.STATUS, "PUT", "/firewall-policy", None, status=400, text="no"))
        playing.become(new)
        until_refused(playing, "firewall-policy")
        contrail.faults.clear()
        assert {str(table(FRONT, rows)) for rows in playing.states} == {str(table(FRONT))}
        playing.become(FRONT)
        until_applied(playing.store)
        assert table(FRONT, playing.states[-1]) == table(FRONT)


@pytest.mark.parametrize("refused", ["link", "virtual-machine-interface"])
def test_a_pod_that_is_refused_the_tags_of_its_new_labels_for_good_keeps_what_isolated_it(
    store_engine: Engine, contrail: ContrailSimulator, refused: str
) -> None:
    """Isolated by a label and then by a membership, which is refused, or the other way round."""
    by_label = policy(shop(), "shop/front", labelled(tier="front"), ingress=(), egress=())
    by_label = policy(by_label, "shop/rest", expressed(("tier", "DoesNotExist", ())), ingress=(), egress=())
    by_membership = pod(by_label, "shop/web", ContainerPort(port=80, name="http"), number=1, app="web")
    old, new = (by_label, by_membership) if refused == "link" else (by_membership, by_label)
    playing = Playing(store_engine, contrail, old)
    with applying(playing.store, contrail):
        until_applied(playing.store)
        playing.states.clear()
        path = "/ref-update" if refused == "link" else "/virtual-machine-interface/"
        contrail.faults.add(Fault(Trouble.STATUS, "", path, None, status=400, text="no"))
        playing.become(new)
        until_refused(playing, refused)
        contrail.faults.clear()
        assert {str(table(old, rows)) for rows in playing.states} <= {str(table(old))}


def test_case_77_a_policy_deleted_while_the_applier_is_down_is_gone_at_its_start(
    store_engine: Engine, contrail: ContrailSimulator
) -> None:
    playing = Playing(store_engine, contrail, MANY)
    with applying(playing.store, contrail):
        until_applied(playing.store)
    playing.states.clear()
    playing.become(BUT_WEB)
    playing.become(shop())
    with applying(playing.store, contrail):
        until_applied(playing.store)
    tables = [table(MANY), table(shop())]
    assert [each for each in (table(shop(), rows) for rows in playing.states) if each not in tables] == []
    assert table(shop(), playing.states[-1]) == table(shop())
    assert contrail.count("firewall-rule") == contrail.count("firewall-policy") == 0
