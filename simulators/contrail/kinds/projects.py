"""Projects: each comes with an application policy set of its own."""

from __future__ import annotations

from simulators.contrail.kinds.rules import Rules
from simulators.contrail.making import make
from simulators.contrail.state import Item, State

POLICY_SET = "application-policy-set"
DEFAULT_POLICY_SET = f"default-{POLICY_SET}"


def add_policy_set(state: State, project: Item) -> None:
    """The set that applies to all applications, with the project's reference to it."""
    made = make(state, POLICY_SET, [*project.fq_name, DEFAULT_POLICY_SET], project, {"all_applications": True})
    state.refer(project, "application_policy_set_refs", made.uuid, None)


def _delete(state: State, project: Item) -> None:
    for child in list(state.children(project, POLICY_SET)):
        state.remove(child)


RULES = {"project": Rules(created=add_policy_set, delete=_delete)}
