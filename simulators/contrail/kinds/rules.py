"""What a type adds to the rules that hold for all (data)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulators.contrail.drafts import Draft
from simulators.contrail.state import Item, State


def _draft_passes(state: State, draft: Draft) -> None:
    pass


def _change_passes(state: State, item: Item, draft: Draft) -> None:
    pass


def _item_passes(state: State, item: Item) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Rules:
    """Called in this order; each but the `-d` ones may refuse, and nothing has happened until then.

    `named` comes before the name is looked up, and may change it; `create` and `update` may complete the draft.
    """

    named: Callable[[State, Draft], None] = _draft_passes
    create: Callable[[State, Draft], None] = _draft_passes
    created: Callable[[State, Item], None] = _item_passes
    update: Callable[[State, Item, Draft], None] = _change_passes
    delete: Callable[[State, Item], None] = _item_passes
    """The object is about to be removed: what it holds is given back."""
