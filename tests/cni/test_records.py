"""Records and withdrawals on the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cni.interface import interface_of
from cni.records import ATTACHED, ATTACHING, Record, Records, from_json, to_json
from cni.requests import Attachment
from cni.withdrawals import Withdrawals
from schemas.errors import SettingsError
from tests.cni.rows import UID, row, six


def _record(container: str = "c1") -> Record:
    interface = interface_of((row(), six(row())), "eth0", 1500)
    return Record(Attachment(container, "eth0"), "contrail", "/run/netns/x", 0, ATTACHING, interface)


def test_a_record_reads_back_as_it_was_written() -> None:
    record = replace(_record(), serial=3, phase=ATTACHED, tap_mac="fe:00:00:00:00:01")
    assert from_json(json.loads(json.dumps(to_json(record)))) == record


def test_records_survive_their_process(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record = records.begin(_record())
    records.close()
    again = Records(tmp_path)
    assert again.get(Attachment("c1", "eth0")) == record
    assert again.begin(_record("c2")).serial == record.serial + 1
    again.remove(record.attachment)
    again.remove(record.attachment)
    assert [r.attachment.container for r in again.all()] == ["c2"]
    again.close()


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"format": 2}', '{"format": 1}', "[" * 100_000], ids=range(7))
def test_case_86_a_torn_record_is_ignored_and_known_to_be_torn(tmp_path: Path, text: str) -> None:
    (tmp_path / "c1-eth0.json").write_text(text)
    (tmp_path / ".c2-eth0.json.new").write_text('{"half')
    records = Records(tmp_path)
    assert records.all() == () and records.torn_of("c1") == (Attachment("c1", "eth0"),)
    assert not records.torn_of("c2")
    records.remove(Attachment("c1", "eth0"))
    assert [path.name for path in tmp_path.iterdir()] == ["agent.lock"]
    records.close()


def test_a_record_under_a_foreign_name_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "c9-eth0.json").write_text(json.dumps(to_json(_record())))
    records = Records(tmp_path)
    assert records.all() == () and records.torn_of("c9")
    records.close()


def test_a_record_of_an_agent_that_knew_one_interface_a_call_and_no_tags_is_read(tmp_path: Path) -> None:
    old = to_json(_record())
    del old["lead"], old["interface"]["vlan"]
    found = from_json(old)
    assert found == _record() and found.leader == found.attachment


def test_two_agents_cannot_work_on_one_directory(tmp_path: Path) -> None:
    records = Records(tmp_path)
    with pytest.raises(SettingsError, match="another CNI agent"):
        Records(tmp_path)
    records.close()
    Records(tmp_path).close()


def test_records_are_for_root_only(tmp_path: Path) -> None:
    records = Records(tmp_path / "state" / "records")
    records.put(_record())
    assert (tmp_path / "state" / "records").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "records" / "c1-eth0.json").stat().st_mode & 0o777 == 0o600
    records.close()


def test_withdrawals_survive_their_process(tmp_path: Path) -> None:
    withdrawals = Withdrawals(tmp_path)
    withdrawals.put(UID, "shop/web-0")
    withdrawals.put(UID, "shop/web-0")
    again = Withdrawals(tmp_path)
    assert again.all() == (UID,) and len(again) == 1
    assert again.remove(UID) and not again.remove(UID)
    assert Withdrawals(tmp_path).all() == ()
