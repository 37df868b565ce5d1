"""What is done with every object of Contrail that belongs to this cluster (pure): one verdict each, with its reason.

Removed is only what was made for a pod or namespace that is gone. The floating-ip below a service's address is made
anew: nobody knows which of its members are ours to take away. What nobody translates yet is left alone, and so is
everything that something left alone needs.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from applier.adoption.belonging import belonging, is_servers_own
from applier.adoption.keeping import Takeover, take_over
from applier.adoption.matching import Doubt, Matching, match
from applier.adoption.objects import (
    FLOATING_IP,
    INSTANCE_IP,
    INTERFACE,
    IPAM,
    MACHINE,
    NETWORK,
    POLICY,
    PROJECT,
    SECURITY_GROUP,
    Cluster,
    Live,
    Survey,
)

_TRANSLATED = frozenset({PROJECT, IPAM, NETWORK, POLICY, SECURITY_GROUP, MACHINE, INTERFACE, INSTANCE_IP})
"""Types that translation makes for every cluster; of others, if none is wanted, it does not know what would be."""
SKEW = 60.0
"""Seconds by which the clocks of Contrail and of the watchers may differ."""


class Verdict(StrEnum):
    """What happens to an object of Contrail."""

    KEPT = "kept"
    """It serves a desired object from now on."""
    REPLACED = "replaced"
    """It stands in the place of a desired object and cannot serve it: it is deleted, and made anew."""
    REMOVED = "removed"
    """What it was made for is gone: it is deleted."""
    LEFT = "left alone"
    """It is not touched."""
    AMBIGUOUS = "ambiguous"
    """It may be the one or another may: it is not touched, and what it might serve waits for a person."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One object's verdict; `takeover` is how it is kept."""

    live: Live
    verdict: Verdict
    reason: str
    takeover: Takeover | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All verdicts, in order of verdict, type and name; `held` are reasons why desired objects must not be made now.

    `held` is by the store's uuid: making them would give a running pod a second interface or address.
    """

    judged: tuple[Judged, ...]
    held: Mapping[str, str]

    @property
    def takeovers(self) -> tuple[Takeover, ...]:
        """How what is kept is kept."""
        return tuple(j.takeover for j in self.judged if j.takeover is not None)

    def of(self, *verdicts: Verdict) -> tuple[Judged, ...]:
        """Objects with one of these verdicts."""
        return tuple(j for j in self.judged if j.verdict in verdicts)


def judge(cluster: Cluster, survey: Survey) -> Judgement:
    """Verdicts on all objects of the cluster; those of others are not among them."""
    found = match(cluster, survey.objects)
    takeovers = take_over(found.pairs.values())
    serving = {found.pairs[uuid].live.uuid: takeover for uuid, takeover in takeovers.items()}
    doubted = _doubted(found.doubts.values(), found.taken)
    machines = machines_of(survey.objects)
    leaving = {w.alias.contrail_uuid if w.alias else w.uuid for w in cluster.wanted if w.absent}
    translated = _TRANSLATED | {wanted.type for wanted in cluster.wanted}
    ours = belonging(cluster, survey.objects, found.taken)
    verdicts = {}
    for live in survey.objects:
        if live.uuid in serving:
            verdicts[live.uuid] = _kept(serving[live.uuid])
        elif live.uuid in doubted:
            verdicts[live.uuid] = _in_doubt(cluster, live, doubted[live.uuid], machines)
        elif live.uuid in leaving:
            verdicts[live.uuid] = Judged(live, Verdict.LEFT, "the applier is about to delete it")
        elif live.type == FLOATING_IP and live.mark is None and live.parent_uuid in serving:
            reason = "its service's address is kept; what leads to the members is made anew"
            verdicts[live.uuid] = _going(cluster, live, "EndpointSlice", Verdict.REPLACED, reason)
        elif live.uuid in ours:
            verdicts[live.uuid] = _unmatched(cluster, live, machines, translated)
    _spare_what_is_needed(verdicts, survey.objects)
    ordered = sorted(verdicts.values(), key=lambda j: (list(Verdict).index(j.verdict), j.live.type, j.live.fq_name))
    return Judgement(tuple(ordered), _held(found, takeovers))


def _kept(takeover: Takeover) -> Judged:
    if takeover.fault:
        return Judged(takeover.pair.live, Verdict.LEFT, takeover.fault)
    return Judged(takeover.pair.live, Verdict.KEPT, str(takeover.pair.by), takeover)


def _doubted(doubts: Iterable[Doubt], taken: Mapping[str, str]) -> dict[str, Doubt]:
    return {live.uuid: doubt for doubt in doubts for live in doubt.among if live.uuid not in taken}


def _in_doubt(cluster: Cluster, live: Live, doubt: Doubt, machines: Mapping[str, str]) -> Judged:
    if doubt.several:
        return Judged(live, Verdict.AMBIGUOUS, f"{doubt.reason}; any of {len(doubt.among)} may be {doubt.wanted.label}")
    if live.type == MACHINE and live.mark == cluster.mark and not _runs(cluster, live, machines):
        reason = f"{doubt.wanted.label}: {doubt.reason}, which is gone; nothing is cut"
        return _going(cluster, live, "Pod", Verdict.REPLACED, reason)
    return Judged(live, Verdict.LEFT, f"{doubt.wanted.label}: {doubt.reason}")


def _unmatched(cluster: Cluster, live: Live, machines: Mapping[str, str], translated: Container[str]) -> Judged:
    if live.type.startswith("loadbalancer"):
        return Judged(
            live, Verdict.LEFT, "services are served without it; delete it when svc-monitor follows it no more"
        )
    if live.type not in translated:
        return Judged(live, Verdict.LEFT, f"nothing is translated to {live.type} yet")
    if live.mark != cluster.mark:
        return Judged(live, Verdict.LEFT, "it carries no mark, and nothing desired corresponds to it")
    if live.kind == "Pod" and live.type in (MACHINE, INTERFACE, INSTANCE_IP):
        if _runs(cluster, live, machines):
            return Judged(live, Verdict.LEFT, "its pod may run, but does not ask for it")
        return _going(cluster, live, live.kind, Verdict.REMOVED, "its pod is gone")
    if live.kind == "Namespace" and live.type in (PROJECT, SECURITY_GROUP):
        if live.pairs.get("namespace") in cluster.namespaces:
            return Judged(live, Verdict.LEFT, "its namespace is there, but does not ask for it")
        return _going(cluster, live, live.kind, Verdict.REMOVED, "its namespace is gone")
    return Judged(live, Verdict.LEFT, f"a {live.kind or 'thing unnamed'} is not translated to this {live.type} yet")


def _going(cluster: Cluster, live: Live, kind: str, verdict: Verdict, reason: str) -> Judged:
    """The verdict, if the store can know: a pod that came after the last listing may run, whatever the store says."""
    if live.made_at + SKEW < cluster.listed.get(kind, float("-inf")):
        return Judged(live, verdict, reason)
    return Judged(live, Verdict.LEFT, f"{reason}, as far as is known; it is younger than the last listing of {kind}")


def machines_of(objects: Sequence[Live]) -> dict[str, str]:
    """By uuid of an interface or address, the uuid of its virtual-machine, which is its pod's uid."""
    interfaces = {o.uuid: o.targets(MACHINE)[0] for o in objects if o.type == INTERFACE and o.targets(MACHINE)}
    addresses = {
        o.uuid: interfaces[o.targets(INTERFACE)[0]]
        for o in objects
        if o.type == INSTANCE_IP and o.targets(INTERFACE) and o.targets(INTERFACE)[0] in interfaces
    }
    return interfaces | addresses


def _runs(cluster: Cluster, live: Live, machines: Mapping[str, str]) -> bool:
    """Whether the pod that an object was made for may run."""
    uid = live.uuid if live.type == MACHINE else machines.get(live.uuid)
    named = (live.pairs.get("namespace", ""), live.pairs.get("name", ""))
    return uid in cluster.pods or named in cluster.unread or (uid is None and named in cluster.named)


def _spare_what_is_needed(verdicts: dict[str, Judged], objects: Sequence[Live]) -> None:
    """Leave alone what has a child or referrer that stays."""
    needed: dict[str, list[Live]] = {}
    going = {uuid for uuid, j in verdicts.items() if j.verdict in (Verdict.REMOVED, Verdict.REPLACED)}
    for live in objects:
        if is_servers_own(live):
            continue
        for uuid in {live.parent_uuid, *live.every_target()} & going:
            needed.setdefault(uuid, []).append(live)
    spared = True
    while spared:
        spared = False
        for uuid in sorted(going):
            stays = [live for live in needed.get(uuid, ()) if live.uuid not in going]
            if stays:
                verdicts[uuid] = replace(
                    verdicts[uuid],
                    verdict=Verdict.LEFT,
                    reason=f"{verdicts[uuid].reason}, but {stays[0].label} needs it",
                )
                going.discard(uuid)
                spared = True


def _held(found: Matching, takeovers: Mapping[str, Takeover]) -> dict[str, str]:
    """Only interfaces and addresses: of anything else Contrail itself refuses a second one of the name."""
    held = {uuid: doubt.reason for uuid, doubt in found.doubts.items() if doubt.wanted.type in (INTERFACE, INSTANCE_IP)}
    faults = {uuid: t.fault for uuid, t in takeovers.items() if t.fault}
    return held | faults
