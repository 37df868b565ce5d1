"""What a pod may send and receive in a second, as its runtime read the pod's bandwidth annotations (pure).

The runtime hands them to a plugin whose configuration declares the capability `bandwidth`, by the CNI conventions:
runtimeConfig.bandwidth = {"ingressRate", "ingressBurst", "egressRate", "egressBurst"}, bits per second and bits,
0 or absent for no limit. Ingress is what goes to the pod. Of rate and burst neither stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cni.answers import BAD_CONFIG
from schemas.errors import RequestRefused

Json = Any
LOWEST_RATE, HIGHEST_RATE = 1000, 10**15
"""Bits per second: kubelet takes 1k to 1P from an annotation."""
HIGHEST_BURST = (2**32 - 1) * 8 - 1
"""Bits: the bound of the reference plugin, which is what CRI-O always names."""
UNNAMED = 2**31 - 1
"""Bits: from here on a burst is what a runtime names because no annotation asks for one (2^31-1, 2^32-1, CRI-O's)."""
_SMALLEST = 64 * 1024 * 8


@dataclass(frozen=True, slots=True)
class Limit:
    """Bits per second, and bits that may be sent at once after a silence."""

    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what goes to the pod (ingress) and of what it sends (egress); None: not limited."""

    ingress: Limit | None = None
    egress: Limit | None = None


UNLIMITED = Limits()


def limits_of(runtime_config: Json) -> Limits:
    """Limits of the configuration's `runtimeConfig`; raises RequestRefused (code 7) naming the key."""
    if runtime_config is None:
        return UNLIMITED
    given = _object(runtime_config, "runtimeConfig").get("bandwidth")
    if given is None:
        return UNLIMITED
    bandwidth = _object(given, "runtimeConfig.bandwidth")
    return Limits(ingress=_limit(bandwidth, "ingress"), egress=_limit(bandwidth, "egress"))


def limits_from(content: Json) -> Limits:
    """Limits as `dataclasses.asdict` has written them; raises TypeError or AttributeError when it has not."""
    return Limits(**{way: None if limit is None else Limit(**limit) for way, limit in content.items()})


def _limit(bandwidth: dict[str, Json], way: str) -> Limit | None:
    rate = _number(bandwidth, f"{way}Rate", "bits per second", LOWEST_RATE, HIGHEST_RATE)
    burst = _number(bandwidth, f"{way}Burst", "bits", 1, HIGHEST_BURST)
    if not rate and not burst:
        return None
    if not rate or not burst:
        there, lacking = (f"{way}Rate", f"{way}Burst") if rate else (f"{way}Burst", f"{way}Rate")
        raise RequestRefused(
            BAD_CONFIG,
            f"runtimeConfig.bandwidth.{lacking}: missing or 0, with {there} {rate or burst}; accepted are both or none",
        )
    return Limit(rate, max(rate // 10, _SMALLEST) if burst >= UNNAMED else burst)


def _number(bandwidth: dict[str, Json], key: str, unit: str, lowest: int, highest: int) -> int:
    value = bandwidth.get(key)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or (value != 0 and not lowest <= value <= highest):
        raise RequestRefused(
            BAD_CONFIG,
            f"runtimeConfig.bandwidth.{key}: read {_shown(value)}; accepted is a whole number of {unit} "
            f"from {lowest} to {highest}, or 0 for no limit",
        )
    return value


def _object(value: Json, field: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise RequestRefused(BAD_CONFIG, f"{field}: read {_shown(value)}; accepted is a JSON object")
    return value


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
