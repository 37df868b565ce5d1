"""Addresses as Kubernetes' users write them: whether Contrail knows such a one, and of which family it is (pure)."""

from __future__ import annotations

import ipaddress


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; None for what is none to Contrail, one with a zone (`fe80::1%eth0`) included."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def family_of(address: str) -> str:
    """'v4' or 'v6'; of what is no address, ValueError."""
    return f"v{ipaddress.ip_address(address).version}"
