"""Random policies: what Kubernetes means and what Contrail does are the same in every cell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st

from schemas.records import NetworkPolicyRecord
from tests.policy.cluster import Cluster, Key
from tests.policy.exploring import explore
from tests.policy.holding import store_of
from tests.policy.strategies import Step, clusters, policy_sets, steps
from tests.policy.truth import firewall_of, require_equal
from tests.translator.states import rows

pytestmark = pytest.mark.slow
SETS = st.tuples(clusters(), st.lists(policy_sets(), min_size=5, max_size=5))
"""A cluster with its policies, and five other sets of policies for it."""


def stays(example: tuple[Cluster, list[Step]]) -> None:
    """They are equal after every step of a history, whose rows are those of the state alone."""
    cluster, changes = example
    history = store_of(cluster)
    for number, step in enumerate(changes, 1):
        cluster = step.on(cluster)
        history.become(cluster.events())
        at = f"step {number} of {len(changes)}, {'/'.join(step.key)}"
        assert history.errors() == [], at
        require_equal(cluster, firewall_of(history.backend.store), at=at)
        alone, found = rows(cluster.events(), settings=cluster.settings), history.dump()
        for name in alone:
            assert found[name] == alone[name], f"{at}: rows of {name} depend on the way"


def means_each(example: tuple[Cluster, list[dict[Key, NetworkPolicyRecord]]]) -> None:
    """They are equal for each of several sets of policies in one cluster, told one after the other."""
    cluster, sets = example
    history = store_of(cluster)
    for number, policies in enumerate([{}, *sets]):
        cluster = replace(cluster, resources={**cluster.resources, **policies})
        history.become(cluster.events(), squashed=True)
        history.become(cluster.events())
        assert history.errors() == []
        require_equal(cluster, firewall_of(history.backend.store), at=f"set {number}")


def test_network_policies_mean_what_they_say() -> None:
    explore(means_each, SETS, count=300)


def test_they_still_do_after_every_step_of_a_history() -> None:
    explore(stays, st.tuples(clusters(), st.lists(steps(), min_size=1, max_size=8)), count=60)
