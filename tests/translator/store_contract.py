"""What both stores promise: the same rows for the same story. Subclasses give the fixture `backend`."""

from __future__ import annotations

import pytest

from schemas.contrail.objects import Desired
from schemas.errors import Fenced, TranslationError
from schemas.events import Op
from tests.translator.facts import PARTITIONS, SETTINGS, TOPIC, begin, end, gone, namespace, node, pod, uid
from tests.translator.rows import Backend, Dump
from tests.translator.world import World
from translator.batch import Rules, put_settings, renew, take
from translator.notice import Notice, Outcome
from translator.resource import Resource, key_of
from translator.store import Session
from translator.translate import registry
from translator.view import View

PENDING = "pending"


def by_type(dump: Dump, kind: str) -> dict[str, tuple[object, ...]]:
    """Live objects of a type by fq_name: (uuid, generation)."""
    return {row[1]: (uuid, row[6]) for uuid, row in dump["objects"].items() if row[0] == kind and not row[7]}


def absent(dump: Dump) -> set[str]:
    """Types and names of what shall not exist."""
    return {f"{row[0]} {row[1]}" for row in dump["objects"].values() if row[7]}


class StoreContract:
    """Stories about transactions and rows."""

    def test_a_pod_becomes_rows_of_every_table(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        summary = world.tell(namespace(), node(), pod("web-0"))
        dump = backend.dump()
        # Three of them tags of the namespace; the node is in the group of node addresses.
        assert summary.changes == {"create": 9, "update": 1}
        assert sorted(
            row[0] for uuid, row in dump["objects"].items() if (uuid, "Pod/shop/web-0") in dump["sources"]
        ) == [
            "instance-ip",
            "link",
            "virtual-machine",
            "virtual-machine-interface",
        ]
        assert dump["reads"]["Pod/shop/web-0"] == ["Namespace//shop", "Node//n1"]
        assert set(dump["states"]) == set(dump["objects"]) == {uuid for uuid, _ in dump["diffs"]}
        assert {status for status, _ in dump["states"].values()} == {PENDING}
        changed_twice = {uuid for uuid, generation in dump["diffs"] if generation != 1}
        assert changed_twice == {uuid for uuid, _ in by_type(dump, "address-group").values()}
        machine = uid("Pod/shop/web-0")
        interface, _ = next(iter(by_type(dump, "virtual-machine-interface").values()))
        into = {(dump["objects"][start][0], relation) for start, target, relation in dump["edges"] if target == machine}
        assert into == {("virtual-machine-interface", "ref"), ("link", "ref")}
        project, _ = by_type(dump, "project")["default-domain:k8s-shop"]
        assert (interface, project, "parent") in dump["edges"]
        assert dump["objects"][machine][2] == "shop"

    def test_every_edge_of_a_full_cluster_leads_to_an_object_of_the_store(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), namespace("default", 2), node(), pod("web-0"), pod("api-0", 2, namespace="default"))
        dump = backend.dump()
        assert {target for _, target, _ in dump["edges"]} <= set(dump["objects"])

    def test_what_is_told_of_the_cause_stands_in_the_diff(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        told = pod("web-0")
        world.tell(namespace())
        world.tell(told)
        diffs = backend.dump()["diffs"]
        op, before, after, patch, resource, position, event_id = diffs[uid("Pod/shop/web-0"), 1]
        assert (op, before, patch, resource, event_id) == ("create", None, None, "Pod/shop/web-0", told.event_id)
        assert after["properties"]["server_type"] == "container"
        assert position.startswith(f"{TOPIC}/")
        settings = [diff for diff in diffs.values() if diff[4] == "Settings//k8s"]
        assert {diff[5] for diff in settings} == {"/-1/-1"}

    def test_case_42_a_fenced_batch_writes_nothing(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        batch = world.batch(world.publisher.records([namespace(), pod("web-0")]))
        backend.store.run(lambda session: take(session, batch, world.rules))
        before = backend.dump()
        with pytest.raises(Fenced, match="another instance"):
            backend.store.run(lambda session: take(session, batch, world.rules))
        assert backend.dump() == before

    def test_work_that_fails_leaves_the_store_as_it_was(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0"), pod("web-1", 2))
        before = backend.dump()
        batch = world.batch(world.publisher.records([gone("web-0", 3), pod("web-1", 4, node="n9"), pod("web-2", 5)]))

        def work(session: Session) -> None:
            take(session, batch, world.rules)
            raise KeyError("a defect of ours")

        with pytest.raises(KeyError):
            backend.store.run(work)
        assert backend.dump() == before

    def test_case_62_what_changes_nothing_writes_nothing_but_its_own_row(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0"))
        backend.apply()
        before = backend.dump()
        world.put_settings()
        summary = world.tell(
            pod("web-0", 9, phase="Running", ready=True, pod_ips=("10.47.255.252",)),
            namespace(version=9),
            node(version=9),
        )
        after = backend.dump()
        assert not summary.changes
        for table in ("objects", "sources", "edges", "states", "diffs", "reads"):
            assert after[table] == before[table], table

    def test_a_vanished_object_is_absent_until_confirmed_and_keeps_its_edges(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0"))
        backend.apply()
        before = backend.dump()
        world.tell(gone("web-0", 9))
        dump = backend.dump()
        assert len(absent(dump)) == 4
        assert dump["edges"] == before["edges"]
        machine = uid("Pod/shop/web-0")
        assert dump["objects"][machine][6:] == (2, True)
        assert dump["states"][machine] == (PENDING, 2)
        assert dump["diffs"][machine, 2][:3] == ("delete", before["diffs"][machine, 1][2], None)
        assert not [key for _, key in dump["sources"] if key == "Pod/shop/web-0"]
        assert "Pod/shop/web-0" not in dump["reads"]

    def test_generations_rise_over_deletions(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace())
        for turn in range(3):
            world.tell(pod("web-0", 10 * turn + 2))
            world.tell(gone("web-0", 10 * turn + 3))
            assert backend.confirm() == 4
        world.tell(pod("web-0", 90))
        dump = backend.dump()
        machine = uid("Pod/shop/web-0")
        assert dump["objects"][machine][6:] == (7, False)
        assert [dump["diffs"][machine, n][0] for n in range(1, 8)] == ["create", "delete"] * 3 + ["create"]

    def test_what_is_wanted_again_while_absent_is_no_longer_absent(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0"))
        edges = backend.dump()["edges"]
        world.tell(pod("web-0", 3, phase="Succeeded"))
        assert len(absent(backend.dump())) == 4
        world.tell(pod("web-0", 4, phase="Running"))
        dump = backend.dump()
        assert not absent(dump)
        assert dump["edges"] == edges
        assert dump["states"][uid("Pod/shop/web-0")] == (PENDING, 3)
        assert backend.confirm() == 0

    def test_case_26_a_pod_of_the_same_name_on_another_node_has_rows_of_its_own(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node("n1"), node("n2", 2), pod("db-0", 3, node="n1", of="first"))
        world.tell(gone("db-0", 4, of="first"), pod("db-0", 5, node="n2", of="second"))
        dump = backend.dump()
        assert by_type(dump, "virtual-machine") == {"k8s__shop__db-0": (uid("second"), 1)}
        assert "virtual-machine k8s__shop__db-0" in absent(dump)
        links = [row[1] for row in dump["objects"].values() if row[0] == "link" and "virtual-router" in row[1]]
        assert sorted((":n1:" in name, uid("first") in name) for name in links) == [(False, False), (True, True)]
        # A late delete of the first, as another watcher may tell it, does not touch the second.
        world.tell(gone("db-0", 6, of="first"))
        assert backend.dump()["objects"] == dump["objects"]

    def test_case_26_even_if_the_delete_was_never_told(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("db-0", 3, of="first"))
        world.tell(pod("db-0", 5, of="second"))
        dump = backend.dump()
        assert by_type(dump, "virtual-machine") == {"k8s__shop__db-0": (uid("second"), 1)}
        assert len(absent(dump)) == 4

    def test_case_35_a_namespace_made_anew_under_its_name(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(of="first"), pod("web-0", 2))
        world.tell(namespace(version=3, op=Op.DELETE, of="first"))
        dump = backend.dump()
        assert "k8s__shop__web-0" not in by_type(dump, "virtual-machine"), "a pod is nothing without its namespace"
        world.tell(namespace(version=4, of="second"))
        project, generation = by_type(backend.dump(), "project")["default-domain:k8s-shop"]
        assert generation == 3
        pairs = backend.dump()["objects"][project][4]["properties"]["annotations"]["key_value_pair"]
        assert {"key": "k8s_uuid", "value": uid("second")} in pairs

    def test_case_37_created_and_deleted_within_a_batch_is_nothing(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace())
        before = backend.dump()
        summary = world.tell(pod("web-0", 2), pod("web-0", 3, phase="Running"), gone("web-0", 4))
        after = backend.dump()
        assert not summary.changes
        for table in ("resources", "objects", "sources", "edges", "states", "diffs", "reads"):
            assert after[table] == before[table], table

    def test_case_58_a_pod_before_its_namespace_and_its_node(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        assert not world.tell(pod("web-0")).changes
        assert backend.dump()["reads"]["Pod/shop/web-0"] == ["Namespace//shop"]
        assert world.tell(namespace(version=2)).changes == {"create": 9}
        link = next(uuid for uuid, row in backend.dump()["objects"].items() if "virtual-router" in row[1])
        assert backend.dump()["objects"][link][4]["owner"]["address"] == ""
        told = node(version=3)
        assert world.tell(told).changes == {"update": 2}
        dump = backend.dump()
        assert dump["objects"][link][4]["owner"]["address"] == "192.168.0.1"
        _, _, _, patch, resource, _, event_id = dump["diffs"][link, 2]
        assert (resource, event_id) == ("Pod/shop/web-0", told.event_id)
        assert patch["owner"][1]["address"] == "192.168.0.1"

    def test_case_58_what_is_read_may_go_before_its_reader(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0", 2))
        world.tell(node(version=3, op=Op.DELETE))
        assert "Node//n1" in backend.dump()["reads"]["Pod/shop/web-0"]
        world.tell(namespace(version=4, op=Op.DELETE), gone("web-0", 5))
        dump = backend.dump()
        assert set(dump["resources"]) == {"Settings//k8s"}
        assert {key for _, key in dump["sources"]} == {"Settings//k8s"}

    def test_two_resources_want_one_object_and_it_lives_while_one_does(self, backend: Backend) -> None:
        name = "default-domain:k8s-default"
        world = World(backend.store)
        world.tell(namespace("default"))
        project, _ = by_type(backend.dump(), "project")[name]
        kinds = []

        def look() -> None:
            row = backend.dump()["objects"][project]  # type: ignore[index]
            pairs = row[4]["properties"]["annotations"]["key_value_pair"]
            kinds.append((next(p["value"] for p in pairs if p["key"] == "kind"), row[6], row[7]))

        look()
        world.put_settings()
        look()
        world.tell(namespace("default", 2, op=Op.DELETE))
        look()
        world.tell(namespace("default", 3))
        look()
        assert kinds == [
            ("Namespace", 1, False),
            ("Namespace", 1, False),
            ("Settings", 2, False),
            ("Namespace", 3, False),
        ]
        assert {key for uuid, key in backend.dump()["sources"] if uuid == project} == {
            "Namespace//default",
            "Settings//k8s",
        }

    def test_a_snapshot_sweeps_what_it_did_not_show_in_its_partition(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        spaces = [f"team-{n}" for n in range(8)]
        world.tell(*(namespace(name, n + 1) for n, name in enumerate(spaces)))
        world.tell(*(pod("web-0", 20 + n, namespace=name) for n, name in enumerate(spaces)))
        markers = [world.publisher.record(begin("Pod", 2), 0)]
        mine = [name for name in spaces if world.publisher.record(namespace(name, 30)).partition == 0]
        world.publisher.offsets = [world.at[n] + (n == 0) for n in range(PARTITIONS)]
        assert 1 < len(mine) < len(spaces)
        kept = pod("web-0", 20, namespace=mine[0], op=Op.READ, epoch=2)
        summary = world.take([*markers, world.publisher.record(kept), world.publisher.record(end("Pod", 2), 0)])
        left = {key.split("/")[1] for key in backend.dump()["resources"] if key.startswith("Pod/")}
        assert left == set(spaces) - set(mine[1:])
        assert summary.changes == {"delete": 4 * (len(mine) - 1)}

    def test_a_sweep_that_is_too_large_for_one_transaction_takes_several(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), *(pod(f"web-{n}", n + 2) for n in range(11)), begin("Pod", 2))
        kept = pod("web-0", 2, op=Op.READ, epoch=2)
        batch = world.batch(world.publisher.records([kept, end("Pod", 2), pod("new", 90, epoch=2)]))
        left = []
        while backend.store.run(lambda session: take(session, batch, world.rules, most_removed=4)).unfinished:
            dump = backend.dump()
            assert dump["offsets"]["translator", TOPIC, 0][0] == world.at[0], "the batch is not done"
            left.append(len(by_type(dump, "virtual-machine")))
        assert left == [7, 3]
        assert set(by_type(backend.dump(), "virtual-machine")) == {"k8s__shop__web-0", "k8s__shop__new"}
        assert all(not listing for _, listing, *_ in backend.dump()["epochs"].values())

    def test_a_snapshot_that_lost_records_sweeps_nothing(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2), begin("Pod", 2))
        world.take(world.publisher.records([end("Pod", 2)]), gap=True)
        assert "Pod/shop/web-0" in backend.dump()["resources"]
        world.tell(begin("Pod", 3), end("Pod", 3))
        assert "Pod/shop/web-0" not in backend.dump()["resources"]

    def test_case_46_garbage_goes_to_dead_letters_and_the_partition_goes_on(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        good = world.publisher.record(namespace()).value
        assert good is not None
        wrong_magic, unknown_schema = b"\x00\x01" + good[2:], good[:2] + b"\x07" * 8 + good[10:]
        values = [None, b"", b"\xc3", wrong_magic, unknown_schema, good[:-7], b"\xff" * 1_000_000]
        world.publisher.offsets = [world.at[n] for n in range(PARTITIONS)]
        records = [world.publisher.raw(value, 0, b"Pod/shop/web-0") for value in values]
        summary = world.take([*records, *world.publisher.records([namespace(), pod("web-0", 2)])])
        assert len(summary.dead_letters) == len(values)
        assert summary.changes == {"create": 9}
        letters = backend.dump()["letters"]
        assert {(stage, resource) for stage, _, resource in letters} == {("decode", "Pod/shop/web-0")}
        assert {row[0] for row in letters.values()} == {"UndecodableRecord"}
        assert all(len(letter.payload) <= 64 * 1024 for letter in summary.dead_letters)

    def test_case_50_what_makes_the_translator_raise_is_parked_and_its_neighbours_go_on(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A fault of ours, which by its nature no record can show: the pod's translation is given one."""
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0", 2), pod("web-1", 3))
        had = backend.dump()["objects"]
        right = registry.TRANSLATIONS["Pod"]
        tries: list[str] = []

        def faulty(resource: Resource, view: View) -> tuple[Desired, ...]:
            result = right(resource, view)
            if resource.name == "web-0":
                tries.append(resource.resource_version)
                raise ZeroDivisionError("of all things")
            return result

        monkeypatch.setitem(registry.TRANSLATIONS, "Pod", faulty)
        summary = world.tell(pod("web-0", 4, labels={"a": "b"}), pod("api-0", 5), pod("web-1", 6, labels={"a": "b"}))
        [letter] = summary.dead_letters
        assert (letter.stage, letter.resource) == ("translate", "Pod/shop/web-0")
        assert "the translator is at fault, not the resource (ZeroDivisionError: of all things)" in letter.error
        dump = backend.dump()
        assert "k8s__shop__api-0" in by_type(dump, "virtual-machine"), "a neighbour in the same batch"
        mine = {uuid for uuid, key in dump["sources"] if key == "Pod/shop/web-0"}
        assert mine and {uuid: dump["objects"][uuid] for uuid in mine} == {uuid: had[uuid] for uuid in mine}
        world.tell(node(version=7, address="192.168.0.99"))
        assert tries == ["4", "4"], "tried again whenever something that it read changes"
        ((place, (_, _, _, resolved, _)),) = dump["letters"].items()
        assert (place[0], place[2], resolved) == ("translate", "Pod/shop/web-0", False)
        monkeypatch.setitem(registry.TRANSLATIONS, "Pod", right)
        world.tell(pod("web-0", 8, labels={"a": "c"}))
        assert backend.dump()["letters"][place][3] is True

    def test_a_malformed_resource_keeps_what_it_had_until_it_is_well_again(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), node(), pod("web-0", 2))
        objects = backend.dump()["objects"]
        bad = world.tell(pod("web-0", 3, node="not/a/name"), pod("web-1", 4))
        assert [letter.error_class for letter in bad.dead_letters] == ["TranslationError"]
        dump = backend.dump()
        assert {uuid: row for uuid, row in dump["objects"].items() if uuid in objects} == objects
        assert "k8s__shop__web-1" in by_type(dump, "virtual-machine")
        assert dump["resources"]["Pod/shop/web-0"][1] == "3", "it was told of"
        assert dump["resources"]["Pod/shop/web-0"][3]["node_name"] == "n1", "but not in a way that can be used"
        ((place, (_, error, times, resolved, whose)),) = dump["letters"].items()
        assert (place[0], place[2], times, resolved) == ("fold", "Pod/shop/web-0", 1, False)
        assert whose == uid("Pod/shop/web-0")
        assert "spec.nodeName is 'not/a/name'" in error
        world.tell(node(version=5, address="192.168.0.99"))
        assert backend.dump()["letters"][place][2:4] == (1, False)
        addresses = [r[4]["owner"]["address"] for r in backend.dump()["objects"].values() if "virtual-router" in r[1]]
        assert addresses == ["192.168.0.99"] * 2, "what it had follows what it reads"
        world.tell(pod("web-0", 6, node="n1"))
        assert backend.dump()["letters"][place][2:4] == (1, True)

    def test_a_malformed_resource_survives_a_snapshot_that_shows_it(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2), pod("web-1", 3))
        bad = pod("web-0", 4, node="not/a/name", op=Op.READ, epoch=2)
        world.tell(begin("Pod", 2), bad, end("Pod", 2))
        dump = backend.dump()
        assert set(dump["resources"]) == {"Namespace//shop", "Pod/shop/web-0", "Settings//k8s"}
        assert set(by_type(dump, "virtual-machine")) == {"k8s__shop__web-0"}

    def test_a_malformed_successor_takes_the_place_of_a_pod_that_is_gone(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2, of="first"))
        world.tell(pod("web-0", 4, node="not/a/name", of="second"))
        assert by_type(backend.dump(), "virtual-machine") == {}
        assert "Pod/shop/web-0" not in backend.dump()["resources"]
        world.tell(pod("web-0", 5, of="second"))
        assert by_type(backend.dump(), "virtual-machine") == {"k8s__shop__web-0": (uid("second"), 1)}

    def test_what_a_malformed_record_leaves_does_not_depend_on_the_batches(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2, node=""), pod("web-0", 3, node="n1"), pod("web-0", 4, node="a/b"))
        assert backend.dump()["resources"]["Pod/shop/web-0"][3]["node_name"] == "n1"

    def test_a_deleted_resource_settles_its_letters_and_loses_its_objects(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2))
        world.tell(pod("web-0", 3, node="not/a/name"))
        world.tell(gone("web-0", 4))
        dump = backend.dump()
        assert [row[3] for row in dump["letters"].values()] == [True]
        assert len(absent(dump)) == 4

    def test_the_letter_of_what_was_never_read_is_settled_by_its_deletion(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), pod("web-0", 2, node="not/a/name"))
        assert [row[3] for row in backend.dump()["letters"].values()] == [False]
        world.tell(gone("web-0", 3))
        assert [row[3] for row in backend.dump()["letters"].values()] == [True]
        world.tell(pod("web-1", 4, node="not/a/name"), gone("web-1", 5))
        assert [row[3] for row in backend.dump()["letters"].values()] == [True, True]

    def test_a_letter_of_a_later_record_is_not_settled_by_an_earlier_one(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        first = world.publisher.record(pod("web-0", 1))
        broken = world.publisher.raw(b"broken", first.partition, b"Pod/shop/web-0")
        world.take([first, broken])
        assert [row[3] for row in backend.dump()["letters"].values()] == [False]
        world.tell(pod("web-0", 2))
        assert [row[3] for row in backend.dump()["letters"].values()] == [True]

    def test_changed_settings_translate_every_partition_anew_page_by_page(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace(), *(pod(f"web-{n}", n + 2) for n in range(7)))
        other = Rules.of("translator", SETTINGS.__class__(**{**_fields(SETTINGS), "owner": "netops"}))
        backend.store.run(lambda session: put_settings(session, other))
        for partition in range(PARTITIONS):
            self._renew(backend, partition, world, other)
        owners = {
            pair["value"]
            for row in backend.dump()["objects"].values()
            if row[0] != "link"
            for pair in row[4]["properties"]["annotations"]["key_value_pair"]
            if pair["key"] == "owner"
        }
        assert owners == {"netops"}
        assert {version for _, version in backend.dump()["offsets"].values()} == {other.version}

    def _renew(self, backend: Backend, partition: int, world: World, rules: Rules) -> None:
        place = {"topic": TOPIC, "partition": partition, "offset": world.at[partition]}
        old = {"rules": rules, "old_version": world.rules.version}
        after = backend.store.run(lambda session: renew(session, **place, after=None, **old))  # type: ignore[arg-type]
        assert after is None

    def test_notices_are_kept_replaced_and_gone_with_their_resource(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def notices(node_: Resource, view: View) -> tuple[Outcome, ...]:
            address = node_.body.internal_address()  # type: ignore[union-attr]
            if address == "192.168.0.9":
                raise TranslationError("no node of ours")
            notice = Notice("HasAddress", f"at {address}\t\\", about=key_of("Pod", "shop", "web-0"), normal=True)
            return (Notice("Seen", "seen"), *((notice,) if address else ()))

        monkeypatch.setitem(registry.TRANSLATIONS, "Node", notices)
        world = World(backend.store)
        world.tell(node(), node("n2", 2, address=""))
        seen = {("Node//n1", "Node//n1", "Seen"): ("seen", False), ("Node//n2", "Node//n2", "Seen"): ("seen", False)}
        place = ("Node//n1", "Pod/shop/web-0", "HasAddress")
        assert backend.dump()["notices"] == {**seen, place: ("at 192.168.0.1\t\\", True)}
        world.tell(node(version=3, address="192.168.0.3"))
        assert backend.dump()["notices"] == {**seen, place: ("at 192.168.0.3\t\\", True)}
        world.tell(node(version=4, address="192.168.0.9"))
        assert backend.dump()["notices"] == {**seen, place: ("at 192.168.0.3\t\\", True)}, "as its objects stay"
        world.tell(node(version=5, address=""), node("n2", 6, op=Op.DELETE))
        assert backend.dump()["notices"] == {("Node//n1", "Node//n1", "Seen"): ("seen", False)}
        world.tell(node(version=7, op=Op.DELETE))
        assert backend.dump()["notices"] == {}

    def test_a_renewal_that_is_fenced_changes_nothing(self, backend: Backend) -> None:
        world = World(backend.store, with_settings=True)
        world.tell(namespace())
        before = backend.dump()
        with pytest.raises(Fenced):
            backend.store.run(
                lambda session: renew(
                    session, topic=TOPIC, partition=0, offset=77, after=None, rules=world.rules, old_version="0"
                )
            )
        assert backend.dump() == before

    def test_progress_begins_at_zero_and_is_kept_per_consumer(self, backend: Backend) -> None:
        world = World(backend.store)
        world.tell(namespace("a"), namespace("b", 2), namespace("c", 3))
        mine = backend.store.progress("translator", TOPIC, range(PARTITIONS), "v2")
        other = backend.store.progress("other", TOPIC, range(PARTITIONS), "v2")
        assert {n: each.next_offset for n, each in mine.items()} == world.at
        assert {(each.next_offset, each.version) for each in other.values()} == {(0, "v2")}
        assert {each.version for each in mine.values()} == {world.rules.version}

    def test_only_an_untouched_store_is_empty(self, backend: Backend) -> None:
        assert backend.store.is_empty()
        world = World(backend.store)
        assert not backend.store.is_empty()
        world.tell(namespace(), pod("web-0", 2))
        assert backend.store.counts() == {"resources": 2, "objects": 9, "absent": 0, "diffs": 9, "dead_letters": 0}
        rows = list(backend.store.desired_rows())
        assert len(rows) == 9 and rows == sorted(rows)


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}  # type: ignore[attr-defined]
