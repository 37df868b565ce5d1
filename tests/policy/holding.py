"""A state told to a real translation on the store in memory, and what must hold of it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.policy.cluster import Cluster
from tests.policy.truth import answer, firewall_of, require_equal
from tests.translator.states import History


def store_of(cluster: Cluster) -> History:
    """A store that was told of the cluster in one batch."""
    history = History(cluster.settings)
    history.become(cluster.events(), squashed=True)
    history.become(cluster.events())
    return history


def holds(cluster: Cluster) -> None:
    """Kubernetes' table and Contrail's are equal, and nothing was put aside."""
    history = store_of(cluster)
    assert history.errors() == []
    require_equal(cluster, firewall_of(history.backend.store))


def means(cluster: Cluster, *, yes: Iterable[str] = (), no: Iterable[str] = ()) -> None:
    """These cells are as written, so that both evaluators cannot be wrong alike; and all cells are equal."""
    assert [each for each in yes if not answer(cluster, each)] == [], "should be allowed"
    assert [each for each in no if answer(cluster, each)] == [], "should be denied"
    holds(cluster)
