"""Settings of the node agent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cni.settings import AgentSettings
from schemas.errors import SettingsError
from schemas.settings import from_env

NAME = {"CONTRAIL_KUBE_CNI_NODE_NAME": "node-a"}


def test_only_the_nodes_name_has_to_be_given() -> None:
    settings = from_env(AgentSettings, NAME)
    assert settings.node_name == "node-a" and settings.socket == Path("/run/contrail-kube/cni.sock")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "NODE_NAME"),
        ({"CONTRAIL_KUBE_CNI_NODE_NAME": ""}, "NODE_NAME"),
        ({**NAME, "CONTRAIL_KUBE_CNI_MTU": "9"}, "MTU"),
        ({**NAME, "CONTRAIL_KUBE_CNI_MTU": "big"}, "MTU"),
        ({**NAME, "CONTRAIL_KUBE_CNI_DEADLINE": "60"}, "DEADLINE"),
        ({**NAME, "CONTRAIL_KUBE_CNI_LONGEST_PAUSE": "0"}, "LONGEST_PAUSE"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=f"CONTRAIL_KUBE_CNI_{named}"):
        from_env(AgentSettings, environment)


@pytest.mark.process
@pytest.mark.parametrize(
    ("environment", "said"),
    [({}, "CONTRAIL_KUBE_CNI_NODE_NAME"), ({**NAME, "CONTRAIL_KUBE_CNI_SOKET": "/x"}, "did you mean")],
)
def test_the_agent_does_not_start_with_wrong_settings(environment: dict[str, str], said: str) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "cni"], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
