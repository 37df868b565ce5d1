"""Status, annotations and Events on a real kube-apiserver, from a real store."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from tests.rigs.kubernetes import ApiError
from tests.watchers.feedback.scene import Scene
from tests.watchers.patience import eventually
from tests.watchers.proxy import Proxy
from watchers.feedback.subject import NETWORK_STATUS

pytestmark = [pytest.mark.kubernetes, pytest.mark.postgres]

BLUE = {"type": "contrail-k8s-cni", "cniVersion": "0.3.1"}


def pause(seconds: float = 0.4) -> None:
    """Long enough for several rounds: what has not happened by then does not."""
    time.sleep(seconds)


def edit(scene: Scene, kind: str, name: str, **spec: object) -> None:
    """Change the spec of an object, and fold it; None takes a field away."""
    scene.change(kind, name, lambda body: body.update(spec=_merged(body["spec"], spec)))


def _merged(old: dict[str, object], new: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in {**old, **new}.items() if value is not None}


def announce(scene: Scene, name: str, *addresses: str) -> None:
    """What another controller does to a service."""
    body = scene.admin.request("GET", scene.path("Service", name))
    body["status"]["loadBalancer"] = {"ingress": [{"ip": address} for address in addresses]} if addresses else {}
    scene.admin.request("PUT", f"{scene.path('Service', name)}/status", body)
    scene.fold("Service", name)


def test_the_address_of_a_load_balancer_comes_changes_and_goes(scene: Scene) -> None:
    scene.service("web")
    with scene.running():
        pause(0.2)
        assert scene.status("web") == [], "Contrail has not chosen yet"
        scene.apply()
        eventually(lambda: scene.status("web") == ["203.0.113.1"])
        scene.fold("Service", "web")
        version = scene.version("Service", "web")
        pause()
        assert scene.version("Service", "web") == version, "nothing is written that is written already"
        edit(scene, "Service", "web", loadBalancerIP="203.0.113.77")
        scene.apply()
        eventually(lambda: scene.status("web") == ["203.0.113.77"])
        scene.fold("Service", "web")
        edit(scene, "Service", "web", type="ClusterIP", loadBalancerIP=None)
        scene.apply()
        eventually(lambda: scene.status("web") == [])
        edit(scene, "Service", "web", type="LoadBalancer")
        scene.apply()
        eventually(lambda: len(scene.status("web")) == 1)
        edit(scene, "Service", "web", type="ExternalName", externalName="example.org", clusterIP="", clusterIPs=None)
        scene.apply()
        eventually(lambda: scene.status("web") == [])


def test_a_type_that_went_and_came_back_unseen_gets_its_address_again(scene: Scene) -> None:
    scene.service("web")
    scene.apply()
    with scene.running():
        eventually(lambda: scene.status("web") == ["203.0.113.1"])
        path = scene.path("Service", "web")
        for type_ in ("ClusterIP", "LoadBalancer"):
            body = scene.admin.request("GET", path)
            body["spec"]["type"] = type_
            scene.admin.request("PUT", path, body)
        assert scene.status("web") == [], "the API server empties it"
        scene.fold("Service", "web")
        eventually(lambda: scene.status("web") == ["203.0.113.1"])


def test_what_another_controller_wrote_stays_and_is_said(scene: Scene) -> None:
    scene.service("web")
    announce(scene, "web", "198.51.100.9")
    scene.apply()
    with scene.running():
        eventually(lambda: ("Warning", "StatusHeldByAnother", "Service web") in scene.told())
        assert scene.status("web") == ["198.51.100.9"]
        edit(scene, "Service", "web", type="ClusterIP")
        scene.apply()
        eventually(lambda: ("Normal", "Recovered", "Service web") in scene.told())
    edit(scene, "Service", "web", type="LoadBalancer")
    scene.apply()
    with scene.running():
        eventually(lambda: len(scene.status("web")) == 1)


def test_services_that_are_not_ours_to_announce_are_not_touched(scene: Scene) -> None:
    scene.service("other", loadBalancerClass="example.org/other", externalIPs=["203.0.113.50"])
    scene.service("plain", type="ClusterIP", externalIPs=["203.0.113.51"])
    scene.service("ours", loadBalancerClass="opencontrail.org/floating-ip-pool")
    scene.apply()
    announce(scene, "other", "198.51.100.9")
    versions = [scene.version("Service", name) for name in ("other", "plain")]
    with scene.running():
        eventually(lambda: len(scene.status("ours")) == 1)
        pause()
    assert [scene.version("Service", name) for name in ("other", "plain")] == versions
    assert scene.told() == [("Normal", "OtherLoadBalancerClass", "Service other")]


def test_an_ingress_gets_its_public_address_and_then_the_one_inside(scene: Scene) -> None:
    scene.service("web", type="ClusterIP")
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    scene.make("Ingress", "front", spec={"ingressClassName": "opencontrail", "defaultBackend": backend})
    with scene.running():
        scene.apply()
        eventually(lambda: len(scene.status("front", "Ingress")) == 2)
        public, private = scene.status("front", "Ingress")
        assert public.startswith("203.0.113.") and private.startswith("10.47.")
        edit(scene, "Ingress", "front", ingressClassName="other")
        scene.apply()
        eventually(lambda: scene.status("front", "Ingress") == [])


def test_a_pod_has_its_interfaces_in_the_standards_form(scene: Scene) -> None:
    scene.fold_attachment("blue", BLUE, cidr="10.1.0.0/24")
    scene.pod("web-0", **{"k8s.v1.cni.cncf.io/networks": "blue@wan0"})
    scene.pod("web-1")
    with scene.running():
        pause(0.2)
        assert scene.annotation("web-0") is None, "no address is known yet"
        scene.apply()
        eventually(lambda: scene.annotation("web-0") and scene.annotation("web-1"))
        first, second = scene.annotation("web-0")
        assert (first["name"], first["interface"], first["default"]) == (
            "default-domain:k8s-default:k8s-default-pod-network",
            "eth0",
            True,
        )
        assert (second["name"], second["interface"]) == (f"{scene.namespace}/blue", "wan0")
        assert "default" not in second
        for each in (first, second):
            assert len(each["ips"]) == 1 and each["mac"].count(":") == 5
            assert each["dns"] == {"nameservers": ["10.47.255.253"]}
        version = scene.version("Pod", "web-0")
        pause(1.5)
        assert scene.version("Pod", "web-0") == version, "not even when every pod is looked at again"
    assert scene.events() == []


def test_what_multus_wrote_stays(scene: Scene) -> None:
    pods = ("richer", "alike", "later")
    for name in pods:
        scene.pod(name)
    scene.apply()
    richer = json.dumps([{"name": "multus", "interface": "eth0", "device-info": {"type": "pci"}}])

    def multus(name: str, value: str) -> None:
        scene.change(
            "Pod", name, lambda pod: pod["metadata"].setdefault("annotations", {}).update({NETWORK_STATUS: value})
        )

    multus("richer", richer)
    with scene.running():
        eventually(lambda: scene.annotation("later"))
        multus("later", richer)
        versions = {name: scene.version("Pod", name) for name in ("richer", "later")}
        pause(1.5)
    assert {name: scene.version("Pod", name) for name in versions} == versions
    with scene.running():  # what was left alone is on record, too
        pause(0.5)
    assert {name: scene.version("Pod", name) for name in versions} == versions
    assert scene.annotation("richer") == scene.annotation("later") == json.loads(richer)


def test_a_namesake_never_gets_what_was_meant_for_its_predecessor(scene: Scene) -> None:
    scene.pod("web-0")
    scene.service("web")
    scene.admin.request("DELETE", scene.path("Pod", "web-0"), {"gracePeriodSeconds": 0})
    scene.admin.request("DELETE", scene.path("Service", "web"))
    spec = {"containers": [{"name": "web", "image": "example.org/web:1"}]}
    scene.admin.request("POST", scene.path("Pod", ""), {"metadata": {"name": "web-0"}, "spec": spec})
    ports = [{"port": 80}]
    scene.admin.request(
        "POST",
        scene.path("Service", ""),
        {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": ports}},
    )
    scene.service("witness")
    scene.apply()  # the store has not heard of the successors
    with scene.running():
        eventually(lambda: scene.status("witness"))
        pause()
        assert scene.annotation("web-0") is None and scene.status("web") == []
        scene.fold("Pod", "web-0")
        scene.fold("Service", "web")
        scene.apply()
        eventually(lambda: scene.annotation("web-0") and scene.status("web"))


def test_an_annotation_that_cannot_be_read_is_an_event_on_its_pod_until_it_is_mended(scene: Scene) -> None:
    wrong = {"opencontrail.org/mac": "no mac"}
    pod = scene.pod("web-0", **wrong)
    with scene.running():
        eventually(lambda: scene.told() == [("Warning", "CannotBeServed", "Pod web-0")])
        [event] = scene.events()
        assert event["regarding"]["uid"] == pod["metadata"]["uid"], "kubectl describe looks for it"
        assert "opencontrail.org/mac is 'no mac'; accepted is" in event["note"]
        pause()
        assert len(scene.events()) == 1
        scene.change("Pod", "web-0", lambda body: body["metadata"]["annotations"].pop("opencontrail.org/mac"))
        eventually(lambda: ("Normal", "Recovered", "Pod web-0") in scene.told())
        pause()
    assert len(scene.events()) == 2, "each is told once"


def test_case_79_what_contrail_refuses_is_an_event_with_its_reason_told_once_by_all_restarts(scene: Scene) -> None:
    scene.pod("web-0")
    scene.apply()
    scene.stuck(
        "virtual-machine-interface", "Contrail answered 412: quota limit (10) exceeded for virtual-machine-inte"
    )
    scene.stuck("instance-ip", "waits for virtual-machine-interface default-domain:x: Contrail answered 412")
    for _ in range(3):
        with scene.running():
            eventually(lambda: scene.told() == [("Warning", "QuotaExceeded", "Pod web-0")])
            pause(0.2)
    [event] = scene.events()
    assert event["note"].startswith("a quota of Contrail is used up: virtual-machine-interface ")
    assert event["reportingController"] == "opencontrail.org/contrail-kube-feedback"
    scene.apply()
    for _ in range(2):
        with scene.running():
            eventually(lambda: len(scene.told()) == 2)
            pause(0.2)
    assert scene.told()[1] == ("Normal", "Recovered", "Pod web-0")


def test_a_problem_that_lasts_is_a_series_and_one_whose_event_is_forgotten_is_told_anew(scene: Scene) -> None:
    scene.pod("web-0")
    scene.service("once", loadBalancerClass="example.org/other")
    scene.service("never", annotations={"opencontrail.org/fip-pool": "?"})
    scene.apply()
    scene.stuck("virtual-machine", "Contrail answered 412: quota limit (10) exceeded")
    with scene.running(repeat_seconds=1.0):

        def count(name: str) -> int:
            series = [
                each.get("series") or {"count": 1} for each in scene.events() if each["regarding"]["name"] == name
            ]
            return int(series[0]["count"]) if series else 0

        eventually(lambda: count("web-0") >= 2)
        event = next(each for each in scene.events() if each["regarding"]["name"] == "web-0")
        path = f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events/{event['metadata']['name']}"
        scene.admin.request("DELETE", path)
        eventually(lambda: count("web-0") >= 3)
    assert (count("once"), count("never")) == (1, 1), "good news, and what the store does not know of, are told once"


def test_what_is_gone_is_not_said_to_be_well_again(scene: Scene) -> None:
    scene.pod("web-0", **{"opencontrail.org/mac": "no mac"})
    scene.service("web", loadBalancerClass="example.org/other")
    with scene.running():
        eventually(lambda: len(scene.told()) == 2)
        scene.admin.request("DELETE", scene.path("Service", "web"))
        scene.gone("Service", "web")
        eventually(lambda: not scene.rows("SELECT FROM told_event WHERE resource LIKE 'Service/%'"))
    assert {reason for _, reason, _ in scene.told()} == {"CannotBeServed", "OtherLoadBalancerClass"}


def test_events_of_a_namespace_are_where_kubernetes_has_those_of_the_cluster(scene: Scene) -> None:
    body = scene.admin.request("GET", scene.path("Namespace", scene.namespace, ""))
    body["metadata"].setdefault("annotations", {})["opencontrail.org/isolation"] = "perhaps"
    scene.admin.request("PUT", scene.path("Namespace", scene.namespace, ""), body)
    scene.fold("Namespace", scene.namespace, namespace="")

    def mine() -> list[str]:
        return [e["reason"] for e in scene.events("default") if e["regarding"]["name"] == scene.namespace]

    with scene.running():
        eventually(lambda: mine() == ["CannotBeServed"])


def test_a_slices_problem_is_told_of_its_service(scene: Scene) -> None:
    scene.service("web", type="ClusterIP")
    endpoint = {"addresses": ["192.0.2.9"], "conditions": {"ready": True}}
    scene.make_slice("web-1", "web", endpoint)
    scene.apply()
    with scene.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO resource_notice (cluster, resource, about, reason, message)
                VALUES ('k8s', :slice, :slice, 'NotAPod', '192.0.2.9 is no pod')
            """),
            {"slice": f"EndpointSlice/{scene.namespace}/web-1"},
        )
    with scene.running():
        eventually(lambda: ("Warning", "NotAPod", "Service web") in scene.told())


def test_of_two_only_one_writes_and_the_other_takes_over(scene: Scene) -> None:
    scene.service("web")
    with scene.running(identity="second") as second:
        eventually(second.ready)
        with scene.running(identity="first") as first:
            eventually(lambda: first.ready() and second.ready())
            scene.service("shop", annotations={"opencontrail.org/fip-pool": "?"})
            eventually(lambda: scene.events())
            second.feedback.stop()
            second.thread.join(10)
            scene.apply()
            eventually(lambda: scene.status("web"))
            pause(0.3)
            assert [each["reportingInstance"] for each in scene.events()] == ["second"]
            scene.pod("web-0", **{"opencontrail.org/mac": "no mac"})
            eventually(lambda: [each["reportingInstance"] for each in scene.events()] == ["second", "first"])


def test_an_api_server_that_is_away_is_named_and_waited_for(scene: Scene) -> None:
    address, _, port = scene.admin.server.rpartition(":")
    with Proxy(int(port)) as proxy:
        access = replace(scene.admin, server=f"{address}:{proxy.port}")
        with scene.running(access) as run:
            eventually(run.ready)
            proxy.open = False
            proxy.reset()
            scene.service("web")
            scene.apply()
            eventually(
                lambda: (
                    "Connection" in run.health.why_not_ready().get("kubernetes", "")
                    or "connection" in run.health.why_not_ready().get("kubernetes", "")
                )
            )
            assert run.health.why_not_alive() == {}
            proxy.open = True
            eventually(lambda: scene.status("web"), within=30)
            eventually(run.ready)


def test_a_network_status_can_be_left_to_others(scene: Scene) -> None:
    scene.fold_attachment("blue", BLUE, cidr="10.1.0.0/24")
    scene.pod("web-0", **{"k8s.v1.cni.cncf.io/networks": "blue"})
    scene.pod("web-1")
    scene.service("web")
    scene.apply()
    with scene.running(network_status="none"):
        eventually(lambda: scene.status("web"))
        pause()
    assert scene.annotation("web-0") is None
    with scene.running(network_status="attached"):
        eventually(lambda: scene.annotation("web-0"))
        pause()
    assert scene.annotation("web-1") is None


def test_events_are_written_at_a_pace_and_no_more_than_so_many(scene: Scene) -> None:
    for number in range(12):
        scene.service(f"web-{number:02}", loadBalancerClass="example.org/other")
    with scene.running(events_per_second=0.5, most_problems=8) as run:  # five at once, one each two seconds
        eventually(lambda: len(scene.events()) >= 5)
        began = time.monotonic()
        assert "8 problems" in run.health.notes()["events"]
        pause(1.0)
        assert len(scene.events()) <= 6 + (time.monotonic() - began) / 2
    names = sorted(each["regarding"]["name"] for each in scene.events())
    assert set(names) <= {f"web-{number:02}" for number in range(8)}


def test_an_event_in_a_namespace_that_is_going_is_no_trouble(scene: Scene) -> None:
    scene.service("web", loadBalancerClass="example.org/other")
    scene.make("Pod", "stays", annotations={}, spec={"containers": [{"name": "x", "image": "y"}], "nodeName": "n"})
    scene.admin.request("DELETE", scene.path("Namespace", scene.namespace, ""))
    with scene.running() as run:
        eventually(lambda: not scene.rows("SELECT FROM told_event WHERE count > 0"))
        eventually(run.ready)
    try:
        assert scene.events() == []
    except ApiError as error:
        assert error.status == 404
