"""Uses Contrail's official client against the API on port argv[1]; run by the interpreter of its environment.

Prints one JSON object: what was read. Exits non-zero when the client raises anything that is not expected.
"""

import json
import sys

from vnc_api import vnc_api
from vnc_api.exceptions import NoIdError, RefsExistError


def main(port):
    api = vnc_api.VncApi(api_server_host="127.0.0.1", api_server_port=port)
    said = {}
    made = []

    def create(obj, kind):
        getattr(api, kind + "_create")(obj)
        made.append((kind, obj))
        return obj

    domain = api.domain_read(fq_name=["default-domain"])
    project = create(vnc_api.Project("pods", domain), "project")
    ipam = vnc_api.NetworkIpam("pod-ipam", project, ipam_subnet_method="flat-subnet")
    subnet = vnc_api.IpamSubnetType(subnet=vnc_api.SubnetType("10.32.0.0", 12))
    ipam.set_ipam_subnets(vnc_api.IpamSubnets([subnet]))
    create(ipam, "network_ipam")
    rule = vnc_api.PolicyRuleType(
        direction="<>",
        protocol="any",
        src_addresses=[vnc_api.AddressType(virtual_network="any")],
        dst_addresses=[vnc_api.AddressType(virtual_network="any")],
        src_ports=[vnc_api.PortType(-1, -1)],
        dst_ports=[vnc_api.PortType(-1, -1)],
        action_list=vnc_api.ActionListType(simple_action="pass"),
    )
    policy = vnc_api.NetworkPolicy("any", project, network_policy_entries=vnc_api.PolicyEntriesType([rule]))
    create(policy, "network_policy")
    network = vnc_api.VirtualNetwork(
        "pod-network",
        project,
        address_allocation_mode="flat-subnet-only",
        virtual_network_properties=vnc_api.VirtualNetworkType(forwarding_mode="l3"),
    )
    network.add_network_ipam(ipam, vnc_api.VnSubnetsType([]))
    network.add_network_policy(policy, vnc_api.VirtualNetworkPolicyType(sequence=vnc_api.SequenceType(0, 0)))
    create(network, "virtual_network")
    everything = vnc_api.AddressType(subnet=vnc_api.SubnetType("0.0.0.0", 0))
    group_rule = vnc_api.PolicyRuleType(
        direction=">",
        protocol="any",
        ethertype="IPv4",
        src_addresses=[vnc_api.AddressType(security_group="local")],
        dst_addresses=[everything],
        src_ports=[vnc_api.PortType(0, 65535)],
        dst_ports=[vnc_api.PortType(0, 65535)],
    )
    group = vnc_api.SecurityGroup("default", project, security_group_entries=vnc_api.PolicyEntriesType([group_rule]))
    create(group, "security_group")
    machine = create(vnc_api.VirtualMachine("pod-1", server_type="container"), "virtual_machine")
    interface = vnc_api.VirtualMachineInterface("pod-1-eth0", project)
    interface.set_virtual_network(network)
    interface.set_virtual_machine(machine)
    interface.set_security_group(group)
    interface.set_annotations(vnc_api.KeyValuePairs([vnc_api.KeyValuePair("index", "0/1")]))
    create(interface, "virtual_machine_interface")
    address = vnc_api.InstanceIp("pod-1-ip")
    address.set_virtual_network(network)
    address.set_virtual_machine_interface(interface)
    create(address, "instance_ip")
    system = api.global_system_config_read(fq_name=["default-global-system-config"])
    router = vnc_api.VirtualRouter("node-1", system, virtual_router_ip_address="10.0.0.1")
    create(router, "virtual_router")

    api.ref_update("virtual-router", router.uuid, "virtual-machine", machine.uuid, None, "ADD")
    said["linked"] = [r["to"] for r in api.virtual_router_read(id=router.uuid).get_virtual_machine_refs()]
    said["address"] = api.instance_ip_read(id=address.uuid).get_instance_ip_address()
    read = api.virtual_machine_interface_read(fq_name=interface.get_fq_name())
    said["mac"] = read.get_virtual_machine_interface_mac_addresses().get_mac_address()
    said["annotations"] = [[p.key, p.value] for p in read.get_annotations().get_key_value_pair()]
    said["back_refs"] = len(
        api.virtual_network_read(id=network.uuid, fields=["instance_ip_back_refs"]).get_instance_ip_back_refs()
    )
    said["listed"] = {}
    for kind, obj in made:
        found = getattr(api, kind + "s_list")(detail=False)
        said["listed"][kind] = obj.uuid in [item["uuid"] for item in next(iter(found.values()))]
    said["detail"] = [i.name for i in api.virtual_machine_interfaces_list(parent_id=project.uuid, detail=True)]

    router.set_virtual_router_ip_address("10.0.0.2")
    api.virtual_router_update(router)
    said["updated"] = api.virtual_router_read(id=router.uuid).get_virtual_router_ip_address()
    said["refused"] = refused(lambda: api.virtual_network_delete(id=network.uuid), RefsExistError)
    said["twice"] = refused(lambda: api.project_create(vnc_api.Project("pods", domain)), RefsExistError)

    api.ref_update("virtual-router", router.uuid, "virtual-machine", machine.uuid, None, "DELETE")
    said["unlinked"] = api.virtual_router_read(id=router.uuid).get_virtual_machine_refs() or []
    for kind, obj in reversed(made):
        getattr(api, kind + "_delete")(id=obj.uuid)
    said["gone"] = [kind for kind, obj in made if is_gone(api, kind, obj.uuid)]
    print(json.dumps(said))


def is_gone(api, kind, uuid):
    return bool(refused(lambda: getattr(api, kind + "_read")(id=uuid), NoIdError))


def refused(call, error):
    try:
        call()
    except error as raised:
        return str(raised)
    return ""


if __name__ == "__main__":
    main(sys.argv[1])
