"""The recording of the service chain: what the example asks for, as rows, and taken by the config API."""

from __future__ import annotations

from functools import cache

import msgspec
import yaml

from schemas.bus.log import LogConsumer
from schemas.bus.port import Record
from schemas.codec import decode
from schemas.records import ServiceChainRecord
from tests.rigs.recording.__main__ import PARTITIONS, TOPIC
from tests.rigs.recording.chain import EXAMPLE, SHIPPED
from tests.translator.contrail import FollowingContrail
from tests.translator.world import World
from translator.memory import MemoryStore
from watchers.kinds.service_chain import ChainInput, normalize


@cache
def _records() -> tuple[Record, ...]:
    consumer = LogConsumer(SHIPPED, TOPIC)
    try:
        for partition in range(PARTITIONS):
            consumer.seek(partition, 0)
        found: list[Record] = []
        while records := consumer.poll(0.0):
            found += records
        return tuple(found)
    finally:
        consumer.close()


def test_it_has_the_chain_of_the_example() -> None:
    [wanted] = [each for each in yaml.safe_load_all(EXAMPLE.read_text()) if each["kind"] == "ServiceChain"]
    metadata = {"uid": "u", "resourceVersion": "1", **wanted["metadata"]}
    said = normalize(msgspec.convert({**wanted, "metadata": metadata}, ChainInput))
    bodies = [decode(record.value).body for record in _records() if record.value]
    assert said in [body for body in bodies if isinstance(body, ServiceChainRecord)]


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 100_000


def test_each_of_three_firewalls_has_its_port_tuple_with_two_interfaces() -> None:
    world = World(MemoryStore(), with_settings=True)
    world.take(_records())
    assert [each for each in world.store.tables.letters.values() if not each.resolved] == []  # type: ignore[attr-defined]
    contrail = FollowingContrail(nodes={"node-1": "198.18.0.1", "node-2": "198.18.0.2"})
    contrail.follow(world.store)  # type: ignore[arg-type]
    tuples = contrail.names("port-tuple")
    assert len(tuples) == 3
    assert len({name.rpartition(":")[0] for name in tuples}) == 1
    serving = [
        (
            each["virtual_machine_interface_properties"]["service_interface_type"],
            ":".join(each["port_tuple_refs"][0]["to"]),
        )
        for each in contrail.everything("virtual-machine-interface")
        if each.get("port_tuple_refs")
    ]
    assert sorted(serving) == sorted((side, name) for side in ("left", "right") for name in tuples)
