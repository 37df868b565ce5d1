"""The state directory: one run at a time, one source for ever, nothing left of a temporary one."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from console.plan import Foreign, Plan, Recording
from console.state import StateDirectory, read_environment
from schemas.errors import SettingsError

RECORDING = Recording(Path("/data/log"), "k8s.changes.k8s", 4, "k8s", "2026-11-23T00:00:00Z")
PLAN = Plan(RECORDING, "k8s", "k8s.changes.k8s", 4)


def test_a_temporary_directory_goes_at_the_end() -> None:
    with StateDirectory(None) as state:
        assert state.logs.is_dir() and not state.kept
        path = state.path
    assert not path.exists()


def test_a_named_directory_stays(tmp_path: Path) -> None:
    with StateDirectory(tmp_path / "a" / "b") as state:
        (state.logs / "x").write_text("kept")
    assert (tmp_path / "a" / "b" / "logs" / "x").read_text() == "kept"


def test_only_one_run_uses_a_directory(tmp_path: Path) -> None:
    with StateDirectory(tmp_path), pytest.raises(SettingsError, match="in use by another"), StateDirectory(tmp_path):
        pass
    with StateDirectory(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file/state: cannot be used"), StateDirectory(tmp_path / "file" / "state"):
        pass


def test_a_directory_is_filled_from_one_source(tmp_path: Path) -> None:
    with StateDirectory(tmp_path) as state:
        state.bind(PLAN)
        state.bind(PLAN)
        other = dataclasses.replace(PLAN, feed=dataclasses.replace(RECORDING, directory=Path("/data/other")))
        with pytest.raises(SettingsError, match="was filled from the log /data/log, not from the log /data/other"):
            state.bind(other)
        anew = dataclasses.replace(PLAN, feed=dataclasses.replace(RECORDING, created="2026-11-24T00:00:00Z"))
        with pytest.raises(SettingsError, match="was filled from"):
            state.bind(anew)
        with pytest.raises(SettingsError, match=r"not from the topic k8s\.changes\.k8s of a:1"):
            state.bind(dataclasses.replace(PLAN, feed=Foreign(), kafka=("a:1",)))


def test_the_settings_of_a_running_pipeline_can_be_read_by_us_alone(tmp_path: Path) -> None:
    settings = {"CONTRAIL_KUBE_DATABASE_URL": "postgresql://u:a=b@h/x", "CONTRAIL_KUBE_BUS_KIND": "log"}
    with StateDirectory(tmp_path) as state:
        state.publish(settings)
        assert read_environment(tmp_path) == settings
        assert stat.S_IMODE((tmp_path / "environment").stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="no `contrail-kube up` runs over this directory"):
        read_environment(tmp_path)
