"""Translations that ask get their answers in bulk, and lists and chains of questions come to an end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.contrail.objects import ContrailObject, Desired
from schemas.errors import TranslationError
from schemas.events import Op
from tests.translator.facts import namespace, node, pod
from tests.translator.rows import MemoryBackend
from tests.translator.world import World
from translator.resource import Resource
from translator.translate.registry import TRANSLATIONS
from translator.view import View


def tags_of(names: list[str]) -> tuple[Desired, ...]:
    return tuple(
        ContrailObject(
            "tag",
            (f"label={name}",),
            f"{abs(hash(name)) % 16**8:08x}-0000-5000-8000-000000000000",
            None,
            {"tag_type_name": "label", "tag_value": name},
        )
        for name in names
    )


def lists_pods(namespace_: Resource, view: View) -> tuple[Desired, ...]:
    """A namespace wants a tag per pod in it."""
    return tags_of([each.name for each in view.list("Pod", namespace_.name)])


def lists_nodes(namespace_: Resource, view: View) -> tuple[Desired, ...]:
    """Every namespace wants a tag per node of the cluster."""
    return tags_of([each.name for each in view.list("Node")])


@pytest.fixture
def translations() -> Iterator[dict[str, object]]:
    """The registry, put back afterwards."""
    before = dict(TRANSLATIONS)
    yield TRANSLATIONS  # type: ignore[misc]
    TRANSLATIONS.clear()
    TRANSLATIONS.update(before)


def tags(backend: MemoryBackend) -> set[str]:
    return {row[1] for row in backend.dump()["objects"].values() if row[0] == "tag" and not row[7]}


def test_a_list_is_read_again_when_a_member_comes_or_goes(translations: dict[str, object]) -> None:
    translations["Namespace"] = lists_pods
    backend = MemoryBackend()
    world = World(backend.store)
    world.tell(namespace(), namespace("other", 2), pod("a", 3), pod("b", 4, namespace="other"))
    assert tags(backend) == {"label=a", "label=b"}
    assert backend.dump()["reads"]["Namespace//shop"] == ["Pod/shop/*"]
    world.tell(pod("c", 5))
    assert tags(backend) == {"label=a", "label=b", "label=c"}
    world.tell(pod("a", 6, op=Op.DELETE))
    assert tags(backend) == {"label=b", "label=c"}


def test_a_list_over_the_whole_cluster_reaches_every_partition(translations: dict[str, object]) -> None:
    translations["Namespace"] = lists_nodes
    backend = MemoryBackend()
    world = World(backend.store)
    world.tell(*(namespace(f"team-{number}", number + 1) for number in range(6)))
    world.tell_each(node(f"n{number}", 10 + number) for number in range(3))
    assert tags(backend) == {"label=n0", "label=n1", "label=n2"}
    sources = {key for _, key in backend.dump()["sources"] if key.startswith("Namespace/")}
    assert len(sources) == 6


def test_a_chain_of_questions_is_followed_to_its_end(translations: dict[str, object]) -> None:
    def follows(resource: Resource, view: View) -> tuple[Desired, ...]:
        name = "n0"
        for step in range(1, 20):
            if view.get("Node", "", name) is None:
                return tags_of([name])
            name = f"n{step}"
        return ()

    translations["Namespace"] = follows
    backend = MemoryBackend()
    world = World(backend.store)
    world.tell(*(node(f"n{number}", number + 1) for number in range(10)))
    world.tell(namespace())
    assert tags(backend) == {"label=n10"}


def test_questions_without_end_are_a_defect_that_stops_the_process(translations: dict[str, object]) -> None:
    def asks_on(resource: Resource, view: View) -> tuple[Desired, ...]:
        number = 0
        while view.get("Node", "", f"x{number}") is None:
            number += 1
        return ()

    translations["Namespace"] = asks_on
    with pytest.raises(RuntimeError, match="asks without end"):
        World(MemoryBackend().store).tell(namespace())


def refuses(namespace_: Resource, view: View) -> tuple[Desired, ...]:
    """A namespace cannot be translated while node n1 has no address."""
    node_ = view.get("Node", "", "n1")
    if node_ is not None and not node_.body.internal_address():  # type: ignore[union-attr]
        raise TranslationError(f"Namespace {namespace_.name}: node n1 has no InternalIP; one is needed")
    return tags_of([namespace_.name])


def test_a_translation_that_fails_leaves_what_was_there_and_is_tried_when_something_changes(
    translations: dict[str, object],
) -> None:
    translations["Namespace"] = refuses
    backend = MemoryBackend()
    world = World(backend.store)
    world.tell(namespace())
    objects = backend.dump()["objects"]
    failed = world.tell(node(version=2, address=""))
    assert [(each.stage, each.resource) for each in failed.dead_letters] == [("translate", "Namespace//shop")]
    world.tell(namespace(version=3, labels={"team": "a"}))
    assert backend.dump()["objects"] == objects
    assert {(key[1][-1], row[2], row[3]) for key, row in backend.dump()["letters"].items()} == {
        ("0", 1, False),
        ("1", 1, False),
    }
    world.tell(node(version=4, address="", op=Op.UPSERT), namespace("other", 5))
    world.tell(node(version=6))
    assert [row[3] for row in backend.dump()["letters"].values()] == [True] * len(backend.dump()["letters"])
    assert tags(backend) == {"label=shop", "label=other"}


def test_an_object_that_breaks_the_model_is_never_stored(translations: dict[str, object]) -> None:
    def wrong(namespace_: Resource, view: View) -> tuple[Desired, ...]:
        return (ContrailObject("tag", ("label=x",), "no uuid", None, {"tag_typ_name": "label"}),)

    translations["Namespace"] = wrong
    backend = MemoryBackend()
    summary = World(backend.store).tell(namespace())
    assert [each.error_class for each in summary.dead_letters] == ["ModelError"]
    assert backend.dump()["objects"] == {}
