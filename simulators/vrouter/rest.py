"""The port REST API of the agent, over aiohttp (shell): paths, methods and answer texts as the real one has them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulators.vrouter.agent import Agent
from simulators.vrouter.ports import UUID, BadPort, nova_ports, vm_port

Json = Any
Handler = Callable[[Agent, "re.Match[str]", str], Awaitable[web.Response]]


def application(agent: Agent) -> web.Application:
    """The API in front of an agent."""

    async def handle(request: web.Request) -> web.Response:
        for method, pattern, handler in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match and request.method == method:
                return await handler(agent, match, await request.text())
        # The agent knows no 405: a wrong method is an unknown request too.
        return _error("Unknown Request", 404)

    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def _post_vm(agent: Agent, _: re.Match[str], text: str) -> web.Response:
    try:
        port = vm_port(text)
        await agent.announce(port)
    except BadPort as error:
        return _error(f"{{ {error} }}", 500)
    except OSError:
        return _error(f"{{ Writing of Json string to file failed for Vm {port.machine_uuid} }}", 500)
    return _answer({})


async def _delete_vm(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    await agent.withdraw(match[1])
    return _answer({})


async def _get_vm(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    return _found(await agent.machine(match[1]))


async def _get_vm_interface(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    element = await agent.interface(match[2], match[1])
    return _found(None if element is None else [element])


async def _get_vm_config(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    return _found(await agent.configured(match[1]))


async def _post_port(agent: Agent, _: re.Match[str], text: str) -> web.Response:
    try:
        for port in nova_ports(text):
            await agent.announce_nova(port)
    except BadPort as error:
        return _error(f"{{ {error} }}", 500)
    return _answer({})


async def _get_port(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    return _found(await agent.interface(match[1]))


async def _delete_port(agent: Agent, match: re.Match[str], _: str) -> web.Response:
    await agent.withdraw_port(match[1])
    return _answer({})


_ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = (
    ("POST", re.compile("/vm"), _post_vm),
    ("DELETE", re.compile(f"/vm/({UUID})"), _delete_vm),
    ("GET", re.compile(f"/vm/({UUID})"), _get_vm),
    ("GET", re.compile(f"/vm/({UUID})/({UUID})"), _get_vm_interface),
    ("GET", re.compile("/vm-cfg/(.*)"), _get_vm_config),
    ("POST", re.compile("/port"), _post_port),
    ("GET", re.compile(f"/port/({UUID})"), _get_port),
    ("DELETE", re.compile(f"/port/({UUID})"), _delete_port),
)


def _found(content: Json | None) -> web.Response:
    return _error("{ Not Found }", 404) if content is None else _answer(content)


def _answer(content: Json) -> web.Response:
    return web.Response(text=json.dumps(content, indent=4), content_type="application/json")


def _error(text: str, status: int) -> web.Response:
    return web.Response(status=status, text=json.dumps({"error": text}), content_type="application/json")
