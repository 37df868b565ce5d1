"""How many decisions policies are written as, before any of them is (pure).

One policy of a few lines can stand for millions: pods × peers × ports. So they are counted first. Of named ports
each counts once, whatever the pods call so.
"""

from __future__ import annotations

from schemas.records import (
    AdminNetworkPolicyRecord,
    AdminPeer,
    AdminRule,
    BaselineAdminNetworkPolicyRecord,
    LabelSelector,
    NetworkPolicyRecord,
    PolicyPeer,
    PolicyRule,
)
from translator.policy.selectors import conjunctions
from translator.translate import tags


def of_rule(owns: LabelSelector, rule: PolicyRule) -> int:
    """Decisions of one rule of a policy for these pods."""
    blocks = any(each.ip_block is not None for each in rule.peers)
    them = blocks + sum(_of_peer(each) for each in rule.peers if each.ip_block is None)
    return _of_pods(owns) * (them if rule.peers else 1) * max(1, len(rule.ports))


def of_policy(record: NetworkPolicyRecord) -> int:
    """Decisions of a policy, both directions."""
    ingress = record.ingress if record.isolates_ingress else ()
    egress = record.egress if record.isolates_egress else ()
    return sum(of_rule(record.pod_selector, each) for each in (*ingress, *egress))


def of_admin_rule(owns: LabelSelector, rule: AdminRule) -> int:
    """Decisions of one rule of an administrator for these pods; a named port counts for each protocol."""
    ports = sum(3 if each.port_name else 1 for each in rule.ports)
    return _of_pods(owns) * sum(map(_of_admin_peer, rule.peers)) * max(1, ports)


def of_admin(record: AdminNetworkPolicyRecord | BaselineAdminNetworkPolicyRecord) -> int:
    """Decisions of an administrator's policy in one namespace."""
    rules = (*record.ingress, *record.egress)
    return sum(of_admin_rule(record.subject.pod_selector, each) for each in rules)


def _of_peer(peer: PolicyPeer) -> int:
    return _of_pods(peer.pod_selector) * _alternatives(peer.namespace_selector, tags.NAMESPACE)


def _of_admin_peer(peer: AdminPeer) -> int:
    if peer.pods is None:
        return 1
    return _of_pods(peer.pods.pod_selector) * _alternatives(peer.pods.namespace_selector, tags.NAMESPACE)


def _of_pods(selector: LabelSelector | None) -> int:
    return _alternatives(selector, tags.POD)


def _alternatives(selector: LabelSelector | None, kind: str) -> int:
    found = conjunctions(selector, kind)
    return 1 if found is None else len(found)
