"""The view records every question, and never answers from what it does not know."""

from __future__ import annotations

import pytest

from tests.translator.facts import SETTINGS
from tests.translator.golden import resource
from translator.resource import list_keys
from translator.view import NotLoaded, View

NODE = resource("Node", "", "n1")


def test_answers_are_recorded_the_absent_ones_too() -> None:
    view = View(SETTINGS, {"Node//n1": NODE, "Node//n2": None}, {"Pod/shop/*": (), "Node/*/*": (NODE,)})  # type: ignore[dict-item]
    assert view.get("Node", "", "n1") is NODE
    assert view.get("Node", "", "n2") is None
    assert view.list("Pod", "shop") == ()
    assert view.list("Node") == (NODE,)
    assert view.reads == {"Node//n1", "Node//n2", "Pod/shop/*", "Node/*/*"}


def test_what_is_not_loaded_is_asked_for_and_recorded() -> None:
    view = View(SETTINGS, {"Node//n1": NODE}, {})  # type: ignore[dict-item]
    with pytest.raises(NotLoaded) as asked:
        view.get_all([("Node", "", "n1"), ("Node", "", "n2"), ("Pod", "shop", "web")])
    assert asked.value.keys == {"Node//n2", "Pod/shop/web"}
    with pytest.raises(NotLoaded):
        view.list("Pod")
    assert "Pod/*/*" in view.reads and "Pod/shop/web" in view.reads


@pytest.mark.parametrize("name", ["n" * 254, "a/b", "*"])
def test_a_name_that_nothing_can_have_is_answered_without_a_question(name: str) -> None:
    view = View(SETTINGS, {"Node//n1": NODE}, {})  # type: ignore[dict-item]
    assert view.get("Node", "", name) is None
    assert view.get_all([("Node", "", name), ("Node", "", "n1")]) == [None, NODE]
    assert view.reads == {"Node//n1"}


def test_a_resource_changes_the_lists_it_is_in() -> None:
    assert list_keys(resource("Pod", "shop", "web").key) == ("Pod/shop/*", "Pod/*/*")
    assert list_keys(NODE.key) == ("Node//*", "Node/*/*")
