"""compose.yaml: every worker runs on settings that fit, waits for what it needs, and is watched."""

import copy
import re
import xml.etree.ElementTree as Tree
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from postroad.cli.main import COMMANDS
from postroad.runtime.config import load
from postroad.views.declared import declared
from postroad_schemas import WORKERS
from tests.deploy.documents import DEPLOY, Document

COMPOSE: Document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: Document = COMPOSE["services"]
FILE = DEPLOY / "compose/postroad.toml"
SETTINGS, DECLARED = load(FILE)
POM = DEPLOY.parent / "services/postroad/runtime/broker_files/pom.xml"
OURS = {name: it for name, it in SERVICES.items() if it["image"].startswith("postroad:")}


def flaws(compose: Document) -> Iterator[str]:
    """Why it would not run, service by service."""
    services = compose["services"]
    for name, service in services.items():
        for other, needed in service.get("depends_on", {}).items():
            if other not in services:
                yield f"{name} waits for {other}, which there is not"
            elif needed["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                yield from _unwatched(other, services[other])
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if not (source in compose["volumes"] or (source.startswith(".") and (DEPLOY / source).exists())):
                yield f"{name} mounts {source}, which there is not"
        if ":" not in service["image"] or service["image"].endswith(":latest"):
            yield f"{name} runs whatever is newest"
        if any(not port.startswith("127.0.0.1:") for port in service.get("ports", ())):
            yield f"{name} is open to the network"
        if service["image"].startswith("postroad:"):
            yield from _ours(name, service)


def _unwatched(name: str, service: Document) -> Iterator[str]:
    """Only our image has a health check of its own."""
    if not service["image"].startswith("postroad:"):
        yield f"{name} is never healthy"


def _ours(name: str, service: Document) -> Iterator[str]:
    command, *words = service["command"]
    if command not in {known for known, _, _ in COMMANDS}:
        yield f"{name}: there is no command {command}"
    if command == "worker" and words[0] != name:
        yield f"{name} is another worker"
    if not (service["read_only"] and service["cap_drop"] == ["ALL"] and "/tmp" in service["tmpfs"]):
        yield f"{name} may write to its root, or has capabilities"
    if not any(mount.endswith(":/etc/postroad/postroad.toml:ro") for mount in service["volumes"]):
        yield f"{name} has no settings"
    if command != "worker" and not service.get("healthcheck", {}).get("disable"):
        yield f"{name} ends, and is asked for its health"


def test_it_runs() -> None:
    assert list(flaws(COMPOSE)) == []


@pytest.mark.parametrize(
    ("break_", "flaw"),
    [
        pytest.param(lambda it: it["kafka"].pop("healthcheck"), "kafka is never healthy", id="nobody looks at Kafka"),
        pytest.param(lambda it: it.pop("topics"), "waits for topics", id="nobody makes topics"),
        pytest.param(
            lambda it: it["routing"]["command"].__setitem__(1, "ingest"), "another worker", id="a worker twice"
        ),
        pytest.param(lambda it: it["routing"].update(read_only=False), "write to its root", id="its root"),
        pytest.param(lambda it: it["sink"].update(ports=["8025:8025"]), "open to the network", id="a port for all"),
        pytest.param(lambda it: it["sink"].update(image="axllent/mailpit"), "whatever is newest", id="no version"),
        pytest.param(lambda it: it["store"].update(volumes=["buckets:/b"]), "mounts buckets", id="no such volume"),
        pytest.param(lambda it: it["topics"].update(command=["topic"]), "no command topic", id="no such command"),
    ],
)
def test_what_does_not_run_is_caught(break_: Callable[[Document], Any], flaw: str) -> None:
    compose = copy.deepcopy(COMPOSE)
    break_(compose["services"])
    assert any(flaw in found for found in flaws(compose))


def test_all_six_workers_run_when_topics_are_made() -> None:
    assert OURS.keys() - {"topics", "declare"} == set(WORKERS)
    for name in WORKERS:
        assert OURS[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}


def test_settings_name_what_is_there() -> None:
    """Hosts and ports are those of services; secrets by reference are in the environment; the bucket is a folder."""
    hosts = (SETTINGS.kafka.bootstrap.split(":")[0], SETTINGS.relay.host)
    assert [host for host in hosts if host not in SERVICES] == []
    assert f"PLAINTEXT://{SETTINGS.kafka.bootstrap}" in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    environment = SERVICES["dispatch"]["environment"]
    assert {it for it in re.findall(r'"env:(\w+)"', FILE.read_text("utf-8")) if it not in environment} == set()
    assert SERVICES["store"]["volumes"] == [f"store:/buckets/{SETTINGS.store.url.removeprefix('s3://')}"]
    login = SERVICES["store"]["environment"]
    assert (login["ROOT_ACCESS_KEY"], login["ROOT_SECRET_KEY"]) == (
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
    )
    opened = {int(port.split(":")[2]) for port in SERVICES["ingest"]["ports"]}
    assert opened == {SETTINGS.smtp.port, SETTINGS.http.port}
    assert declared(DECLARED).rows


def test_kafka_is_the_one_that_the_tests_run_on() -> None:
    pom = Tree.parse(POM).getroot()
    version = next(it.text for it in pom.iter() if it.tag.endswith("}kafka"))
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"


def test_prometheus_asks_every_worker_and_grafana_finds_the_dashboards() -> None:
    (scraped,) = yaml.safe_load((DEPLOY / "compose/prometheus.yaml").read_text("utf-8"))["scrape_configs"]
    asked = {target for group in scraped["static_configs"] for target in group["targets"]}
    assert asked == {f"{name}:{SETTINGS.metrics.port}" for name in WORKERS}
    provided = yaml.safe_load((DEPLOY / "compose/grafana/dashboards/postroad.yaml").read_text("utf-8"))["providers"]
    mounted = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    folders = {target: (DEPLOY / source).resolve() for source, target in mounted.items()}
    assert all(list(folders[it["options"]["path"]].glob("*.json")) for it in provided)
    (source,) = yaml.safe_load((DEPLOY / "compose/grafana/datasources/prometheus.yaml").read_text("utf-8"))[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
