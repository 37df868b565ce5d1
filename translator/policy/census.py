"""What the compiler asks of pods and namespaces, and which of them must carry which membership tag (pure).

Only selectors that no conjunction of labels says, named ports, and blocks that cover some pods of the own namespace ask
at all: what asks is translated again with every pod it asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

import msgspec

from schemas.contrail.objects import Link
from schemas.records import IpBlock, LabelSelector, NamespaceRecord, NodeRecord, PodRecord
from translator.policy import blocks, selectors
from translator.policy.model import NO_TAGS, Endpoint, Tags
from translator.policy.own_pods import OwnPods
from translator.resource import Key, Resource
from translator.translate import names, tags
from translator.translate.names import Named
from translator.translate.pod import has_interface, interfaces
from translator.view import NotLoaded, View

T = TypeVar("T")
U = TypeVar("U")

Members = dict[str, dict[str, Link]]
"""Links by membership tag, then by their uuid."""

_ENCODE = msgspec.json.Encoder(order="sorted").encode


class Census:
    """Answers for the policies of one namespace; `members` are the tags that its answers gave out."""

    def __init__(self, namespace: Resource, view: View) -> None:
        self.namespace = namespace
        self.settings = view.settings
        self.members: Members = {}
        self._holders: dict[str, set[str]] = {}
        self._own_pods: OwnPods | None = None
        self._view = view

    def own(self, selector: LabelSelector) -> tuple[Tags, ...]:
        """Tags of the own namespace's pods that are selected: all of one of these."""
        return self._pods(selector, lambda: (self.namespace,))

    def peers(
        self, namespaces: LabelSelector | None, selector: LabelSelector | None
    ) -> tuple[tuple[Tags, Tags, bool], ...]:
        """Tags of a peer's pods: of the namespace and of the pod, and whether the own namespace is among them.

        An absent namespace selector is the own namespace: nothing is said of it then.
        """
        if namespaces is None:
            return tuple((NO_TAGS, pods, True) for pods in self.own(selector or LabelSelector()))
        places = selectors.conjunctions(namespaces, tags.NAMESPACE)
        pods = self._pods(selector, lambda: self.selected(namespaces))
        if places is None:
            here = selectors.selects(namespaces, self._labels(self.namespace))
            return tuple((self._places(namespaces), each, here) for each in pods)
        return tuple((place, each, self._is_at(place)) for place in places for each in pods)

    def _is_at(self, place: Tags) -> bool:
        """Whether the own namespace carries these labels: of several alternatives only some may mean it."""
        labels, start = self._labels(self.namespace), len(tags.NAMESPACE) + 1
        return all(labels.get(key[start:]) == value for key, value in place.labels)

    def selected(self, namespaces: LabelSelector | None) -> tuple[Resource, ...]:
        """Namespaces that are selected; the own one where there is no selector."""
        if namespaces is None:
            return (self.namespace,)
        every = self._view.list("Namespace")
        return tuple(each for each in every if selectors.selects(namespaces, self._labels(each)))

    def pods(self, namespaces: Iterable[Resource], selector: LabelSelector | None) -> Iterator[Resource]:
        """Pods of these namespaces that are selected and have interfaces of ours."""
        for listed in together(lambda each: self._view.list("Pod", each.name), namespaces):
            for pod in listed:
                record = cast(PodRecord, pod.body)
                if has_interface(record) and selectors.selects(selector, record.labels):
                    yield pod

    def member(self, what: object, pods: Iterable[Resource]) -> Tags:
        """A membership tag, given to all interfaces of these pods; `what` says in JSON who they are.

        Asked again with other pods (of other namespaces, say), all of them have it.
        """
        text, chosen = self._text(what), tuple(pods)
        self._holders.setdefault(text, set()).update(pod.uid for pod in chosen)
        self._give(text, self.interfaces(chosen))
        return Tags(members=(text,))

    def addresses(self, what: object, pods: Iterable[Resource], cidrs: tuple[str, ...]) -> Endpoint | None:
        """The addresses of these pods that are in the prefixes, as a group; `what` says in JSON which they are."""
        known = (address for pod in pods for address in cast(PodRecord, pod.body).pod_ips)
        found = blocks.inside(known, cidrs)
        return Endpoint(prefixes=found, group=self._digest(what)) if found else None

    def own_addresses(self, wanted: Tags, cidrs: tuple[str, ...]) -> Endpoint | None:
        """The same of the own pods that carry these tags."""
        if self._own_pods is None:
            self._own_pods = OwnPods(self.pods((self.namespace,), None), self._holders)
        found = blocks.inside(self._own_pods.addresses(wanted, cidrs), cidrs)
        return Endpoint(prefixes=found, group=self._digest(["own", wanted, cidrs])) if found else None

    def interfaces(self, pods: Iterable[Resource]) -> list[Named]:
        """All interfaces of these pods."""
        owners = together(lambda pod: interfaces(pod, self._view), pods)
        return [interface for each in owners for interface in each]

    def nodes(self, selector: LabelSelector) -> tuple[str, ...]:
        """Addresses of the nodes that are selected, as prefixes."""
        records = [cast(NodeRecord, each.body) for each in self._view.list("Node")]
        chosen = [each for each in records if selectors.selects(selector, each.labels)]
        return blocks.prefixes(IpBlock(cidr=text) for each in chosen for text in each.ip_addresses())

    def _pods(self, selector: LabelSelector | None, scope: Callable[[], Iterable[Resource]]) -> tuple[Tags, ...]:
        found = selectors.conjunctions(selector, tags.POD)
        if found is not None:
            return found
        namespaces = tuple(scope())
        what = ["pods", [each.name for each in namespaces] if len(namespaces) == 1 else "", selector]
        return (self.member(what, self.pods(namespaces, selector)),)

    def _places(self, namespaces: LabelSelector) -> Tags:
        """A membership tag of namespaces: on their projects, or on their pods where all share one project."""
        chosen, what = self.selected(namespaces), ["namespaces", namespaces]
        if self.settings.project:
            return self.member(what, self.pods(chosen, None))
        text = self._text(what)
        projects = (names.project(self.settings, each.name) for each in chosen)
        self._give(text, [each for each in projects if isinstance(each, Named)])
        return Tags(members=(text,))

    def _text(self, what: object) -> str:
        return tags.member_text(self.settings.cluster, self._digest(what))

    def _digest(self, what: object) -> str:
        return hashlib.sha256(_ENCODE([self.namespace.name, what])).hexdigest()[:32]

    def _give(self, text: str, owners: Iterable[Named]) -> None:
        tag, links = tags.named(self.settings.cluster, text), self.members.setdefault(text, {})
        for owner in owners:
            link = Link(owner.type, owner.fq_name, tag.type, tag.fq_name, tag.uuid, owner_uuid=owner.uuid)
            links[link.uuid] = link

    @staticmethod
    def _labels(namespace: Resource) -> dict[str, str]:
        return cast(NamespaceRecord, namespace.body).labels


def together(ask: Callable[[T], U], about: Iterable[T]) -> list[U]:
    """The answers about each; what they lack is asked for all at once, so that many questions are one load."""
    answers: list[U] = []
    missing: set[Key] = set()
    for each in about:
        try:
            answers.append(ask(each))
        except NotLoaded as lack:
            missing |= lack.keys
    if missing:
        raise NotLoaded(frozenset(missing))
    return answers
