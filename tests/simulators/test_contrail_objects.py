"""What the simulated config API does with objects, beyond what was recorded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulators.contrail.server import ContrailSimulator
from tests.simulators.contrail_calls import PROJECT, Caller

VM_UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def simulator() -> Iterator[ContrailSimulator]:
    with ContrailSimulator(nodes={"node-1": "10.0.0.1"}) as running:
        yield running


@pytest.fixture
def api(simulator: ContrailSimulator) -> Iterator[Caller]:
    caller = Caller(simulator.port)
    yield caller
    caller.close()


def test_makes_a_whole_pod_with_uuids_of_our_own(api: Caller, simulator: ContrailSimulator) -> None:
    api.pod_network("10.32.0.0/12", "fd00:10:32::/64")
    api.create("tag", ["label=web"], tag_type_name="label", tag_value="web")
    api.create("virtual-machine", ["k8s__p__web"], uuid=VM_UUID, annotations=annotations(owner="k8s", cluster="k8s"))
    interface = api.create(
        "virtual-machine-interface",
        [*PROJECT, "web"],
        "project",
        annotations=annotations(index="0/1"),
        virtual_network_refs=[{"to": [*PROJECT, "net"]}],
        virtual_machine_refs=[{"to": ["k8s__p__web"], "uuid": VM_UUID}],
        tag_refs=[{"to": ["label=web"]}],
    )
    refs = [{"to": [*PROJECT, "web"], "uuid": interface}]
    assert api.address("v4", instance_ip_family="v4", virtual_machine_interface_refs=refs) == "10.47.255.252"
    assert api.address("v6", instance_ip_family="v6", virtual_machine_interface_refs=refs) == (
        "fd00:10:32:0:ffff:ffff:ffff:fffc"
    )
    router = simulator.find("virtual-router", "default-global-system-config", "node-1")
    assert router is not None
    api.post(
        "/ref-update",
        {
            "type": "virtual-router",
            "uuid": router["uuid"],
            "ref-type": "virtual-machine",
            "ref-uuid": VM_UUID,
            "operation": "ADD",
        },
    )
    made = api.read("virtual-machine-interface", interface)
    assert made["tag_refs"][0]["to"] == ["label=web"]
    assert made["annotations"] == annotations(index="0/1")
    assert len(made["instance_ip_back_refs"]) == 2
    machine = api.read("virtual-machine", VM_UUID)
    assert [ref["to"][-1] for ref in machine["virtual_router_back_refs"]] == ["node-1"]


def test_networks_on_one_flat_ipam_share_its_addresses(api: Caller) -> None:
    api.pod_network("10.32.0.0/12")
    api.network("other")
    assert api.address("a") == "10.47.255.252"
    assert api.address("b", "other") == "10.47.255.251"
    assert api.address("c") == "10.47.255.250"


def test_server_fills_gateway_and_dns_of_a_flat_subnet(api: Caller) -> None:
    api.pod_network("10.32.0.0/12")
    ipam = api.get(f"/network-ipams?fq_names={':'.join([*PROJECT, 'ipam'])}&fields=ipam_subnets")
    (subnet,) = ipam["network-ipams"][0]["ipam_subnets"]["subnets"]
    assert (subnet["default_gateway"], subnet["dns_server_address"]) == ("10.47.255.254", "10.47.255.253")


def test_address_of_a_deleted_instance_ip_is_given_out_again(api: Caller) -> None:
    api.pod_network("10.32.0.0/12")
    uuid = api.create("instance-ip", ["a"], virtual_network_refs=[{"to": [*PROJECT, "net"]}])
    assert api.call("DELETE", f"/instance-ip/{uuid}").status == 200
    assert api.address("b") == "10.47.255.252"


def test_subnets_of_an_ipam_in_use_stay(api: Caller) -> None:
    api.pod_network("10.32.0.0/12")
    api.address("a")
    ipam = api.get("/network-ipams?fields=ipam_subnets")["network-ipams"]
    uuid = next(i["uuid"] for i in ipam if i["fq_name"][-1] == "ipam")
    said = api.call("PUT", f"/network-ipam/{uuid}", {"network-ipam": {"ipam_subnets": {"subnets": []}}})
    assert (said.status, said.body) == (409, "Cannot Delete IP Block, IP(10.47.255.252) is in use")
    more = [{"subnet": {"ip_prefix": p, "ip_prefix_len": 12}} for p in ("10.32.0.0", "10.64.0.0")]
    assert api.call("PUT", f"/network-ipam/{uuid}", {"network-ipam": {"ipam_subnets": {"subnets": more}}}).status == 200
    assert api.address("b") == "10.47.255.251"


def test_relaxed_reference_lets_its_target_go(api: Caller, simulator: ContrailSimulator) -> None:
    api.create("virtual-machine", ["vm"], uuid=VM_UUID)
    router = simulator.objects("virtual-router")[0]
    link = {
        "type": "virtual-router",
        "uuid": router["uuid"],
        "ref-type": "virtual-machine",
        "ref-uuid": VM_UUID,
        "operation": "ADD",
    }
    api.post("/ref-update", link)
    assert api.call("DELETE", f"/virtual-machine/{VM_UUID}").status == 409
    api.post("/ref-update", {**link, "relax_ref_for_delete": True})
    assert api.call("DELETE", f"/virtual-machine/{VM_UUID}").status == 200
    assert "virtual_machine_refs" not in api.read("virtual-router", router["uuid"])


def test_floating_ip_of_an_address_maps_ports_of_all_protocols(api: Caller) -> None:
    api.pod_network("10.32.0.0/12")
    api.create(
        "instance-ip", ["vip"], virtual_network_refs=[{"to": [*PROJECT, "net"]}], instance_ip_address="10.32.0.9"
    )
    mappings = [{"protocol": p, "src_port": 80, "dst_port": 8080} for p in ("TCP", "UDP", "SCTP")]
    uuid = api.create(
        "floating-ip",
        ["vip", "fip"],
        "instance-ip",
        floating_ip_address="10.32.0.9",
        floating_ip_port_mappings_enable=True,
        floating_ip_port_mappings={"port_mappings": mappings},
    )
    assert api.read("floating-ip", uuid)["floating_ip_port_mappings"]["port_mappings"] == mappings


def test_firewall_rule_finds_its_global_tags(api: Caller) -> None:
    for value in ("a", "b"):
        api.create("tag", [f"label={value}"], tag_type_name="label", tag_value=value)
    uuid = api.create(
        "firewall-rule",
        ["default-policy-management", "rule"],
        "policy-management",
        action_list={"simple_action": "pass"},
        service={"protocol": "tcp", "dst_ports": {"start_port": 80, "end_port": 90}},
        endpoint_1={"tags": ["label=a", "label=b"]},
        endpoint_2={"subnet": {"ip_prefix": "fd00::", "ip_prefix_len": 64}},
        direction=">",
    )
    rule = api.read("firewall-rule", uuid)
    assert rule["endpoint_1"]["tag_ids"] == [0, 1]
    assert len(rule["tag_refs"]) == 2
    assert api.call("PUT", f"/firewall-rule/{uuid}", {"firewall-rule": {"endpoint_1": {"any": True}}}).status == 200
    assert "tag_refs" not in api.read("firewall-rule", uuid)


def test_object_cannot_have_two_tags_of_one_type(api: Caller) -> None:
    for value in ("a", "b"):
        api.create("tag", [f"tier={value}"], tag_type_name="tier", tag_value=value)
    tags = [{"to": ["tier=a"]}, {"to": ["tier=b"]}]
    said = api.call("POST", "/virtual-machines", {"virtual-machine": {"fq_name": ["vm"], "tag_refs": tags}})
    assert (said.status, said.body) == (400, "Tag type tier cannot be set multiple times on a same object.")


def test_list_elements_are_changed_one_by_one(api: Caller, simulator: ContrailSimulator) -> None:
    config = simulator.objects("global-vrouter-config")[0]["uuid"]
    pools = [{"protocol": p, "port_range": {"start_port": 1, "end_port": 9}} for p in ("tcp", "udp")]

    def update(**change: object) -> None:
        api.post(
            "/prop-collection-update", {"uuid": config, "updates": [{"field": "port_translation_pools", **change}]}
        )

    update(operation="add", value=pools[0], position="first")
    update(operation="add", value=pools[1], position="second")
    update(operation="delete", position="first")
    body = api.get(f"/prop-collection-get?uuid={config}&fields=port_translation_pools")
    assert body == {"port_translation_pools": [[pools[1], "second"]]}


def test_pages_hold_every_object_once(api: Caller) -> None:
    made = {api.create("virtual-machine", [f"vm-{number}"]) for number in range(25)}
    seen: list[str] = []
    marker = "None"
    while marker:
        body = api.get(f"/virtual-machines?fields=annotations&page_limit=10&page_marker={marker}")
        seen += [item["uuid"] for item in body["virtual-machines"]]
        marker = body["marker"]
    assert (len(seen), set(seen)) == (25, made)


def test_children_of_a_project_own_what_the_project_owns(api: Caller) -> None:
    owner = "22222222-2222-4333-8444-555555555555"
    api.create("project", PROJECT, "domain", uuid=owner)
    group = api.create("security-group", [*PROJECT, "g"], "project")
    assert api.read("security-group", group)["perms2"]["owner"] == owner.replace("-", "")


def test_request_of_an_unforeseen_shape_is_an_internal_error(api: Caller, caplog: pytest.LogCaptureFixture) -> None:
    said = api.call("POST", "/set-tag", {"obj_type": "project", "obj_uuid": "x", "label": 5})
    assert said.status == 404
    uuid = api.create("project", PROJECT, "domain")
    said = api.call("POST", "/set-tag", {"obj_type": "project", "obj_uuid": uuid, "label": 5})
    assert (said.status, said.body) == (500, "Internal Server Error")
    assert "request not foreseen" in caplog.text


def annotations(**pairs: str) -> dict[str, object]:
    return {"key_value_pair": [{"key": key, "value": pairs[key]} for key in sorted(pairs)]}
