"""`python -m benchmarks.policy`: what NetworkPolicies cost, from the event to the committed rules.

Writes and time of one policy that selects 10 pods and one that selects 10,000, turn by turn in one run; 5,000 policies
at once; one that changes among them; and the rules of namespaces that deny everything both ways and allow ten peers.
Decoding, fold, translation, diff and commit are included. Medians, with the extremes; the ratio also of CPU seconds of
this process, because a shared machine gives each turn another share.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack

from benchmarks.synthetic import CLUSTER, TOPIC
from console.postgres import EmbeddedPostgres
from schemas.bus.port import Record
from schemas.codec import encode
from schemas.events import ChangeEvent, Op, Source, change
from schemas.identity import ResourceKey, partition_of
from schemas.records import (
    IpBlock,
    LabelRequirement,
    LabelSelector,
    NamespaceRecord,
    NetworkPolicyRecord,
    NodeAddress,
    NodeRecord,
    PodRecord,
    PolicyPeer,
    PolicyPort,
    PolicyRule,
)
from schemas.records import Record as Body
from schemas.settings import ClusterSettings, DatabaseSettings
from schemas.store.engine import connect
from schemas.store.migrate import migrate
from translator.batch import Rules, Summary, put_settings, take
from translator.intake import Batch, intake
from translator.memory import MemoryStore
from translator.postgres import PostgresStore
from translator.service import tune_garbage_collector
from translator.store import Store
from translator.version import settings_record

RULES = Rules.of("benchmark", settings_record(ClusterSettings()))
PARTITIONS = 4
BATCH = 500
FEW, MANY = 10, 10_000
Took = tuple[float, float]
"""Seconds of the clock and of this process's CPU."""
_SOURCE = Source(cluster=CLUSTER)


class Feed:
    """A store that is told of events; each call of `tell` is one transaction, at most `BATCH` events long."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._revision = 0
        store.run(lambda session: put_settings(session, RULES))
        progress = store.progress("benchmark", TOPIC, range(PARTITIONS), RULES.version)
        self._at = {number: each.next_offset for number, each in progress.items()}

    def tell(self, bodies: Iterable[tuple[str, str, str, Body | None]]) -> Counter[str]:
        """Tell of resources as (kind, namespace, name, body), None for a deletion; returns written objects by op."""
        events, written = [self._event(*each) for each in bodies], Counter[str]()
        for start in range(0, len(events), BATCH):
            parts: defaultdict[int, list[Record]] = defaultdict(list)
            for event in events[start : start + BATCH]:
                number = partition_of(event.key, PARTITIONS)
                offset = self._at[number] + len(parts[number])
                parts[number].append(Record(TOPIC, number, offset, str(event.key).encode(), encode(event)))
            slices = [intake(CLUSTER, part, expected=self._at[number]) for number, part in sorted(parts.items())]
            summary = self._take(Batch(TOPIC, slices))
            assert not summary.dead_letters, summary.dead_letters
            self._at.update({part.partition: part.next_offset for part in slices})
            written += summary.changes
        return written

    def _take(self, batch: Batch) -> Summary:
        return self._store.run(lambda session: take(session, batch, RULES))

    def _event(self, kind: str, namespace: str, name: str, body: Body | None) -> ChangeEvent:
        self._revision += 1
        return change(
            op=Op.DELETE if body is None else Op.UPSERT,
            epoch=1,
            key=ResourceKey(kind, namespace, name),
            uid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}/{namespace}/{name}")),
            resource_version=str(self._revision),
            source=_SOURCE,
            body=body,
        )


def main() -> None:
    """Measure and print."""
    options = _options()
    tune_garbage_collector()
    with ExitStack() as stack:
        server = None if options.no_postgres else stack.enter_context(EmbeddedPostgres(durable=True))
        for name in ("memory", *(() if server is None else ("PostgreSQL",))):
            make = _stores(server if name == "PostgreSQL" else None)
            _one_policy(name, make, options.runs)
            _five_thousand(name, make, options.policies, options.runs)
    for number in (50, 100, 200):
        _namespaces(number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy")
    parser.add_argument("--runs", type=int, default=31, help="runs of each measurement (default: %(default)s)")
    parser.add_argument("--policies", type=int, default=5000, help="policies of a large cluster (default: %(default)s)")
    parser.add_argument("--no-postgres", action="store_true", help="the store in memory only")
    return parser.parse_args()


def _stores(server: EmbeddedPostgres | None) -> Callable[[], Store]:
    def make() -> Store:
        if server is None:
            return MemoryStore()
        engine = connect(DatabaseSettings(url=server.ensure_database(f"p{uuid.uuid4().hex}")), application="benchmark")
        migrate(engine)
        return PostgresStore(engine, CLUSTER)

    return make


def _one_policy(name: str, make: Callable[[], Store], runs: int) -> None:
    """One policy comes and goes, in a namespace where it selects few pods and in one where it selects many."""
    selectors = (("by labels", LabelSelector(match_labels={"app": "web"})), ("by NotIn", _not_in("app", "db")))
    feed = Feed(store := make())
    feed.tell([("Node", "", "n1", NodeRecord(addresses=(NodeAddress("InternalIP", "192.168.0.1"),)))])
    for number in (FEW, MANY):
        feed.tell([("Namespace", "", f"of-{number}", NamespaceRecord(labels={"team": "x"}))])
        feed.tell(_pods(f"of-{number}", number))
    for label, selector in selectors if name == "memory" else selectors[:1]:
        seconds: dict[int, list[Took]] = {FEW: [], MANY: []}
        written: dict[int, Counter[str]] = {}
        for _ in range(runs if label == "by labels" else 3):
            for number in (FEW, MANY):
                took, written[number] = _timed(feed, [("NetworkPolicy", f"of-{number}", "web", _policy(selector))])
                seconds[number].append(took)
                feed.tell([("NetworkPolicy", f"of-{number}", "web", None)])
        wall, cpu = (_ratio([t[at] for t in seconds[MANY]], [t[at] for t in seconds[FEW]]) for at in (0, 1))
        for number in (FEW, MANY):
            writes = sum(written[number].values())
            print(f"{name}: one policy {label}, {number:6} pods: {writes:5} writes, {_spread(seconds[number])}")
        print(f"{name}: one policy {label}: {MANY} to {FEW} pods: ratio {wall:.2f}, of CPU {cpu:.2f}")
        sys.stdout.flush()
    store.close()


def _five_thousand(name: str, make: Callable[[], Store], policies: int, runs: int) -> None:
    """Policies of 100 namespaces at once; then one of them changes, again and again."""
    feed = Feed(store := make())
    spaces = [f"ns-{number}" for number in range(100)]
    bodies = [NamespaceRecord(labels={"team": f"t{number % 10}"}) for number in range(len(spaces))]
    feed.tell([("Namespace", "", space, body) for space, body in zip(spaces, bodies, strict=True)])
    feed.tell(each for space in spaces for each in _pods(space, 10))
    named = [(spaces[number * 100 // policies], f"policy-{number}") for number in range(policies)]
    told = [("NetworkPolicy", space, each, _policy(_app(number), number)) for number, (space, each) in enumerate(named)]
    gc.collect()
    took, written = _timed(feed, told)
    spent = f"{took[0]:.2f} s, {took[1]:.2f} s of CPU"
    print(f"{name}: {policies} policies of 100 namespaces: {spent}, {sum(written.values())} writes")
    seconds = []
    for number in range(runs):
        space, each = named[number * 97 % policies]
        one, _ = _timed(feed, [("NetworkPolicy", space, each, _policy(_app(number), number, 9000 + number))])
        seconds.append(one)
    print(f"{name}: one of {policies} policies changes: {_spread(seconds)}")
    sys.stdout.flush()
    store.close()


def _namespaces(number: int) -> None:
    """Namespaces that deny everything both ways and allow ten of their neighbours, both ways."""
    store = MemoryStore()
    feed = Feed(store)
    feed.tell([("Namespace", "", f"ns-{each}", _space(f"ns-{each}")) for each in range(number)])
    for each in range(number):
        peers = [f"ns-{(each + step) % number}" for step in range(1, 11)]
        feed.tell(
            [
                ("NetworkPolicy", f"ns-{each}", "deny", _both(())),
                ("NetworkPolicy", f"ns-{each}", "allow", _both(tuple(_named(peer) for peer in peers))),
            ]
        )
    rules = sum(row.type == "firewall-rule" and not row.absent for row in store.tables.objects.values())
    print(f"{number:4} namespaces, deny all and 10 peers both ways: {rules} rules, {rules / number:.1f} of each")


def _timed(feed: Feed, told: Sequence[tuple[str, str, str, Body | None]]) -> tuple[Took, Counter[str]]:
    wall, cpu = time.perf_counter(), time.process_time()
    written = feed.tell(told)
    return (time.perf_counter() - wall, time.process_time() - cpu), written


def _ratio(many: Sequence[float], few: Sequence[float]) -> float:
    return statistics.median(many) / statistics.median(few)


def _spread(took: Sequence[Took]) -> str:
    walls = [wall * 1000 for wall, _ in took]
    cpu = statistics.median(cpu for _, cpu in took) * 1000
    return f"{statistics.median(walls):.2f} ms ({min(walls):.2f} to {max(walls):.2f}), {cpu:.2f} ms of CPU"


def _pods(namespace: str, number: int) -> Iterator[tuple[str, str, str, Body]]:
    for each in range(number):
        labels = {"app": ("web", "db")[each % 2] if number < MANY and number != FEW else "web", "n": str(each % 7)}
        yield "Pod", namespace, f"pod-{each}", PodRecord(labels=labels, node_name="n1", phase="Running")


def _space(name: str) -> NamespaceRecord:
    return NamespaceRecord(labels={"kubernetes.io/metadata.name": name})


def _app(number: int) -> LabelSelector:
    return LabelSelector(match_labels={"app": f"app-{number % 20}"})


def _not_in(key: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(LabelRequirement(key=key, operator="NotIn", values=values),))


def _policy(selector: LabelSelector, number: int = 0, port: int = 8080) -> NetworkPolicyRecord:
    """Both directions: from pods and namespaces on a port, to pods, and to a block of addresses."""
    front = PolicyPeer(pod_selector=LabelSelector(match_labels={"app": f"front-{number % 20}"}))
    team = PolicyPeer(namespace_selector=LabelSelector(match_labels={"team": f"t{number % 10}"}))
    outside = PolicyPeer(ip_block=IpBlock(cidr="203.0.113.0/24", excluded=("203.0.113.0/28",)))
    dns = PolicyRule(peers=(front, outside), ports=(PolicyPort(protocol="UDP", port=53),))
    return NetworkPolicyRecord(
        pod_selector=selector,
        isolates_ingress=True,
        isolates_egress=True,
        ingress=(PolicyRule(peers=(front, team), ports=(PolicyPort(port=port),)),),
        egress=(dns,),
    )


def _named(namespace: str) -> PolicyPeer:
    return PolicyPeer(namespace_selector=LabelSelector(match_labels={"kubernetes.io/metadata.name": namespace}))


def _both(peers: tuple[PolicyPeer, ...]) -> NetworkPolicyRecord:
    """The whole namespace, isolated both ways but for these peers."""
    rules = (PolicyRule(peers=peers),) if peers else ()
    return NetworkPolicyRecord(isolates_ingress=True, isolates_egress=True, ingress=rules, egress=rules)


if __name__ == "__main__":
    main()
