"""Calls and answers as values, and the refusals that handlers raise (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

Json = Any
_QUOTA_PAGE = """
    <!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
    <html>
        <head>
            <title>Error: 412 Precondition Failed</title>
            <style type="text/css">
              html {{background-color: #eee; font-family: sans;}}
              body {{background-color: #fff; border: 1px solid #ddd;
                    padding: 15px; margin: 15px;}}
              pre {{background-color: #eee; border: 1px solid #ddd; padding: 5px;}}
            </style>
        </head>
        <body>
            <h1>Error: 412 Precondition Failed</h1>
            <p>Sorry, the requested URL <tt>&#039;{url}&#039;</tt>
               caused an error:</p>
            <pre>{message}</pre>
        </body>
    </html>
"""


class Refusal(Exception):
    """The request is answered with this status and text, and changes nothing."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `base` is the server's own URL as the client wrote it, for links in answers."""

    method: str
    path: str
    base: str = ""
    query_text: str = ""
    content_type: str = ""
    content: bytes = b""
    if_none_match: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the query; the last one counts where a name is given twice."""
        return dict(parse_qsl(self.query_text, keep_blank_values=True)) if self.query_text else {}

    def json(self) -> Json:
        """The body; Refusal 500 for anything but JSON that is sent as JSON, as the original does.

        An empty body is None.
        """
        if not self.content:
            return None
        if self.content_type.partition(";")[0].strip().lower() != "application/json":
            raise internal()
        try:
            return msgspec.json.decode(self.content)
        except msgspec.DecodeError:
            raise internal() from None

    def fields(self) -> dict[str, Json]:
        """The body as a JSON object; Refusal 500 if it is none."""
        body = self.json()
        if not isinstance(body, dict):
            raise internal()
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a JSON value, or plain text (which may be empty) where `json` is None."""

    json: Json = None
    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def internal() -> Refusal:
    """What the original says when it did not expect the request."""
    return Refusal(500, "Internal Server Error")


def failed(error: str) -> Refusal:
    """What the original says when its own code raised: the last line of the traceback."""
    return Refusal(500, error)


def over_quota(url: str, limit: int, resource: str) -> Refusal:
    """The only error that comes as a page of HTML."""
    message = f"quota limit ({limit}) exceeded for resource {resource}"
    return Refusal(412, _QUOTA_PAGE.format(url=url, message=message))


def unknown_id(uuid: object) -> Refusal:
    """An object that is not there."""
    return Refusal(404, f"Unknown id: {uuid}")


def not_allowed(methods: Iterable[str]) -> Answer:
    """A path that exists, asked with the wrong method."""
    return Answer(text="Method not allowed.", status=405, headers={"Allow": ",".join(methods)})
