"""What adoption found, for a person and for programs (pure but for the stream that it writes to)."""

from __future__ import annotations

import json
from collections import Counter
from typing import TextIO

from applier.adoption.adopting import Adopted, Outlook
from applier.adoption.judging import Judged, Verdict
from schemas.contrail.objects import Json, joined

_LISTED = {Verdict.KEPT: 20}
"""Most objects that are listed one by one, by verdict; of the others all."""
_MEANING = {
    Verdict.KEPT: "goes on serving its pod, network or namespace under the uuid that it has",
    Verdict.REPLACED: "stands in the way of a desired object: deleted, and made anew",
    Verdict.REMOVED: "its pod or namespace is gone: deleted",
    Verdict.LEFT: "not touched",
    Verdict.AMBIGUOUS: "not touched; a person decides, by deleting what is not in use, and runs this again",
}


def write_report(outlook: Outlook, out: TextIO, *, everything: bool = False) -> None:
    """A table grouped by verdict, each with its counts by type and its objects."""
    for verdict in Verdict:
        found = outlook.judgement.of(verdict)
        if not found:
            continue
        counts = Counter(judged.live.type for judged in found)
        out.write(f"{verdict.upper()}: {len(found)}. {_MEANING[verdict]}\n")
        out.write("  " + ", ".join(f"{count} {type_}" for type_, count in sorted(counts.items())) + "\n")
        listed = found if everything else found[: _LISTED.get(verdict, len(found))]
        width = max(len(judged.live.label) for judged in listed)
        for judged in listed:
            out.write(f"  {judged.live.label:<{width}}  {_about(judged)}\n")
        if len(listed) < len(found):
            out.write(f"  and {len(found) - len(listed)} more (--all)\n")
    for uuid, reason in sorted(outlook.judgement.held.items()):
        out.write(f"HELD BACK: desired object {uuid} is not made: {reason}\n")
    if not outlook.judgement.judged:
        out.write("nothing in Contrail belongs to this cluster\n")


def write_result(adopted: Adopted, out: TextIO) -> None:
    """What was done, in a few lines."""
    gone = sum(not removed.failure for removed in adopted.removed)
    out.write(f"recorded {adopted.aliases} objects as adopted, deleted {gone}\n")
    for failure in adopted.failures:
        out.write(f"FAILED: {failure}\n")


def as_json(outlook: Outlook, adopted: Adopted | None, *, cluster: str) -> str:
    """Everything in one JSON object; `done` is null for a dry run."""
    judgement = outlook.judgement
    done = None
    if adopted is not None:
        gone = sum(not removed.failure for removed in adopted.removed)
        done = {"recorded": adopted.aliases, "deleted": gone, "failures": list(adopted.failures)}
    value = {
        "cluster": cluster,
        "counts": {str(verdict): len(judgement.of(verdict)) for verdict in Verdict},
        "busy": outlook.busy,
        "many": outlook.many,
        "held": dict(judgement.held),
        "objects": [_object(judged) for judged in judgement.judged],
        "done": done,
    }
    return json.dumps(value, indent=2, sort_keys=True)


def _about(judged: Judged) -> str:
    takeover = judged.takeover
    if takeover is None:
        return judged.reason
    changes = f"; will change: {', '.join(takeover.changes)}" if takeover.changes else ""
    stays = f"; stays as it is: {', '.join(takeover.stays)}" if takeover.stays else ""
    return f"{judged.reason}{changes}{stays}"


def _object(judged: Judged) -> dict[str, Json]:
    takeover = judged.takeover
    return {
        "verdict": str(judged.verdict),
        "reason": judged.reason,
        "type": judged.live.type,
        "uuid": judged.live.uuid,
        "fq_name": joined(judged.live.fq_name),
        "serves": takeover.pair.wanted.uuid if takeover else None,
        "changes": list(takeover.changes) if takeover else [],
        "stays": list(takeover.stays) if takeover else [],
    }
