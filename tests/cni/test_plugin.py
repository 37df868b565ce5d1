"""The plugin as runtimes execute it: environment and configuration checked, one question to the agent, the answer."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cni import plugin
from tests.rigs.kubelet import Kubelet, variables

pytestmark = pytest.mark.process

Json = Any
UID = "0c2b5d0e-5a3b-4a25-8f61-2f6a1c1a0001"
SECRET = "correct horse battery staple"


class FakeAgent:
    """Answers every request line with `reply`; b"" closes without an answer, None never answers."""

    def __init__(self, path: Path) -> None:
        self.reply: bytes | None = b'{"result": null}\n'
        self.requests: list[Json] = []
        self._held: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Stop, and let go of every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for peer in self._held:
            peer.close()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            received = b""
            while not received.endswith(b"\n") and (part := peer.recv(65536)):
                received += part
            self.requests.append(json.loads(received))
            if self.reply is None:
                self._held.append(peer)
                continue
            # In two parts: an answer may come in any number of them.
            peer.sendall(self.reply[:5])
            peer.sendall(self.reply[5:])
            peer.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[FakeAgent]:
    made = FakeAgent(tmp_path / "cni.sock")
    yield made
    made.close()


@pytest.fixture
def kubelet(tmp_path: Path) -> Kubelet:
    return Kubelet(tmp_path, socket=tmp_path / "cni.sock")


def _environment(**changes: str | None) -> dict[str, str]:
    names: dict[str, str | None] = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "abc123",
        "CNI_NETNS": "/run/netns/x",
        "CNI_IFNAME": "eth0",
        **changes,
    }
    return {name: value for name, value in names.items() if value is not None}


def _config(**changes: Json) -> bytes:
    return json.dumps({"cniVersion": "1.0.0", "name": "contrail", "type": "contrail-k8s-cni", **changes}).encode()


def test_add_asks_the_agent_and_prints_its_result(kubelet: Kubelet, agent: FakeAgent) -> None:
    agent.reply = b'{"result": {"cniVersion": "1.1.0", "ips": []}}\n'
    answer = kubelet.run("ADD", **variables("abc123", "/run/netns/x", "shop/web-0", UID))
    assert (answer.code, answer.output) == (0, {"cniVersion": "1.1.0", "ips": []})
    (request,) = agent.requests
    assert request["command"] == "ADD" and request["container"] == "abc123" and request["netns"] == "/run/netns/x"
    assert f"K8S_POD_UID={UID}" in request["args"]
    assert request["config"] == {"cniVersion": "1.1.0", "name": "contrail-k8s-cni", "mtu": 1500}


def test_del_prints_nothing_and_needs_no_netns(kubelet: Kubelet, agent: FakeAgent) -> None:
    answer = kubelet.run("DEL", CNI_CONTAINERID="abc123", CNI_IFNAME="eth0")
    assert (answer.code, answer.output) == (0, None)
    assert agent.requests[0]["netns"] == ""


def test_an_error_of_the_agent_is_printed_as_the_specification_wants_it(kubelet: Kubelet, agent: FakeAgent) -> None:
    agent.reply = b'{"error": {"code": 11, "msg": "pod shop/web-0: no address yet", "details": "later"}}\n'
    answer = kubelet.run("ADD", **variables("abc123", "/run/netns/x", "shop/web-0", UID))
    assert answer.code == 1
    assert answer.output == {
        "cniVersion": "1.1.0",
        "code": 11,
        "msg": "pod shop/web-0: no address yet",
        "details": "later",
    }


@pytest.mark.parametrize(("command", "code"), [("ADD", 11), ("DEL", 11), ("STATUS", 50)])
def test_an_absent_agent_is_said_with_what_to_do(kubelet: Kubelet, command: str, code: int) -> None:
    answer = kubelet.run(command, **variables("abc123", "/run/netns/x", "shop/web-0", UID))
    assert answer.code == 1 and answer.output["code"] == code
    assert "cni.sock" in answer.output["msg"] and "is the contrail-kube CNI agent running" in answer.output["details"]


def test_an_agent_that_dies_in_the_middle_is_said(kubelet: Kubelet, agent: FakeAgent) -> None:
    for reply in (b"", b'{"result": {'):
        agent.reply = reply
        answer = kubelet.run("ADD", **variables("abc123", "/run/netns/x", "shop/web-0", UID))
        assert answer.output["code"] == 11 and "ended before it had answered" in answer.output["msg"]


def test_an_agent_that_never_answers_is_not_waited_for_for_ever(kubelet: Kubelet, agent: FakeAgent) -> None:
    agent.reply = None
    began = time.monotonic()
    answer = kubelet.run("STATUS", stdin={"timeout-seconds": 1})
    assert answer.output["code"] == 50 and "no answer in time" in answer.output["msg"]
    assert 1 <= time.monotonic() - began < 5


def test_an_agent_that_answers_before_it_listens_is_heard(kubelet: Kubelet, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "cni.sock"))
        listener.listen()
        process = kubelet.spawn("STATUS")
        peer, _ = listener.accept()
        peer.sendall(b'{"error": {"code": 11, "msg": "too many requests at once"}}\n')
        peer.close()
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and json.loads(output)["msg"] == "too many requests at once"


def test_an_answer_that_is_no_json_is_said(kubelet: Kubelet, agent: FakeAgent) -> None:
    agent.reply = b"nonsense\n"
    assert kubelet.run("STATUS").output["code"] == 6


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"CNI_COMMAND": None}, 4, "CNI_COMMAND"),
        ({"CNI_COMMAND": "RESTART"}, 4, "CNI_COMMAND"),
        ({"CNI_CONTAINERID": None}, 4, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": ""}, 4, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "../x"}, 4, "CNI_CONTAINERID"),
        ({"CNI_NETNS": None}, 4, "CNI_NETNS"),
        ({"CNI_IFNAME": None}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "sixteen-letters-"}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "."}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": ".."}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a/b"}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a:b"}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a b"}, 4, "CNI_IFNAME"),
        ({"CNI_IFNAME": "a\tb"}, 4, "CNI_IFNAME"),
    ],
)
def test_case_87_wrong_environment_is_refused_by_name(changes: dict[str, str | None], code: int, field: str) -> None:
    exit_code, output = plugin.run(_environment(**changes), _config())
    assert exit_code == 1 and output is not None
    assert output["code"] == code and field in str(output["msg"])


@pytest.mark.parametrize("command", ["ADD", "DEL", "VERSION"])
@pytest.mark.parametrize("text", [b"nonsense", b"[]", b'"x"', b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_case_87_standard_input_that_is_no_object_is_code_6(command: str, text: bytes) -> None:
    exit_code, output = plugin.run(_environment(CNI_COMMAND=command), text)
    assert exit_code == 1 and output is not None and output["code"] == 6


@pytest.mark.parametrize("version", ["0.2.0", "2.0.0", "", None, 1, ["1.0.0"]])
def test_case_87_a_bad_version_is_code_1(version: Json) -> None:
    exit_code, output = plugin.run(_environment(), _config(cniVersion=version))
    assert exit_code == 1 and output is not None
    assert output["code"] == 1 and "0.3.1" in str(output["details"])


@pytest.mark.parametrize(("command", "version"), [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "1.0.0")])
def test_a_command_that_the_version_does_not_have_is_code_1(command: str, version: str) -> None:
    _, output = plugin.run(_environment(CNI_COMMAND=command), _config(cniVersion=version))
    assert output is not None and output["code"] == 1 and command in str(output["msg"])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": None},
        {"name": "a b"},
        {"agent-socket": "relative"},
        {"agent-socket": "/" + "x" * 200},
        {"agent-socket": 1},
        {"mtu": "1500"},
        {"mtu": True},
        {"mtu": 70000},
        {"timeout-seconds": 300},
        {"timeout-seconds": "1"},
    ],
    ids=str,
)
def test_case_87_a_bad_field_of_ours_is_code_7_by_name(changes: dict[str, Json]) -> None:
    _, output = plugin.run(_environment(), _config(**changes))
    assert output is not None and output["code"] == 7 and next(iter(changes)) in str(output["msg"])


@pytest.mark.parametrize(
    "text",
    [
        f'{{"password": "{SECRET}", nonsense'.encode(),
        _config(cniVersion=SECRET),
        _config(name=SECRET),
        _config(mtu=SECRET),
        _config(**{"agent-socket": SECRET, "password": SECRET}),
        _config(**{"timeout-seconds": SECRET}),
    ],
)
def test_case_89_no_value_of_the_configuration_is_echoed(kubelet: Kubelet, text: bytes) -> None:
    done = subprocess.run([str(kubelet.plugin)], input=text, env=_environment(), capture_output=True, check=False)
    assert done.returncode == 1 and done.stderr == b""
    assert SECRET not in done.stdout.decode()


def test_case_89_the_agent_is_not_given_fields_it_has_no_use_for(kubelet: Kubelet, agent: FakeAgent) -> None:
    kubelet.run("STATUS", stdin={"password": SECRET})
    assert SECRET not in json.dumps(agent.requests)


def test_version_tells_what_is_supported_without_an_agent(kubelet: Kubelet) -> None:
    answer = kubelet.run("VERSION")
    assert answer.code == 0
    assert answer.output == {
        "cniVersion": "1.1.0",
        "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    }
    assert kubelet.run("VERSION", raw=b"").code == 0
    assert kubelet.run("VERSION", raw=b'{"cniVersion": "0.4.0"}').output["cniVersion"] == "0.4.0"


def test_the_plugin_needs_neither_site_packages_nor_our_packages(tmp_path: Path) -> None:
    alone = tmp_path / "alone.py"
    alone.write_bytes(Path(plugin.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(alone)],
        input=b"",
        env={"CNI_COMMAND": "VERSION"},
        cwd="/",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == b"" and b"supportedVersions" in done.stdout


def test_the_plugin_imports_little() -> None:
    program = (
        f"import sys; before = set(sys.modules); text = open({str(plugin.__file__)!r}).read()\n"
        "exec(compile(text, 'plugin', 'exec'), {'__name__': 'plugin'})\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    heavy = {"socket", "selectors", "subprocess", "logging", "argparse", "typing", "dataclasses", "pathlib", "http"}
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(
        lambda value: json.dumps({"cniVersion": "1.1.0", "name": value, "mtu": value}).encode()
    )
)
def test_case_96_any_standard_input_gets_an_answer(text: bytes) -> None:
    code, output = plugin.run(_environment(CNI_COMMAND="STATUS"), text)
    assert code == 1 and output is not None and output["code"] in (1, 6, 7, 50)
    json.dumps(output)
