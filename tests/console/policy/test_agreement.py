"""What a person is told is what the tests' references say, of policies and of compiled rules, over random clusters."""

from __future__ import annotations

import pytest

from console.policy.compiled import translated
from console.policy.ends import End, Port
from console.policy.picture import Given, picture
from console.policy.question import Inquiry
from tests.policy.cluster import Cluster, Spot, pairs, spots
from tests.policy.contrail_firewall import ContrailFirewall
from tests.policy.exploring import explore
from tests.policy.kubernetes_rules import KubernetesRules
from tests.policy.strategies import clusters
from tests.policy.truth import interesting_addresses, interesting_ports, uids
from translator.policy.evaluate import Evaluator


def inquiry(cluster: Cluster) -> tuple[Inquiry, ContrailFirewall]:
    """The product's view of a cluster, and the reference's over the same objects."""
    givens = [Given(*key, cluster.uid(key), record) for key, record in cluster.resources.items()]
    seen = picture(givens, subnets=(), complete=True)
    rows = translated(seen, cluster.settings)
    return Inquiry(seen, Evaluator(rows)), ContrailFirewall(rows)


def agrees(cluster: Cluster) -> None:
    """Both answers are the references', in every cell."""
    asked, firewall = inquiry(cluster)
    rules, ports, names = KubernetesRules(cluster), interesting_ports(cluster), uids(cluster)
    for source, target in pairs(spots(cluster, interesting_addresses(cluster))):
        wanted = rules.allows(source, target, ports)
        passes = firewall.allows(source, target, ports, names)
        for port, allowed, passed in zip(ports, wanted, passes, strict=True):
            reply = asked.ask(_end(asked, source), _end(asked, target), Port(*port))
            at = f"{source} to {target} port {port}"
            assert reply.allowed == allowed, f"{at}: {rules.why(source, target, port)}"
            assert reply.contrail.passes == passed, f"{at}: {firewall.why(source, target, port, names)}"


def _end(asked: Inquiry, spot: Spot) -> End:
    return End(spot.address, asked.picture.pods.get(spot.pod), spot.node)


@pytest.mark.slow
def test_people_are_told_what_the_references_say() -> None:
    explore(agrees, clusters(), count=40)
