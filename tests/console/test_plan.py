"""What options and settings make of a run, and what they cannot mean together."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.plan import Followed, Foreign, Plan, Recording, make_plan, open_recording, service_environment
from console.settings import check_environment, external
from schemas.bus.log import create_topic
from schemas.errors import SettingsError

URL = "postgresql://u:secret@db/x"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    create_topic(tmp_path / "recorded", "k8s.changes.prod", 2)
    return tmp_path / "recorded"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\n")
    return path


def _environment(plan: Plan, environ: dict[str, str] | None = None) -> dict[str, str]:
    return service_environment(
        plan,
        environ or {},
        bus_directory=Path("/state/bus"),
        epoch_file=Path("/state/epochs"),
        database=URL,
        contrail="http://api:8082",
    )


def test_a_recording_brings_its_own_cluster_topic_and_partitions(recording: Path) -> None:
    plan = make_plan(environ={}, log=recording)
    assert isinstance(plan.feed, Recording)
    assert (plan.cluster, plan.topic, plan.partitions) == ("prod", "k8s.changes.prod", 2)
    environment = _environment(plan)
    assert environment["CONTRAIL_KUBE_BUS_KIND"] == "log"
    assert environment["CONTRAIL_KUBE_BUS_DIRECTORY"] == str(recording)
    assert environment["CONTRAIL_KUBE_CLUSTER_NAME"] == "prod"
    assert environment["CONTRAIL_KUBE_BUS_PARTITIONS"] == "2"


def test_the_topics_own_directory_may_be_named_too(recording: Path) -> None:
    assert open_recording(recording / "k8s.changes.prod", {}) == open_recording(recording, {})


def test_of_several_topics_one_must_be_named(recording: Path) -> None:
    create_topic(recording, "other", 1)
    with pytest.raises(SettingsError, match=r"holds k8s\.changes\.prod, other; name one of them in CONTRAIL_KUBE_BUS"):
        open_recording(recording, {})
    assert open_recording(recording, {"CONTRAIL_KUBE_BUS_TOPIC": "other"}).topic == "other"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no such directory"),
        (lambda path: path.mkdir(), "no topic in it"),
        (lambda path: path.write_text(""), "there is no such directory"),
    ],
)
def test_a_directory_that_is_no_log_is_named(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "x")
    with pytest.raises(SettingsError, match=message) as caught:
        make_plan(environ={}, log=tmp_path / "x")
    assert str(tmp_path / "x") in str(caught.value)


def test_a_damaged_description_of_a_log_is_named(recording: Path) -> None:
    (recording / "k8s.changes.prod" / "topic.json").write_text("{")
    with pytest.raises(SettingsError, match=r"topic\.json does not describe a topic"):
        make_plan(environ={}, log=recording)


def test_a_followed_cluster_goes_over_a_log_of_our_own(kubeconfig: Path) -> None:
    plan = make_plan(environ={"CONTRAIL_KUBE_CLUSTER_NAME": "edge"}, kubeconfig=kubeconfig)
    assert plan.feed == Followed(kubeconfig)
    environment = _environment(plan)
    assert environment["CONTRAIL_KUBE_BUS_DIRECTORY"] == "/state/bus"
    assert environment["CONTRAIL_KUBE_BUS_TOPIC"] == "k8s.changes.edge"
    assert environment["CONTRAIL_KUBE_WATCHERS_KUBECONFIG"] == str(kubeconfig)
    assert environment["CONTRAIL_KUBE_WATCHERS_EPOCH_FILE"] == "/state/epochs", "nothing is written to the cluster"


def test_over_kafka_epochs_are_shared_with_other_watchers(kubeconfig: Path) -> None:
    environment = _environment(make_plan(environ={}, kubeconfig=kubeconfig, kafka="a:1, b:2"))
    assert environment["CONTRAIL_KUBE_BUS_KIND"] == "kafka"
    assert environment["CONTRAIL_KUBE_KAFKA_BOOTSTRAP_SERVERS"] == "a:1,b:2"
    assert "CONTRAIL_KUBE_WATCHERS_EPOCH_FILE" not in environment


def test_kafka_alone_reads_what_others_wrote() -> None:
    assert make_plan(environ={}, kafka="a:1").feed == Foreign()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kubeconfig": Path("a"), "log": Path("b")}, "--kubeconfig and --log"),
        ({"kafka": "a:1", "log": Path("b")}, "--kafka and --log"),
        ({"kubeconfig": Path("/nonexistent/config")}, "/nonexistent/config: there is no such file"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_plan(environ={}, **options)  # type: ignore[arg-type]


def test_the_callers_other_settings_reach_the_services_and_its_secret_files_do_not_win(recording: Path) -> None:
    environ = {"CONTRAIL_KUBE_APPLIER_CONCURRENCY": "3", "CONTRAIL_KUBE_DATABASE_URL_FILE": "/x", "HOME": "/root"}
    environment = _environment(make_plan(environ=environ, log=recording), environ)
    assert environment["CONTRAIL_KUBE_APPLIER_CONCURRENCY"] == "3"
    assert environment["CONTRAIL_KUBE_DATABASE_URL"] == URL
    assert "CONTRAIL_KUBE_DATABASE_URL_FILE" not in environment
    check_environment(environment)


def test_credentials_are_for_a_real_contrail_only(recording: Path) -> None:
    environ = {"CONTRAIL_KUBE_CONTRAIL_AUTH": "basic", "CONTRAIL_KUBE_CONTRAIL_USER": "admin"}
    simulated = _environment(make_plan(environ=environ, log=recording), environ)
    assert "CONTRAIL_KUBE_CONTRAIL_AUTH" not in simulated
    real = _environment(make_plan(environ=environ, log=recording, contrail="http://real:8082"), environ)
    assert real["CONTRAIL_KUBE_CONTRAIL_USER"] == "admin"


def test_outside_parts_come_from_options_or_from_settings() -> None:
    environ = {
        "CONTRAIL_KUBE_DATABASE_URL": URL,
        "CONTRAIL_KUBE_CONTRAIL_URLS": "http://real:8082",
        "CONTRAIL_KUBE_BUS_KIND": "kafka",
        "CONTRAIL_KUBE_KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    }
    parts = ("database", "contrail", "kafka")
    assert [external(environ, part, "") for part in parts] == [URL, "http://real:8082", "broker:9092"]
    assert [external(environ, part, "given") for part in parts] == ["given"] * 3
    assert [external({}, part, "") for part in parts] == ["", "", ""]


def test_a_live_cluster_is_told_of_a_real_contrail_only_unless_it_is_said(kubeconfig: Path) -> None:
    assert not make_plan(environ={}, kubeconfig=kubeconfig).feedback
    assert make_plan(environ={}, kubeconfig=kubeconfig, contrail="http://api:8082").feedback
    assert not make_plan(environ={}, kubeconfig=kubeconfig, contrail="http://api:8082", feedback=False).feedback
    told = make_plan(environ={}, kubeconfig=kubeconfig, feedback=True)
    environment = _environment(told, {"CONTRAIL_KUBE_WATCHERS_CONTEXT": "prod"})
    assert environment["CONTRAIL_KUBE_FEEDBACK_KUBECONFIG"] == str(kubeconfig)
    assert environment["CONTRAIL_KUBE_FEEDBACK_CONTEXT"] == "prod"


def test_a_recording_has_nobody_to_tell(recording: Path) -> None:
    assert not make_plan(environ={}, log=recording, contrail="http://api:8082").feedback
    with pytest.raises(SettingsError, match="--feedback: it is written into a cluster, which --kubeconfig names"):
        make_plan(environ={}, log=recording, feedback=True)
