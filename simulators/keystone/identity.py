"""Users, projects and tokens of the simulated Keystone (pure; time comes in as an argument)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Any
_UNAUTHENTICATED = "The request you have made requires authentication."


class Refusal(Exception):
    """The request is answered with this status and message."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.title = title


@dataclass(frozen=True, slots=True)
class Token:
    """An issued token; times are seconds since 1970."""

    value: str
    user: str
    project: str
    issued_at: float
    expires_at: float


@dataclass(slots=True)
class Identity:
    """One user with the role admin in one project, and the tokens that were issued; `lifetime` is in seconds."""

    user: str = "admin"
    password: str = field(default="secret", repr=False)
    project: str = "admin"
    domain: str = "Default"
    lifetime: float = 3600.0
    tokens: dict[str, Token] = field(default_factory=dict)

    def issue(self, asked: Json, *, value: str, now: float) -> Token:
        """A token for a `POST /auth/tokens`; raises Refusal. The original tells no reason but 401 either."""
        try:
            identity, scope = asked["auth"]["identity"], asked["auth"]["scope"]["project"]
            user = identity["password"]["user"]
            methods = identity["methods"]
            given = (user["name"], user["domain"]["name"], user["password"], scope["name"], scope["domain"]["name"])
        except (KeyError, TypeError) as error:
            raise Refusal(400, "Bad Request", f"Expecting to find {error} in auth.") from error
        if methods != ["password"] or given != (self.user, self.domain, self.password, self.project, self.domain):
            raise Refusal(401, "Unauthorized", _UNAUTHENTICATED)
        token = Token(value, self.user, self.project, now, now + self.lifetime)
        self.tokens[value] = token
        return token

    def valid(self, value: str, *, now: float) -> Token | None:
        """The token of this value, if it was issued, has not ended and was not revoked."""
        token = self.tokens.get(value)
        return token if token is not None and now < token.expires_at else None

    def shown(self, token: Token) -> Json:
        """A token as answers hold it."""
        domain = {"id": "default", "name": self.domain}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": f"id-of-{token.user}", "name": token.user, "domain": domain},
                "project": {"id": f"id-of-{token.project}", "name": token.project, "domain": domain},
                "roles": [{"id": "id-of-admin-role", "name": "admin"}],
                "issued_at": _text(token.issued_at),
                "expires_at": _text(token.expires_at),
                "catalog": [],
            }
        }


def _text(seconds: float) -> str:
    """As Keystone writes times: 2026-11-23T03:00:01.000000Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
