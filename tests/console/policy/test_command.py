"""`contrail-kube policy` on manifests: answers, reasons, tables and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from console.__main__ import cli
from schemas.errors import SettingsError
from tests.console.policy.shop import written


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder of manifests."""
    return written(tmp_path)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["policy", *map(str, arguments)], env={})


def ask(shop: Path, source: str, target: str, port: str, *more: str) -> Result:
    return run("test", "-f", shop, "--from", source, "--to", target, "--port", port, *more)


def test_what_is_allowed_is_told_with_the_rules_that_allow_it(shop: Path) -> None:
    result = ask(shop, "shop/web", "shop/db", "sql")
    assert result.exit_code == 0, result.output
    first, egress, selected, ingress, *_ = result.output.splitlines()
    assert first == "allowed: shop/web (10.32.0.9) to shop/db (10.32.0.8), port 5432/TCP"
    assert "egress    allowed  shop/web (10.32.0.9): shop/web, egress[0]: to pods app=db in shop" in egress
    assert selected.split() == ["selected", "by", "shop/deny,", "shop/web"]
    assert "shop/db, ingress[1]: from pods app=web in shop on the TCP port named sql" in ingress
    assert "contrail  allowed  source: rule 1 of" in result.output
    assert "note: no manifest for namespaces monitoring" in result.stderr


def test_what_is_denied_is_told_with_what_isolates(shop: Path) -> None:
    result = ask(shop, "monitoring/probe", "shop/db", "5432/tcp")
    assert result.exit_code == 1
    assert (
        "ingress   denied   shop/db (10.32.0.8): isolated, and no rule of what selects it allows this" in result.output
    )
    assert "selected by shop/db, shop/deny" in result.output and "contrail  denied " in result.output


def test_addresses_and_json(shop: Path) -> None:
    result = ask(shop, "203.0.113.7", "shop/web", "http", "--output", "json")
    assert result.exit_code == 0
    (found,) = json.loads(result.stdout)["answers"]
    assert found["from"] == {"pod": None, "node": None, "address": "203.0.113.7"}
    assert found["port"] == "8080/TCP" and found["allowed"] and not found["differs"]
    assert found["ingress"]["policy"] == "shop/web" and found["ingress"]["rule"] == "ingress[0]"
    assert ask(shop, "shop/web", "203.0.113.7", "443").exit_code == 1
    assert ask(shop, "monitoring/probe", "203.0.113.7", "ICMP").exit_code == 0


@pytest.mark.parametrize(
    ("source", "target", "port", "said"),
    [
        ("shop/none", "shop/db", "80", "no pod 'none' in namespace shop; there are db, web"),
        ("shops/web", "shop/db", "80", "namespace 'shops' is not known; known are monitoring, shop"),
        ("web", "shop/db", "80", "accepted are namespace/pod and an address"),
        ("shop/web", "shop/web", "80", "never leaves it"),
        ("monitoring/probe", "10.32.0.200", "80", "never leaves it"),
        ("203.0.113.7", "203.0.113.8", "80", "policies are about pods"),
        ("2001:db8::1", "shop/db", "80", "no addresses of one family"),
        ("shop/web", "shop/db", "http", "shop/db has no TCP port of that name; it has sql (5432/TCP)"),
        ("shop/web", "shop/db", "0", "0 is no port"),
        ("shop/web", "shop/db", "\u00b2", "accepted are 80, 80/UDP, the name of a container port, and ICMP"),
        ("shop/web", "shop/db", "80/FTP", "accepted are TCP, UDP, SCTP"),
        ("shop/web", "203.0.113.7", "http", "the target is no pod"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    shop: Path, source: str, target: str, port: str, said: str
) -> None:
    result = ask(shop, source, target, port)
    assert isinstance(result.exception, SettingsError) and said in str(result.exception)


def test_of_many_pods_some_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {{name: p{}, namespace: many}}\nspec: {{containers: []}}\n---\n"
    (tmp_path / "many.yaml").write_text("".join(pod.format(number) for number in range(10, 22)))
    assert str(ask(tmp_path, "many/none", "many/p10", "80").exception).endswith("p18, p19 and 2 more")


def test_manifests_and_a_running_system_are_not_asked_together(shop: Path) -> None:
    result = ask(shop, "shop/web", "shop/db", "80", "--database", "postgresql://x")
    assert result.exit_code == 2 and "name one of them" in result.stderr


def _grid(text: str, port: str) -> dict[str, list[str]]:
    lines = text.partition(f"port {port}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return {line.split()[1]: line.split()[2:] for line in lines}


def test_the_table_has_a_row_for_each_source_and_a_grid_for_each_port(shop: Path) -> None:
    result = run("matrix", "-f", shop, "--outside", "203.0.113.7")
    assert result.exit_code == 0, result.output
    grid = _grid(result.output, "5432/TCP")
    assert list(grid) == ["monitoring/probe", "shop/db", "shop/web", "203.0.113.7"]
    assert grid["shop/web"] == ["-", "+", ".", "-"] and grid["monitoring/probe"] == [".", "-", "-", "+"]
    assert _grid(result.output, "8080/TCP")["203.0.113.7"] == ["+", "-", "+", "."]


def test_the_table_can_be_of_some_namespaces_and_of_ports_by_name(shop: Path) -> None:
    result = run("matrix", "-f", shop, "--namespace", "shop", "--port", "http", "--port", "ICMP")
    assert _grid(result.output, "http") == {"shop/db": [".", "-"], "shop/web": [".", "."]}
    assert _grid(result.output, "ICMP") == {"shop/db": [".", "-"], "shop/web": ["-", "."]}
    wrong = run("matrix", "-f", shop, "--namespace", "none")
    assert "known are monitoring, shop" in str(wrong.exception)


def test_a_table_of_nothing_is_not_an_answer(shop: Path, tmp_path: Path) -> None:
    """A name that is mistyped would be a table of dots, and one of no pods an empty one."""
    assert "none of the pods has a port of that name" in str(run("matrix", "-f", shop, "--port", "htp").exception)
    (tmp_path / "none.yaml").write_text("kind: Service\n")
    assert "there is no pod to ask of" in str(run("matrix", "-f", tmp_path / "none.yaml").exception)


def test_policies_that_are_not_of_kubernetes_are_told(shop: Path) -> None:
    """A version that is long gone, or mistyped, is no policy to anybody: everything would look open."""
    old = "apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: old, namespace: shop}\n"
    (shop / "old.yaml").write_text(old)
    result = ask(shop, "shop/web", "shop/db", "sql")
    assert "old.yaml: NetworkPolicy of 'extensions/v1beta1' is passed over: not networking.k8s.io/v1" in result.stderr


def test_the_table_by_namespace_says_all_some_or_none(shop: Path) -> None:
    result = run("matrix", "-f", shop, "--by", "namespace", "--port", "8080", "--outside", "203.0.113.7")
    rows = [line.split()[-3:] for line in result.output.splitlines()[2:5]]
    assert rows == [[".", "~", "+"], ["-", "-", "-"], ["+", "~", "."]]


def test_the_table_as_json_has_every_cell(shop: Path) -> None:
    result = run("matrix", "-f", shop, "--port", "80", "--output", "json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["answers"]
    assert len(found) == 6 and all(not each["differs"] for each in found)


def test_pods_of_two_families_are_asked_in_both(shop: Path) -> None:
    environ = {"CONTRAIL_KUBE_CLUSTER_POD_SUBNETS": "10.32.0.0/12,fd00:32::/64"}
    asked = ["policy", "test", "-f", str(shop), "--from", "shop/web", "--to", "shop/db", "--port", "5432"]
    result = CliRunner().invoke(cli, asked, env=environ)
    assert result.exit_code == 0 and "the same from fd00:32::9 to fd00:32::8" in result.output
