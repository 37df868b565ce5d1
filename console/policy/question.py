"""Questions about connections, asked of Kubernetes' policies and of Contrail's rules together (pure).

The two answers must be one; where they are not, the difference is a fault of ours and is never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.policy.ends import ICMP, End, Port, ends, is_number, port
from console.policy.picture import Picture, Pod
from console.policy.semantics import Answer, answer
from schemas.errors import SettingsError
from translator.policy.evaluate import Evaluator, Place, Verdict


@dataclass(frozen=True, slots=True)
class Reply:
    """Both answers to one question."""

    kubernetes: Answer
    contrail: Verdict

    @property
    def allowed(self) -> bool:
        """What Kubernetes means."""
        return self.kubernetes.allowed

    @property
    def differs(self) -> bool:
        """Whether Contrail would do something else."""
        return self.kubernetes.allowed != self.contrail.passes


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A cluster's picture, and an evaluator of the objects that follow from it."""

    picture: Picture
    evaluator: Evaluator

    def test(self, source: str, target: str, asked: str) -> list[Reply]:
        """One reply for each family in which both ends have an address; raises SettingsError."""
        sources, targets = ends(source, "--from", self.picture), ends(target, "--to", self.picture)
        if source == target or (sources[0].pod is not None and sources[0].pod == targets[0].pod):
            raise SettingsError(f"--from {source} and --to {target} are one: what a pod says to itself never leaves it")
        if sources[0].pod is None and targets[0].pod is None:
            raise SettingsError(f"neither {source!r} nor {target!r} is a pod's: policies are about pods")
        wanted = port(asked, targets[0].pod)
        pairs = [(one, two) for one in sources for two in targets if one.family == two.family]
        if not pairs:
            raise SettingsError(f"{source!r} and {target!r} have no addresses of one family")
        return [self.ask(one, two, wanted) for one, two in pairs]

    def ask(self, source: End, target: End, wanted: Port) -> Reply:
        """The reply to one question."""
        verdict = self.evaluator.verdict(_place(source), _place(target), wanted.protocol, wanted.number)
        return Reply(answer(self.picture, source, target, wanted), verdict)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table: replies by place of source and target among the ends, and by port as it was asked.

    A cell is absent where there is nothing to ask: a pod and itself, other families, a port that the target has not.
    """

    ends: tuple[tuple[End, ...], ...]
    ports: tuple[str, ...]
    cells: dict[tuple[int, int, str], Reply]

    @property
    def differing(self) -> list[Reply]:
        """Replies in which the two do not agree."""
        return [reply for reply in self.cells.values() if reply.differs]


def matrix(
    inquiry: Inquiry,
    *,
    ports: Sequence[str],
    namespaces: Sequence[str] = (),
    outside: Iterable[str] = (),
    family: int = 0,
) -> Matrix:
    """The table of all pods (of these namespaces) and these addresses; without ports, of all that containers declare.

    `family` 0 takes the first that two ends share.
    """
    picture = inquiry.picture
    if unknown := [each for each in namespaces if each not in picture.namespaces]:
        raise SettingsError(f"--namespace {unknown[0]!r}: known are {', '.join(sorted(picture.namespaces)) or 'none'}")
    pods = [pod for _, pod in sorted(picture.pods.items()) if not namespaces or pod.namespace in namespaces]
    if not pods:
        raise SettingsError("there is no pod to ask of")
    if nowhere := [each for each in ports if not _is_number(each) and not any(_has(pod, each) for pod in pods)]:
        raise SettingsError(f"--port {nowhere[0]!r}: none of the pods has a port of that name and protocol")
    places = [tuple(End(each, pod) for each in pod.addresses) for pod in pods if pod.addresses]
    places += [tuple(ends(each, "--outside", picture)) for each in outside]
    asked = tuple(ports) or _declared(pods)
    cells = {}
    for row, sources in enumerate(places):
        for column, targets in enumerate(places):
            pair = _pair(sources, targets, family)
            for text in asked if pair is not None and row != column else ():
                wanted = _wanted(text, pair[1] if pair is not None else targets[0])
                if pair is not None and wanted is not None and (pair[0].pod or pair[1].pod):
                    cells[row, column, text] = inquiry.ask(*pair, wanted)
    return Matrix(tuple(places), asked, cells)


def _declared(pods: Iterable[Pod]) -> tuple[str, ...]:
    found = {(each.port, each.protocol) for pod in pods for each in pod.ports}
    return tuple(f"{number}/{protocol}" for number, protocol in sorted(found)) or ("80/TCP",)


def _pair(sources: Iterable[End], targets: Iterable[End], family: int) -> tuple[End, End] | None:
    found = ((one, two) for one in sources for two in targets if one.family == two.family and family in (0, one.family))
    return next(found, None)


def _wanted(text: str, target: End) -> Port | None:
    """The port; None for a name that the target has no port of."""
    if _is_number(text) or (target.pod is not None and _has(target.pod, text)):
        return port(text, target.pod)
    return None


def _is_number(text: str) -> bool:
    """Whether it means the same to every target."""
    name = text.partition("/")[0]
    return is_number(name) or name.upper() == ICMP


def _has(pod: Pod, text: str) -> bool:
    name, _, protocol = text.partition("/")
    return any((each.name, each.protocol) == (name, (protocol or "TCP").upper()) for each in pod.ports)


def _place(end: End) -> Place:
    return Place(end.address, end.pod.uid if end.pod is not None else "")
