"""Updates are hitless: between two writes, what old and new policies both close is closed, what both open is open.

Cases 76 and 77 of policies: made, changed and removed in several calls, in any order that the plan permits, and stopped
anywhere; or removed while nobody applied.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import strategies as st

from schemas.records import ContainerPort
from tests.policy.building import ALL, TCP80, block, expressed, labelled, pod, pods, policy, port, rule, shop
from tests.policy.cluster import Cluster, Spot, pairs, spots
from tests.policy.cluster import pods as pods_of
from tests.policy.contrail_firewall import ContrailFirewall
from tests.policy.exploring import explore
from tests.policy.halfway import HalfWay
from tests.policy.holding import store_of
from tests.policy.kubernetes_rules import KubernetesRules
from tests.policy.strategies import Step, clusters, steps
from tests.policy.truth import interesting_addresses, interesting_ports, require_equal, uids
from tests.translator.states import History

POLICIES = ("NetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy")
NOT_WEB = expressed(("app", "NotIn", ("web",)))
HAS_TIER, HAS_NO_TIER = expressed(("tier", "Exists", ())), expressed(("tier", "DoesNotExist", ()))


def stays_within(old: Cluster, new: Cluster, history: History, contrail: HalfWay, order: random.Random) -> None:
    """Every write on the way from old to new keeps what both say; at its end Contrail has what new says."""
    history.become(new.events())
    before, after = KubernetesRules(old), KubernetesRules(new)
    ports = sorted({*interesting_ports(old), *interesting_ports(new)})
    ends = _both(old, new)
    wanted = {
        (source, target): (before.allows(source, target, ports), after.allows(source, target, ports))
        for source, target in pairs(ends)
    }
    names = uids(new)
    for written in filter(None, contrail.follow(history.backend.store, order)):
        firewall = contrail.firewall()
        for (source, target), (was, will) in wanted.items():
            found = firewall.allows(source, target, ports, names)
            for one, two, now, each in zip(was, will, found, ports, strict=True):
                assert one != two or now == one, (
                    f"{written}: from {source} to {target} port {each} is {'open' if now else 'closed'}, and before "
                    f"and after it is not: {firewall.why(source, target, each, names)}"
                )
    require_equal(new, contrail.firewall(), at="the end")


def _both(old: Cluster, new: Cluster) -> list[Spot]:
    """Ends that are there, and the same, before and after."""
    found = {*spots(old, interesting_addresses(new))} & {*spots(new, interesting_addresses(old))}
    return sorted(found)


def applied(cluster: Cluster) -> tuple[History, HalfWay]:
    """A store of this state, and a Contrail that has all of it."""
    history, contrail = store_of(cluster), HalfWay()
    for _ in contrail.follow(history.backend.store):
        pass
    require_equal(cluster, contrail.firewall(), at="applied")
    return history, contrail


DENY = policy(shop(), "shop/deny", ALL, ingress=(), egress=())
OPEN = policy(DENY, "shop/open", labelled(app="db"), ingress=(rule(pods(labelled(app="web"))),), egress=(rule(),))
MOVED = policy(
    DENY, "shop/open", labelled(app="db"), ingress=(rule(pods(of=labelled(team="y")), ports=(port(1, 90),)),)
)
BLOCKS = policy(shop(), "shop/deny", labelled(app="db"), ingress=(rule(block("203.0.113.0/24", "203.0.113.0/26")),))
OTHER = policy(shop(), "shop/deny", labelled(app="db"), ingress=(rule(block("203.0.113.0/24", "203.0.113.128/26")),))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (shop(), DENY),
        (DENY, shop()),
        (DENY, OPEN),
        (OPEN, DENY),
        (OPEN, MOVED),
        (MOVED, OPEN),
        (OPEN, shop()),
        (shop(), OPEN),
        (BLOCKS, OTHER),
    ],
    ids=["isolated", "freed", "opened", "closed", "moved", "back", "freed at once", "at once", "other blocks"],
)
def test_case_76_no_write_opens_what_both_close_or_closes_what_both_open(old: Cluster, new: Cluster, seed: int) -> None:
    history, contrail = applied(old)
    stays_within(old, new, history, contrail, random.Random(seed))


BY_LABEL = policy(policy(shop(), "shop/a", labelled(app="web"), ingress=()), "shop/b", NOT_WEB, ingress=())
BY_MEMBERSHIP = policy(policy(shop(), "shop/a", HAS_TIER, ingress=()), "shop/b", HAS_NO_TIER, ingress=())


def relabelled(cluster: Cluster, **labels: str) -> Cluster:
    """With other labels of shop/web."""
    return pod(cluster, "shop/web", ContainerPort(port=80, name="http"), number=1, host=False, **labels)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BY_LABEL, relabelled(BY_LABEL, app="api", tier="front")),
        (relabelled(BY_LABEL, app="api", tier="front"), BY_LABEL),
        (BY_MEMBERSHIP, relabelled(BY_MEMBERSHIP, app="web")),
        (relabelled(BY_MEMBERSHIP, app="web"), BY_MEMBERSHIP),
    ],
    ids=["into a membership", "out of it", "from one to another", "and back"],
)
def test_a_pod_that_changes_its_labels_is_never_out_of_what_isolates_it_before_and_after(
    old: Cluster, new: Cluster, seed: int
) -> None:
    history, contrail = applied(old)
    stays_within(old, new, history, contrail, random.Random(seed))


def test_case_76_a_plan_that_stops_halfway_and_meets_another_change_stays_within_all_three() -> None:
    """Stopped between any two writes, the next state is reached from there, and what all states close stays closed."""
    tables = [_answers(each) for each in (DENY, OPEN, MOVED)]
    closed = [cell for cell in tables[0] if not any(table[cell] for table in tables)]
    total = _writes(OPEN, MOVED)
    for stop in range(total + 1):
        history, contrail = applied(OPEN)
        history.become(MOVED.events())
        for number, _ in enumerate(contrail.follow(history.backend.store)):
            if number == stop:
                break
        history.become(DENY.events())
        for written in filter(None, contrail.follow(history.backend.store)):
            _require_closed(contrail.firewall(), closed, DENY, f"stopped at {stop}, {written}")
        require_equal(DENY, contrail.firewall(), at=f"stopped at {stop}")


def test_case_77_a_policy_deleted_while_nobody_applied_is_gone_at_the_next_start() -> None:
    history, contrail = applied(OPEN)
    for state in (MOVED, DENY, shop()):
        history.become(state.events())  # nobody looks
    for _ in contrail.follow(history.backend.store):
        pass
    require_equal(shop(), contrail.firewall())
    assert contrail.firewall().rule_count() == 0


def test_case_77_a_namespace_deleted_with_its_policies_leaves_nothing() -> None:
    history, contrail = applied(OPEN)
    gone = OPEN
    for key in list(gone.resources):
        if "shop" in key:
            gone = gone.without(key)
    for _ in range(2):
        history.become(gone.events())
        for _ in contrail.follow(history.backend.store):
            pass
    require_equal(gone, contrail.firewall())
    assert contrail.firewall().rule_count() == 0


def changes_are_hitless(example: tuple[Cluster, list[Step], int]) -> None:
    """Random policies, changed at random, written in a random order."""
    cluster, changes, seed = example
    order = random.Random(seed)
    history, contrail = applied(cluster)
    for step in changes:
        if step.key[0] in POLICIES:
            after = step.on(cluster)
            stays_within(cluster, after, history, contrail, order)
            cluster = after


@pytest.mark.slow
def test_random_changes_of_policies_are_hitless_in_any_order_of_writes() -> None:
    examples = st.tuples(clusters(), st.lists(steps(), min_size=2, max_size=6), st.integers(0, 1 << 30))
    explore(changes_are_hitless, examples, count=25)


def _writes(old: Cluster, new: Cluster) -> int:
    history, contrail = applied(old)
    history.become(new.events())
    return sum(1 for _ in contrail.follow(history.backend.store))


def _answers(cluster: Cluster) -> dict[tuple[Spot, Spot, tuple[str, int]], bool]:
    rules, ports = KubernetesRules(cluster), [TCP80, ("UDP", 53)]
    return {
        (source, target, each): open_
        for source, target in pairs(spots(cluster))
        for each, open_ in zip(ports, rules.allows(source, target, ports), strict=True)
    }


def _require_closed(
    firewall: ContrailFirewall, cells: Iterable[tuple[Spot, Spot, tuple[str, int]]], cluster: Cluster, at: str
) -> None:
    names = uids(cluster)
    for source, target, each in cells:
        assert not firewall.allows(source, target, [each], names)[0], f"{at}: {source} to {target} port {each} is open"


def test_the_pods_of_the_states_are_the_same() -> None:
    assert pods_of(OPEN).keys() == pods_of(MOVED).keys() == pods_of(shop()).keys()
