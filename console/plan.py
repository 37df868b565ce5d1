"""What one run of `contrail-kube up` is made of, and the environment that its services get from it (pure but for
looking at the recording's directory)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from schemas.bus.log import open_topic
from schemas.errors import ContrailKubeError, SettingsError
from schemas.settings import ENV_PREFIX, BusSettings, ClusterSettings, from_env

SHIPPED = "shop"
"""Name of the recording that is played when nothing else is named."""
_TOPIC_PREFIX = "k8s.changes."


@dataclass(frozen=True, slots=True)
class Recording:
    """A log directory that is only read; `created` tells one recording from another."""

    directory: Path
    topic: str
    partitions: int
    cluster: str
    created: str


@dataclass(frozen=True, slots=True)
class Followed:
    """A live cluster, reached by a kubeconfig file."""

    kubeconfig: Path


@dataclass(frozen=True, slots=True)
class Foreign:
    """A Kafka topic that watchers elsewhere fill."""


Feed = Recording | Followed | Foreign


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of one run; `database`, `contrail` are '' and `kafka` is () where the embedded part is taken.

    `state` is None for a temporary directory that goes at the end. `environ` is the caller's environment:
    settings that no option decides stay in force. `feedback` says whether the users of the cluster are told of it.
    """

    feed: Feed
    cluster: str
    topic: str
    partitions: int
    kafka: tuple[str, ...] = ()
    database: str = ""
    contrail: str = ""
    state: Path | None = None
    resume: bool = False
    feedback: bool = False

    def describe(self) -> str:
        """Cluster and where its events come from, for a heading."""
        match self.feed:
            case Recording(directory=directory):
                source = f"recording {directory.name}"
            case Followed(kubeconfig=kubeconfig):
                source = f"kubeconfig {kubeconfig}"
            case Foreign():
                source = "topic " + self.topic
        return f"contrail-kube · cluster {self.cluster} · {source}"


def shipped_recording() -> Path:
    """Directory of the recording that comes with the package."""
    return Path(str(files("console").joinpath("recordings", SHIPPED)))


def open_recording(directory: Path, environ: Mapping[str, str]) -> Recording:
    """The one topic that the directory holds; raises SettingsError saying what is wrong with the directory."""
    if (directory / "topic.json").is_file():  # the topic's own directory was named
        directory, wanted = directory.parent, directory.name
    else:
        wanted = environ.get(f"{ENV_PREFIX}BUS_TOPIC", "")
    found = sorted(path.parent.name for path in directory.glob("*/topic.json"))
    if not directory.is_dir():
        raise SettingsError(f"--log {directory}: there is no such directory")
    if not found:
        raise SettingsError(
            f"--log {directory}: no topic in it; a log directory holds TOPIC/topic.json and TOPIC/PARTITION/*.avro"
        )
    if (wanted and wanted not in found) or (not wanted and len(found) > 1):
        raise SettingsError(
            f"--log {directory}: it holds {', '.join(found)}; name one of them in {ENV_PREFIX}BUS_TOPIC"
        )
    try:
        topic = open_topic(directory, wanted or found[0])
    except ContrailKubeError as error:
        raise SettingsError(f"--log {directory}: {error}") from error
    named = environ.get(f"{ENV_PREFIX}CLUSTER_NAME") or topic.name.removeprefix(_TOPIC_PREFIX)
    return Recording(directory.absolute(), topic.name, topic.partitions, named, topic.created)


def make_plan(
    *,
    environ: Mapping[str, str],
    kubeconfig: Path | None = None,
    log: Path | None = None,
    kafka: str = "",
    database: str = "",
    contrail: str = "",
    state: Path | None = None,
    resume: bool = False,
    feedback: bool | None = None,
) -> Plan:
    """The plan that options and settings make; raises SettingsError where they contradict each other.

    Without a word on `feedback` a live cluster is written to when its Contrail is a real one: of a simulated one its
    users would be told addresses that do not exist.
    """
    if kubeconfig is not None and log is not None:
        raise SettingsError("--kubeconfig and --log: the events come from a cluster or from a log, name one of the two")
    if kafka and log is not None:
        raise SettingsError("--kafka and --log: a recorded log is read as it is, it does not travel over Kafka")
    if feedback and kubeconfig is None:
        raise SettingsError("--feedback: it is written into a cluster, which --kubeconfig names")
    feed: Feed
    if kubeconfig is not None:
        feed = Followed(_readable(kubeconfig))
    elif kafka:
        feed = Foreign()
    else:
        feed = open_recording(log if log is not None else shipped_recording(), environ)
    cluster, topic, partitions = _names(feed, environ)
    return Plan(
        feed=feed,
        cluster=cluster,
        topic=topic,
        partitions=partitions,
        kafka=tuple(part for part in kafka.replace(",", " ").split() if part),
        database=database,
        contrail=contrail,
        state=state,
        resume=resume,
        feedback=(kubeconfig is not None and bool(contrail)) if feedback is None else feedback,
    )


def service_environment(
    plan: Plan, environ: Mapping[str, str], *, bus_directory: Path, epoch_file: Path, database: str, contrail: str
) -> dict[str, str]:
    """Environment that all services of the run share: the caller's, with the run's own settings over it."""
    settings = {
        "CLUSTER_NAME": plan.cluster,
        "BUS_KIND": "kafka" if plan.kafka else "log",
        "BUS_TOPIC": plan.topic,
        "BUS_PARTITIONS": str(plan.partitions),
        "BUS_DIRECTORY": str(plan.feed.directory if isinstance(plan.feed, Recording) else bus_directory),
        "DATABASE_URL": database,
        "CONTRAIL_URLS": contrail,
        "PROCESS_LOG_FORMAT": "json",
        "PROCESS_HEALTH_HOST": "127.0.0.1",
    }
    if plan.kafka:
        settings["KAFKA_BOOTSTRAP_SERVERS"] = ",".join(plan.kafka)
    if isinstance(plan.feed, Followed):
        settings["WATCHERS_KUBECONFIG"] = settings["FEEDBACK_KUBECONFIG"] = str(plan.feed.kubeconfig)
        settings["FEEDBACK_CONTEXT"] = environ.get(f"{ENV_PREFIX}WATCHERS_CONTEXT", "")
        if not plan.kafka:  # the log is ours alone, and so are its epochs: nothing is written to the cluster
            settings["WATCHERS_EPOCH_FILE"] = str(epoch_file)
    # A secret's _FILE form would win over the value that is set here; credentials are not for a simulated Contrail.
    dropped = (f"{ENV_PREFIX}DATABASE_URL_FILE", *(() if plan.contrail else (f"{ENV_PREFIX}CONTRAIL_",)))
    kept = {name: value for name, value in environ.items() if not name.startswith(dropped)}
    return {**kept, **{ENV_PREFIX + name: value for name, value in settings.items()}}


def _names(feed: Feed, environ: Mapping[str, str]) -> tuple[str, str, int]:
    """Cluster, topic and number of partitions: a recording has its own."""
    if isinstance(feed, Recording):
        return feed.cluster, feed.topic, feed.partitions
    bus, cluster = from_env(BusSettings, environ), from_env(ClusterSettings, environ)
    return cluster.name, bus.topic_of(cluster.name), bus.partitions


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise SettingsError(f"--kubeconfig {path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"--kubeconfig {path}: the file cannot be read")
    return path.absolute()
