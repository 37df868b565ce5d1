"""Blocks of addresses: exceptions left out, shared parts, addresses inside; and what thousands of them cost."""

from __future__ import annotations

import ipaddress
import random
import time

import pytest

from schemas.records import IpBlock
from translator.policy.blocks import common, covers_address, hold_every_address, inside, prefixes


def block(cidr: str, *excluded: str) -> IpBlock:
    return IpBlock(cidr=cidr, excluded=excluded)


@pytest.mark.parametrize(
    ("blocks", "left"),
    [
        ([], ()),
        ([block("10.0.0.0/8")], ("10.0.0.0/8",)),
        ([block("10.0.0.0/30", "10.0.0.1/32")], ("10.0.0.0/32", "10.0.0.2/31")),
        ([block("10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31")], ()),
        ([block("10.0.0.0/30", "10.0.0.0/31"), block("10.0.0.0/31")], ("10.0.0.0/30",)),
        ([block("fd00::/126", "fd00::/127"), block("10.0.0.0/31")], ("10.0.0.0/31", "fd00::2/127")),
        ([block("10.0.0.0/8", "fd00::/8", "0.0.0.0/0")], ()),
        ([block("255.255.255.254/31", "255.255.255.254/32")], ("255.255.255.255/32",)),
    ],
)
def test_exceptions_are_written_out(blocks: list[IpBlock], left: tuple[str, ...]) -> None:
    assert prefixes(blocks) == left


def test_two_share_what_is_in_both_family_by_family() -> None:
    assert common(("10.0.0.0/8", "fd00::/16"), ("10.1.0.0/16", "11.0.0.0/8", "::/0")) == ("10.1.0.0/16", "fd00::/16")
    assert common(("10.0.0.0/31",), ("10.0.0.2/31", "fd00::/16")) == ()


def test_an_address_is_inside_of_prefixes_of_its_family_only() -> None:
    assert inside(("10.0.0.9", "fd00::9", "10.1.0.1"), ("10.0.0.0/24", "::/0")) == ("10.0.0.9/32", "fd00::9/128")
    assert not covers_address(("0.0.0.0/0",), "::1") and not covers_address((), "10.0.0.1")
    assert hold_every_address(("0.0.0.0/0",), (4,)) and not hold_every_address(("0.0.0.0/0",), (4, 6))


def test_random_blocks_hold_the_addresses_that_they_should() -> None:
    draw = random.Random(7)

    def net() -> str:
        return str(ipaddress.ip_network((10 << 24 | draw.getrandbits(5), draw.randint(26, 32)), strict=False))

    for _ in range(300):
        blocks = [block(net(), *(net() for _ in range(draw.randint(0, 3)))) for _ in range(draw.randint(1, 3))]
        found = prefixes(blocks)
        for number in range(64):
            address = f"10.0.0.{number}"
            wanted = any(
                covers_address((each.cidr,), address) and not covers_address(each.excluded, address) for each in blocks
            )
            assert covers_address(found, address) == wanted, (blocks, found, address)


def test_a_thousand_exceptions_take_no_minute() -> None:
    draw, began = random.Random(8), time.process_time()
    holes = tuple(f"{draw.randint(1, 220)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.7/32" for _ in range(1000))
    found = prefixes([block("0.0.0.0/0", *holes)])
    assert len(found) > 10_000 and common(found, ("10.0.0.0/8",))
    assert not any(covers_address(found, hole.partition("/")[0]) for hole in holes)
    assert time.process_time() - began < 10
