"""Every setting of every service: checked before a run starts, and written out as docs/settings.md."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, get_type_hints

from applier.audit.settings import AuditSettings
from applier.settings import ApplierSettings
from cni.settings import AgentSettings
from schemas.settings import ENV_PREFIX, SHARED, BusSettings, DatabaseSettings, Topic, check_unknown, from_env
from simulators.contrail.settings import SimulatorSettings
from translator.settings import TranslatorSettings
from watchers.feedback.settings import FeedbackSettings
from watchers.settings import WatchersSettings

NODE_AGENT = "cni (node agent)"
"""Runs on nodes, not in a pipeline: it has settings without a default."""
OF_SERVICES: dict[str, tuple[type[Topic], ...]] = {
    "watchers": (WatchersSettings,),
    "translator": (TranslatorSettings,),
    "applier": (ApplierSettings, AuditSettings),
    "feedback": (FeedbackSettings,),
    NODE_AGENT: (AgentSettings,),
    "simulated Contrail": (SimulatorSettings,),
}
"""Each service's own topics, beside those that all share."""

INTRODUCTION = """# Settings

Every service reads its settings from environment variables, once, at its start, and writes them to its log. A
variable with the prefix `CONTRAIL_KUBE_` that no service knows, or a value that is not of its kind, ends the
process at its start with exit code 2 and one line that names the variable. Lists are separated by commas or
spaces. Where the value is a secret, `<VARIABLE>_FILE` may name a file that holds it instead.

This page is written by `contrail-kube settings`; a test keeps it in step with the code.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: what it is, its kind ('text', 'number', …), its default as one would write it, its meaning."""

    variable: str
    kind: str
    default: str
    meaning: str
    secret: bool


def check_environment(environ: Mapping[str, str]) -> None:
    """Raise SettingsError for a variable that no service reads, or that one of the pipeline's could not use."""
    check_unknown(environ, [topic for topics in OF_SERVICES.values() for topic in topics])
    for service, topics in OF_SERVICES.items():
        for topic in topics if service != NODE_AGENT else ():
            from_env(topic, environ)
    for topic in SHARED:
        from_env(topic, environ)


def external(environ: Mapping[str, str], part: str, option: str) -> str:
    """Where an outside part is: the option if given, else what the environment names, else '' for an embedded one."""
    if option:
        return option
    if part == "database":
        return from_env(DatabaseSettings, environ, defaults={"url": ""}).url
    if part == "contrail":
        return environ.get(f"{ENV_PREFIX}CONTRAIL_URLS", "")
    kind = from_env(BusSettings, environ).kind
    return environ.get(f"{ENV_PREFIX}KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092") if kind == "kafka" else ""


def settings_of(topic: type[Topic]) -> Iterator[Setting]:
    """The settings of one topic, in the order in which they are written."""
    meanings, hints = _meanings(topic), get_type_hints(topic)
    for spec in fields(topic):  # type: ignore[arg-type]
        yield Setting(
            variable=f"{ENV_PREFIX}{topic.PREFIX}_{spec.name.upper()}",
            kind=_KINDS.get(hints[spec.name], "text"),
            default=_default(spec),
            meaning=meanings.get(spec.name, ""),
            secret=bool(spec.metadata.get("secret")),
        )


def page() -> str:
    """The reference page, in Markdown."""
    lines = [INTRODUCTION]
    lines += _section("Shared by all services", SHARED)
    for service, topics in OF_SERVICES.items():
        lines += _section(f"Of the {service}", topics)
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, topics: tuple[type[Topic], ...]) -> list[str]:
    lines = [f"## {title}", ""]
    for topic in topics:
        lines += [" ".join((inspect.getdoc(topic) or "").split()), ""]
        lines += ["| variable | kind | default | meaning |", "|---|---|---|---|"]
        for each in settings_of(topic):
            kind = f"{each.kind}, secret" if each.secret else each.kind
            default = f"`{each.default}`" if each.default else ""
            lines.append(f"| `{each.variable}` | {kind} | {default} | {each.meaning.replace('|', '&#124;')} |")
        lines.append("")
    return lines


def _meanings(topic: type[Topic]) -> dict[str, str]:
    """The string that follows each field in the source of its class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(topic))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            value = after.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = " ".join(value.value.split())
    return found


def _default(spec: Field[Any]) -> str:
    if spec.default is MISSING:
        return "" if spec.default_factory is MISSING else str(spec.default_factory())
    if isinstance(spec.default, tuple):
        return ",".join(spec.default)
    return str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)


_KINDS: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", tuple[str, ...]: "list"}
