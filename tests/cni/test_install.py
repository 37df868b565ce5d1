"""Installing the plugin: whole files, in the right order, runnable at every moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cni.__main__ import main
from cni.install import conflist, install

pytestmark = pytest.mark.process


def test_the_plugin_and_its_list_are_installed(tmp_path: Path) -> None:
    arguments = ["--bin-dir", str(tmp_path / "bin"), "--conf-dir", str(tmp_path / "net.d")]
    assert main(["install", *arguments, "--mtu", "1400", "--python", sys.executable]) == 0
    plugin = tmp_path / "bin" / "contrail-k8s-cni"
    assert plugin.stat().st_mode & 0o777 == 0o755
    assert plugin.read_text().splitlines()[0] == f"#!{sys.executable} -IS"
    configuration = json.loads((tmp_path / "net.d" / "10-contrail.conflist").read_text())
    assert configuration == {
        "cniVersion": "1.0.0",
        "name": "contrail-k8s-cni",
        "plugins": [{"type": "contrail-k8s-cni", "mtu": 1400, "capabilities": {"bandwidth": True}}],
    }
    done = subprocess.run([str(plugin)], env={"CNI_COMMAND": "VERSION"}, input=b"", capture_output=True, check=False)
    assert done.returncode == 0 and "1.1.0" in json.loads(done.stdout)["supportedVersions"]


def test_another_socket_is_named_in_the_list() -> None:
    assert (
        conflist(socket=Path("/run/x.sock"), mtu=1500, version="1.1.0")["plugins"][0]["agent-socket"] == "/run/x.sock"
    )


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "cni", "install", "--bin-dir", str(tmp_path / "file" / "bin")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "cannot install" in done.stderr and "Traceback" not in done.stderr


def test_case_90_upgrades_while_plugins_run_leave_no_moment_without_a_file(tmp_path: Path) -> None:
    def put() -> None:
        install(
            bin_dir=tmp_path / "bin",
            conf_dir=tmp_path / "net.d",
            python=Path(sys.executable),
            configuration=conflist(socket=Path("/run/x.sock"), mtu=1500, version="1.1.0"),
        )

    put()
    stop = threading.Event()

    def upgrade() -> None:
        while not stop.is_set():
            put()

    thread = threading.Thread(target=upgrade)
    thread.start()
    try:
        for _ in range(40):
            json.loads((tmp_path / "net.d" / "10-contrail.conflist").read_text())
            done = subprocess.run(
                [str(tmp_path / "bin" / "contrail-k8s-cni")],
                env={"CNI_COMMAND": "VERSION"},
                input=b"",
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done
    finally:
        stop.set()
        thread.join()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "10-contrail.conflist",
        "contrail-k8s-cni",
    ]
