"""Who may call the simulated config API: everybody, who knows a password, or who has a token of Keystone (shell)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping

from simulators.contrail.answers import Answer

Guard = Callable[[Mapping[str, str]], Awaitable[Answer | None]]
"""Looks at a request's headers; what it answers instead of the API, or None to let it pass."""
IsValid = Callable[[str], Awaitable[bool]]
"""Whether Keystone has issued this token, and it is still good."""
_UNAUTHENTICATED = "Authentication required"


async def everybody(headers: Mapping[str, str]) -> Answer | None:
    """No authentication."""
    return None


def with_password(user: str, password: str) -> Guard:
    """Basic authentication as one user."""
    wanted = f"{user}:{password}".encode()

    async def guard(headers: Mapping[str, str]) -> Answer | None:
        kind, _, shown = headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(shown, validate=True) if kind == "Basic" else b""
        except binascii.Error:
            given = b""
        if hmac.compare_digest(given, wanted):
            return None
        return Answer(status=401, text=_UNAUTHENTICATED, headers={"WWW-Authenticate": 'Basic realm="contrail"'})

    return guard


def with_token(is_valid: IsValid, *, keystone_url: str) -> Guard:
    """A token in X-Auth-Token, as the original's middleware asks for it."""

    async def guard(headers: Mapping[str, str]) -> Answer | None:
        token = headers.get("X-Auth-Token", "")
        if token and await is_valid(token):
            return None
        challenge = {"WWW-Authenticate": f'Keystone uri="{keystone_url}"'}
        return Answer(status=401, text=_UNAUTHENTICATED, headers=challenge)

    return guard


def asks_keystone(keystone_url: str) -> IsValid:
    """Asks a Keystone about each token: nothing is remembered, so that a revocation counts at once."""
    import aiohttp  # not at the top: who only reads the simulator's settings may be installed without it

    async def is_valid(token: str) -> bool:
        shown = {"X-Auth-Token": token, "X-Subject-Token": token}
        async with aiohttp.request("GET", f"{keystone_url}/auth/tokens", headers=shown) as response:
            return response.status == 200

    return is_valid
