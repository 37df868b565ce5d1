"""Lists what Contrail has and judges it, page by page (shell). It changes nothing, in Contrail or in the store.

Complete or nothing: a page that cannot be had ends the survey with an error, and nothing may be concluded from it. Only
a type that this Contrail does not have, and the store does not want, counts as listed.
What looks changed or missing is read once more by its uuid, so that a list that was out of date finds nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from applier.audit import scratch
from applier.audit.calls import Calls, UnknownType
from applier.audit.entries import findings_of_entries
from applier.audit.judge import fields_of, judge, judge_link, judge_unknown, missing
from applier.audit.session import Session
from applier.audit.values import Finding, Live, LiveLink
from applier.outcome import Call
from applier.owners import ROUTER
from applier.progress import Progress
from applier.writer import OwnerMark
from schemas.contrail.objects import ENTRY, LINK, Json
from schemas.contrail.shapes import reference_field

logger = logging.getLogger(__name__)

NEVER_OURS = frozenset(
    {
        "access-control-list",
        "alarm",
        "api-access-list",
        "config-root",
        "domain",
        "fabric",
        "global-qos-config",
        "global-system-config",
        "global-vrouter-config",
        "namespace",
        "policy-management",
        "route-target",
        "routing-instance",
        "service-appliance",
        "service-appliance-set",
        "service-template",
        "tag-type",
        "virtual-router",
    }
)
"""Types of which the server, or whoever runs Contrail, makes the objects: listed only where the store wants some."""
FIRST_PAGE = "None"
"""Marker of the first page: without any, the API ignores the page's size."""
CHUNK = 200
"""Objects read once more with one call."""
_ADDRESS = "virtual_router_ip_address"


class Survey:
    """One comparison; `listed` counts the objects of Contrail that were read."""

    def __init__(
        self, session: Session, calls: Calls, *, mark: OwnerMark, page_size: int, progress: Progress, began: datetime
    ) -> None:
        self._session = session
        self._calls = calls
        self._mark = mark
        self._cluster = mark.cluster
        self._page_size = page_size
        self._progress = progress
        self._began = began
        self.listed = 0

    def run(self, types: Sequence[str]) -> None:
        """Compare everything; findings stand in audit_found then. Raises ContrailUnavailable, StoreUnavailable."""
        wanted = self._session.run("count objects", scratch.wanted_types, self._cluster)
        for type_ in sorted((({*types} - NEVER_OURS) | wanted.keys()) - {LINK, ENTRY}):
            self._progress.begin(f"{type_}s", wanted.get(type_, 0))
            try:
                self._compare(type_)
            except UnknownType:
                if wanted.get(type_):
                    raise
                logger.info("not audited, as this Contrail does not know it type=%s", type_)
        if wanted.get(LINK):
            self._progress.begin("links")
            self._compare_links()
        if wanted.get(ENTRY):
            self._progress.begin("entries")
            self._note(findings_of_entries(self._session, self._pages, mark=self._mark, began=self._began))

    def _compare(self, type_: str) -> None:
        self._session.run("begin with a type", scratch.forget_type)
        for page in self._pages(type_, fields_of(type_)):
            self._confirm(type_, self._session.run("compare a page", self._judge, page))
        self._session.run("find what is missing", scratch.gather_unseen, type_, self._cluster, self._began)
        for uuids in self._candidates():
            self._confirm(type_, uuids)

    def _pages(self, type_: str, fields: Sequence[str]) -> Iterator[list[Live]]:
        marker: str | None = FIRST_PAGE
        while marker:
            page, marker = self._page(type_, fields, marker)
            self.listed += len(page)
            self._progress.advance(len(page))
            if page:
                yield page

    def _page(self, type_: str, fields: Sequence[str], marker: str) -> tuple[list[Live], str | None]:
        size = self._page_size
        answer = self._calls.read(
            Call.LOOKUP, lambda client: client.read_page(type_, fields=fields, marker=marker, size=size)
        )
        return [Live.of(type_, item) for item in answer.json[f"{type_}s"]], answer.json.get("marker")

    def _judge(self, connection: Connection, page: Sequence[Live]) -> list[str]:
        """Note a page; returns the store's uuids of what differs."""
        wanted = scratch.wanted_of(connection, [live.uuid for live in page], self._cluster, self._began)
        scratch.note_seen(connection, page)
        unknown = [live for live in page if live.uuid not in wanted]
        parents = scratch.ours(connection, (live.parent_uuid for live in unknown if live.parent_uuid), self._cluster)
        found = [judge_unknown(live, mark=self._mark, parent=parents.get(live.parent_uuid or "")) for live in unknown]
        scratch.note_found(connection, (finding for finding in found if finding is not None))
        known = scratch.with_links(connection, [(live, wanted[live.uuid]) for live in page if live.uuid in wanted])
        return [each.row.uuid for live, each in known if judge(live, each) is not None]

    def _confirm(self, type_: str, uuids: Sequence[str]) -> None:
        """Read these rows' objects once more, and note what still differs or is missing."""
        for start in range(0, len(uuids), CHUNK):
            chunk = uuids[start : start + CHUNK]
            rows = self._session.run("read rows", scratch.settled_rows, chunk, self._cluster, self._began)
            live = self._read(type_, [wanted.row.contrail_uuid for wanted in rows]) if rows else {}
            there = [(live[w.row.contrail_uuid], w) for w in rows if w.row.contrail_uuid in live]
            known = self._session.run("ask for links", scratch.with_links, there)
            lacking = [missing(wanted) for wanted in rows if wanted.row.contrail_uuid not in live]
            self._note([*lacking, *(judge(each, wanted) for each, wanted in known)])

    def _read(self, type_: str, uuids: Sequence[str]) -> dict[str, Live]:
        answer = self._calls.read(
            Call.LOOKUP, lambda client: client.read_many(type_, fields=fields_of(type_), uuids=uuids)
        )
        return {item["uuid"]: Live.of(type_, item) for item in answer.json[f"{type_}s"]}

    def _compare_links(self) -> None:
        # The second list, where one is needed, tells whether the first was only out of date.
        if not (self._list_links() and self._list_links()):
            return
        for uuids in self._candidates():
            rows = self._session.run("read links", scratch.settled_rows, uuids, self._cluster, self._began)
            targets = [wanted.row.body["target"]["uuid"] for wanted in rows]
            live: dict[str, list[LiveLink]] = {}
            for reference in self._session.run("read references", scratch.references_to, targets):
                live.setdefault(reference.target_uuid, []).append(reference)
            self._note([judge_link(wanted, live.get(wanted.row.body["target"]["uuid"], ())) for wanted in rows])

    def _list_links(self) -> int:
        """Note every reference from owners of links; returns how many links are not plainly among them."""
        linked = self._session.run("read types of links", scratch.linked_types, self._cluster)
        self._session.run("begin with links", scratch.forget_type)
        self._session.run("begin with references", scratch.forget_references)
        for owner in sorted(linked):
            fields = [reference_field(target) for target in sorted(linked[owner])]
            for page in self._pages(owner, [*fields, *([_ADDRESS] if owner == ROUTER else [])]):
                found = [reference for live in page for reference in _references(live, fields)]
                self._session.run("note references", scratch.note_references, found)
        return self._session.run("compare links", scratch.gather_unmatched, self._cluster, self._began)

    def _candidates(self) -> Iterator[list[str]]:
        after = scratch.NOTHING
        while uuids := self._session.run("read candidates", scratch.candidates, after, CHUNK):
            yield uuids
            after = uuids[-1]

    def _note(self, found: Sequence[Finding | None]) -> None:
        findings = [finding for finding in found if finding is not None]
        self._session.run("note findings", scratch.note_found, findings)


def _references(live: Live, fields: Sequence[str]) -> Iterator[LiveLink]:
    address = str(live.fields.get(_ADDRESS) or "")
    for name in fields:
        references: Json = live.fields.get(name) or ()
        for reference in references:
            yield LiveLink(live.type, live.uuid, live.fq_name, address, reference["uuid"], reference.get("attr"))
