"""What contrail-kube-manager makes in Contrail for a cluster, with its names and bodies, by real calls."""

from __future__ import annotations

import json
import uuid as uuids
from dataclasses import dataclass
from typing import Any

import requests

DOMAIN = "default-domain"
POLICIES = "default-policy-management"
ANY_PORT = [{"start_port": -1, "end_port": -1}]
SEQUENCE = {"sequence": {"major": 0, "minor": 0}}


@dataclass(frozen=True)
class PodThere:
    """Uuids of a pod's objects in Contrail."""

    machine: str
    interface: str
    address: str


class KubeManager:
    """The predecessor of one cluster; uuids are random, or chosen with the object as it does."""

    def __init__(self, url: str, *, cluster: str = "k8s", owner: str = "k8s", pods: str = "10.32.0.0/12") -> None:
        self.url = url
        self.cluster = cluster
        self._owner = owner
        self._pods = pods
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def home(self) -> list[str]:
        """Project of what belongs to the whole cluster."""
        return [DOMAIN, f"{self.cluster}-default"]

    @property
    def pod_network(self) -> list[str]:
        """The network of all pods."""
        return [*self.home, f"{self.cluster}-default-pod-network"]

    @property
    def service_network(self) -> list[str]:
        """The network of all services."""
        return [*self.home, f"{self.cluster}-default-service-network"]

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, path: str, body: dict[str, Any]) -> Any:
        """POST; fails unless it is answered with 200."""
        answer = self._http.post(f"{self.url}/{path}", json=body, timeout=10.0)
        assert answer.status_code == 200, f"{path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.text else None

    def make(self, type_: str, *fq_name: str, **fields: Any) -> str:
        """Create an object, its annotations with a second call, as the original's client library does."""
        annotations = fields.pop("annotations", None)
        body = self.call(f"{type_}s", {type_: {"fq_name": list(fq_name), **fields}})
        uuid: str = body[type_]["uuid"]
        if annotations:
            updates = [
                {"field": "annotations", "operation": "set", "value": {"key": key, "value": value}, "position": key}
                for key, value in annotations.items()
            ]
            self.call("prop-collection-update", {"uuid": uuid, "updates": updates})
        return uuid

    def find(self, type_: str, *fq_name: str) -> str:
        """The uuid of a named object."""
        uuid: str = self.call("fqname-to-id", {"type": type_, "fq_name": list(fq_name)})["uuid"]
        return uuid

    def marks(self, kind: str, namespace: str, name: str, **more: str) -> dict[str, str]:
        """Its annotations."""
        return {
            "kind": kind,
            "owner": self._owner,
            "cluster": self.cluster,
            "project": f"{self.cluster}-{namespace}",
            "namespace": namespace,
            "name": name,
            **more,
        }

    def bootstrap(self) -> None:
        """What it makes at its start, most of it without annotations."""
        for namespace in ("default", "kube-system"):
            self.make("project", DOMAIN, f"{self.cluster}-{namespace}", parent_type="domain")
            name = f"{self.cluster}-{namespace}"
            entries: dict[str, Any] = {"policy_rule": []}
            self.make(
                "security-group",
                DOMAIN,
                name,
                f"{name}-default-sg",
                parent_type="project",
                security_group_entries=entries,
            )
        for suffix, cidr in (
            ("ip-fabric-ipam", "10.64.0.0"),
            ("pod-ipam", self._pods.partition("/")[0]),
            ("service-ipam", "10.96.0.0"),
        ):
            subnet = {"subnet": {"ip_prefix": cidr, "ip_prefix_len": 12}}
            self._in_home("network-ipam", suffix, ipam_subnet_method="flat-subnet", ipam_subnets={"subnets": [subnet]})
        for suffix in ("pod", "service"):
            ipam = {"to": [*self.home, f"{self.cluster}-{suffix}-ipam"], "attr": {"ipam_subnets": []}}
            self._in_home(
                "virtual-network",
                f"default-{suffix}-network",
                address_allocation_mode="flat-subnet-only",
                virtual_network_properties={"forwarding_mode": "l3"},
                fabric_snat=False,
                network_ipam_refs=[ipam],
            )
        self._policies()
        self._firewall()

    def _in_home(self, type_: str, suffix: str, **fields: Any) -> str:
        return self.make(type_, *self.home, f"{self.cluster}-{suffix}", parent_type="project", **fields)

    def _policies(self) -> None:
        fabric = [DOMAIN, "default-project", "ip-fabric"]
        for suffix, target, networks in (
            ("default-ip-fabric-np", fabric, (fabric, self.pod_network, self.service_network)),
            ("default-service-np", self.service_network, (self.service_network,)),
            ("default-pod-service-np", self.service_network, (self.pod_network, self.service_network)),
        ):
            source = {"network_policy": ":".join([*self.home, f"{self.cluster}-{suffix}"])}
            if suffix == "default-pod-service-np":
                source = {"virtual_network": ":".join(self.pod_network)}
            rule = {
                "direction": "<>",
                "protocol": "any",
                "src_addresses": [source],
                "src_ports": ANY_PORT,
                "dst_addresses": [{"virtual_network": ":".join(target)}],
                "dst_ports": ANY_PORT,
                "action_list": {"simple_action": "pass"},
            }
            policy = self._in_home("network-policy", suffix, network_policy_entries={"policy_rule": [rule]})
            for network in networks:
                self.refer(
                    "virtual-network",
                    self.find("virtual-network", *network),
                    "network-policy",
                    policy,
                    attr=SEQUENCE,
                    relax_ref_for_delete=True,
                )

    def _firewall(self) -> None:
        self.tag(f"application={self.cluster}")
        policy_set = self.make("application-policy-set", POLICIES, self.cluster, parent_type="policy-management")
        for place, name in enumerate(("Ingress", "denyall", "allowall"), 1):
            policy = self.firewall_policy(name)
            attr = {"sequence": f"{place:05d}.0"}
            self.refer("application-policy-set", policy_set, "firewall-policy", policy, attr=attr)
        self.set_tag("application_policy_set", policy_set, application=self.cluster)

    def refer(self, type_: str, uuid: str, target_type: str, target: str, **more: Any) -> None:
        """ref-update ADD."""
        body = {"type": type_, "uuid": uuid, "ref-type": target_type, "ref-uuid": target, "operation": "ADD", **more}
        self.call("ref-update", body)

    def tag(self, name: str) -> None:
        """A global tag, if it is not there yet."""
        type_, _, value = name.partition("=")
        body = {"tag": {"fq_name": [name], "tag_type_name": type_, "tag_value": value}}
        answer = self._http.post(f"{self.url}/tags", json=body, timeout=10.0)
        assert answer.status_code in (200, 409), answer.text

    def set_tag(self, type_: str, uuid: str, **tags: str) -> None:
        """Tags of an object."""
        wanted = {name: {"is_global": True, "value": value} for name, value in tags.items()}
        self.call("set-tag", {"obj_type": type_, "obj_uuid": uuid, **wanted})

    def firewall_policy(self, name: str, namespace: str = "", **more: str) -> str:
        """A firewall policy with its annotations."""
        marks = self.marks("VncSecurityPolicy", namespace, name, **more)
        return self.make(
            "firewall-policy", POLICIES, f"{self.cluster}-{name}", parent_type="policy-management", annotations=marks
        )

    def namespace(self, name: str, *, uid: str = "", isolated: bool = False) -> None:
        """What a namespace gets; those that it made at its start keep what they have."""
        project = f"{self.cluster}-{name}"
        marks = self.marks("Namespace", name, name)
        if name not in ("default", "kube-system"):
            more = {"k8s_uuid": uid, "isolated": str(isolated)}
            self.make("project", DOMAIN, project, parent_type="domain", annotations={**marks, **more})
            self.make(
                "security-group",
                DOMAIN,
                project,
                f"{project}-default-sg",
                parent_type="project",
                annotations={**marks, "name": f"{project}-default-sg"},
                security_group_entries={"policy_rule": [_allow_all()]},
            )
        if isolated:
            ipam = {"to": [*self.home, f"{self.cluster}-pod-ipam"], "attr": {"ipam_subnets": []}}
            self.make(
                "virtual-network",
                DOMAIN,
                project,
                f"{project}-pod-network",
                parent_type="project",
                annotations={**marks, "isolated": "True"},
                address_allocation_mode="flat-subnet-only",
                virtual_network_properties={"forwarding_mode": "l3"},
                network_ipam_refs=[ipam],
            )
        self.tag(f"namespace={name}")
        for way, ends in (("ingress", 2), ("egress", 1)):
            other = 3 - ends
            endpoints: dict[str, Any] = {
                f"endpoint_{ends}": {"tags": [f"namespace={name}"]},
                f"endpoint_{other}": {"any": True},
            }
            self.rule(f"{self.cluster}-Namespace-{name}-{way}", **endpoints)

    def rule(self, name: str, *, policy: str = "allowall", **fields: Any) -> str:
        """A rule of a firewall policy."""
        uuid = self.make(
            "firewall-rule",
            POLICIES,
            name,
            parent_type="policy-management",
            direction=">",
            action_list={"simple_action": "pass"},
            service={"protocol": "any", "dst_ports": {"start_port": 0, "end_port": 65535}},
            **fields,
        )
        holder = self.find("firewall-policy", POLICIES, f"{self.cluster}-{policy}")
        self.refer("firewall-policy", holder, "firewall-rule", uuid, attr={"sequence": "00001.0"})
        return uuid

    def pod(
        self,
        namespace: str,
        name: str,
        *,
        uid: str,
        node: str = "node-1",
        network: list[str] | None = None,
        **tags: str,
    ) -> PodThere:
        """A running pod."""
        marks = self.marks("Pod", namespace, name)
        labels = json.dumps({**tags, "namespace": namespace})
        machine = self.make(
            "virtual-machine",
            f"{self.cluster}__{namespace}__{name}",
            uuid=uid,
            server_type="container",
            annotations={**marks, "k8s_uuid": uid, "labels": labels},
        )
        interface = self.interface(namespace, name, machine=machine, network=network)
        address = self.address(namespace, name, interface=interface, network=network)
        router = self.find("virtual-router", "default-global-system-config", node)
        self.refer("virtual-router", router, "virtual-machine", machine)
        for key, value in tags.items():
            self.tag(f"{key}={value}")
        self.set_tag("virtual_machine_interface", interface, namespace=namespace, **tags)
        return PodThere(machine, interface, address)

    def interface(
        self,
        namespace: str,
        name: str,
        *,
        machine: str,
        network: list[str] | None = None,
        index: str = "0/1",
        called: str = "default",
    ) -> str:
        """An interface of a pod's machine."""
        uuid = str(uuids.uuid1())
        project = f"{self.cluster}-{namespace}"
        return self.make(
            "virtual-machine-interface",
            DOMAIN,
            project,
            f"{name}__{uuid}",
            parent_type="project",
            uuid=uuid,
            port_security_enabled=True,
            virtual_network_refs=[{"to": network or self.pod_network}],
            virtual_machine_refs=[{"to": [f"{self.cluster}__{namespace}__{name}"], "uuid": machine}],
            security_group_refs=[{"to": [DOMAIN, project, f"{project}-default-sg"]}],
            annotations=self.marks("Pod", namespace, name, index=index, network=called),
        )

    def address(self, namespace: str, name: str, *, interface: str, network: list[str] | None = None) -> str:
        """The address of an interface."""
        uuid = str(uuids.uuid1())
        answer = self._http.get(f"{self.url}/virtual-machine-interface/{interface}", timeout=10.0)
        there = answer.json()["virtual-machine-interface"]["fq_name"]
        return self.make(
            "instance-ip",
            f"{name}__{uuid}",
            uuid=uuid,
            virtual_network_refs=[{"to": network or self.pod_network}],
            virtual_machine_interface_refs=[{"to": there, "uuid": interface}],
            annotations=self.marks("Pod", namespace, name),
        )

    def service(self, namespace: str, name: str, *, uid: str, backend: PodThere) -> None:
        """A service of one port with its address, its load-balancer, and one member; most of it without a mark."""
        project = f"{self.cluster}-{namespace}"
        at = (DOMAIN, project)
        interface_name = f"{self.cluster}__Service__{name}__{uid}"
        interface = self.make(
            "virtual-machine-interface",
            *at,
            interface_name,
            parent_type="project",
            virtual_machine_interface_device_owner="K8S:LOADBALANCER",
            virtual_network_refs=[{"to": self.service_network}],
            security_group_refs=[{"to": [*at, f"{project}-default-sg"]}],
        )
        uuid = str(uuids.uuid4())
        to_interface = [{"to": [*at, interface_name], "uuid": interface}]
        address = self.make(
            "instance-ip",
            f"{name}__{uuid}",
            uuid=uuid,
            instance_ip_address="10.96.0.7",
            virtual_network_refs=[{"to": self.service_network}],
            virtual_machine_interface_refs=to_interface,
        )
        balancer = f"{name}__{uid}"
        self.make(
            "loadbalancer",
            *at,
            balancer,
            uuid=uid,
            parent_type="project",
            loadbalancer_provider="native",
            virtual_machine_interface_refs=to_interface,
            loadbalancer_properties={"admin_state": True, "vip_address": "10.96.0.7"},
            annotations=self.marks("Service", namespace, name),
        )
        listener = f"{balancer}-TCP-80-{uuids.uuid4()}"
        self.make(
            "loadbalancer-listener",
            *at,
            listener,
            parent_type="project",
            loadbalancer_refs=[{"to": [*at, balancer]}],
            loadbalancer_listener_properties={"protocol": "TCP", "protocol_port": 80, "admin_state": True},
        )
        self.make(
            "loadbalancer-pool",
            *at,
            listener,
            parent_type="project",
            loadbalancer_pool_properties={"protocol": "HTTP", "admin_state": True},
            loadbalancer_listener_refs=[{"to": [*at, listener]}],
        )
        self.make(
            "loadbalancer-member",
            *at,
            listener,
            str(uuids.uuid4()),
            parent_type="loadbalancer-pool",
            loadbalancer_member_properties={"protocol_port": 8080, "admin_state": True, "weight": 1},
            annotations={"vmi": backend.interface, "vm": backend.machine},
        )
        self.make(
            "floating-ip",
            f"{name}__{uuid}",
            f"{balancer}-fip",
            parent_type="instance-ip",
            floating_ip_address="10.96.0.7",
            project_refs=[{"to": list(at)}],
            virtual_machine_interface_refs=[{"to": self._name(backend.interface), "uuid": backend.interface}],
        )
        assert address

    def network_policy(self, namespace: str, name: str) -> None:
        """A NetworkPolicy that lets one address block in."""
        self.firewall_policy(f"{namespace}-{name}", namespace, spec="{}")
        group = self.make(
            "address-group",
            POLICIES,
            f"203.0.113.0/24 of {self.cluster}",
            parent_type="policy-management",
            address_group_prefix={"subnet": [{"ip_prefix": "203.0.113.0", "ip_prefix_len": 24}]},
        )
        assert group
        self.rule(
            f"{namespace}-ingress-{name}-0 of {self.cluster}",
            policy=f"{namespace}-{name}",
            endpoint_1={"address_group": f"{POLICIES}:203.0.113.0/24 of {self.cluster}"},
            endpoint_2={"tags": [f"namespace={namespace}"]},
        )

    def _name(self, interface: str) -> list[str]:
        answer = self._http.get(f"{self.url}/virtual-machine-interface/{interface}", timeout=10.0)
        name: list[str] = answer.json()["virtual-machine-interface"]["fq_name"]
        return name


def _allow_all() -> dict[str, Any]:
    port = [{"start_port": 0, "end_port": 65535}]
    return {
        "rule_uuid": str(uuids.uuid4()),
        "direction": ">",
        "protocol": "any",
        "ethertype": "IPv4",
        "src_addresses": [{"subnet": {"ip_prefix": "0.0.0.0", "ip_prefix_len": 0}}],
        "src_ports": port,
        "dst_addresses": [{"security_group": "local"}],
        "dst_ports": port,
    }
