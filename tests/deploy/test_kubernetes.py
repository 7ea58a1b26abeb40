"""The manifests: what is generated is current, and every pod can start with what is there."""

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postroad.catalogue.pods import SECRETS, USER
from postroad.cli.main import COMMANDS
from postroad.cli.manifests import generated
from postroad.runtime.config import load
from postroad.runtime.kafka import topics, workers
from postroad.views.declared import declared
from postroad_schemas import WORKERS
from tests.deploy.documents import KUBERNETES, Document, documents, kustomization, parsed

BASE = KUBERNETES / "base"
SETTINGS = load(BASE / "postroad.toml")[0]
FOLDERS = ("kafka", "base", "declare", "scaling")
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")  # RFC 1123, with dots
PODS = [document for folder in ("base", "declare") for document in documents(folder) if "template" in document["spec"]]
USERS = {document["metadata"]["name"] for document in documents("kafka") if document["kind"] == "KafkaUser"}
MAPS = {it["name"] for folder in ("base", "declare") for it in kustomization(folder)["configMapGenerator"]}
MADE_ELSEWHERE = {SECRETS, "postroad-tls", "postroad-cluster-ca-cert"}  # by operators, and by Strimzi


def ids(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def test_generated_files_are_current() -> None:
    made = generated(SETTINGS)
    assert [name for name, text in made.items() if (KUBERNETES / name).read_text("utf-8") != text] == [], (
        "run `python -m postroad.cli.manifests`"
    )


def test_every_topic_of_the_settings_is_made() -> None:
    """Changelogs, delay tiers and dead letters among them, as `postroad topics check` will want them."""
    wanted = {it.name: it for it in topics.wanted(SETTINGS.kafka, workers.load_all(SETTINGS))}
    found = {it["spec"]["topicName"]: it["spec"] for it in documents("kafka") if it["kind"] == "KafkaTopic"}
    assert found.keys() == wanted.keys()
    for name, spec in found.items():
        assert (spec["partitions"], spec["replicas"]) == (wanted[name].partitions, wanted[name].replication)
        assert spec["config"] == wanted[name].settings


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_are_what_kubernetes_takes_and_unique(folder: str) -> None:
    names = [(it["kind"], it["metadata"]["name"]) for it in documents(folder)]
    assert [name for _, name in names if not NAME.fullmatch(name) or len(name) > 63] == []
    assert len(names) == len(set(names))


def test_every_worker_runs_and_those_with_state_keep_their_names() -> None:
    """KIP-345: a StatefulSet's pod comes back under its name, which the settings give to its groups."""
    kinds = {pod(it)["containers"][0]["args"][1]: it["kind"] for it in documents("base") if it["kind"] == "StatefulSet"}
    deployed = {it["metadata"]["name"] for it in documents("base") if it["kind"] == "Deployment"}
    assert kinds.keys() | deployed == set(WORKERS)
    assert deployed == {"ingest"}
    assert SETTINGS.kafka.instance == "env:POD_NAME"


def pod(document: Document) -> Document:
    found: Document = document["spec"]["template"]["spec"]
    return found


def flaws(document: Document) -> Iterator[str]:
    """Why a pod of this would not start, or might do more than it must."""
    labels, spec = document["spec"]["template"]["metadata"]["labels"], pod(document)
    (container,) = spec["containers"]
    selected = document["spec"].get("selector", {}).get("matchLabels", labels)
    if not selected.items() <= labels.items():
        yield "its selector does not find its pods"
    context, inner = spec["securityContext"], container["securityContext"]
    if not (context["runAsNonRoot"] and context["runAsUser"] == USER and not inner["allowPrivilegeEscalation"]):
        yield "it may become root"
    if not inner["readOnlyRootFilesystem"] or inner["capabilities"] != {"drop": ["ALL"]}:
        yield "it may write to its root, or has capabilities"
    if spec["automountServiceAccountToken"]:
        yield "it has a token of Kubernetes"
    if {"cpu", "memory"} - container["resources"]["requests"].keys() or "memory" not in container["resources"][
        "limits"
    ]:
        yield "it asks for nothing"
    yield from _missing_volumes(document, container)
    yield from _unknown_command(container["args"], container)
    if document["kind"] != "Job":
        yield from _wrong_ports(container)


def _missing_volumes(document: Document, container: Document) -> Iterator[str]:
    volumes = {it["name"]: it for it in pod(document)["volumes"]}
    kept = {it["metadata"]["name"] for it in document["spec"].get("volumeClaimTemplates", ())}
    for mount in container["volumeMounts"]:
        if mount["name"] not in volumes.keys() | kept:
            yield f"no volume {mount['name']}"
    named = [it["secret"]["secretName"] for it in volumes.values() if "secret" in it]
    for name in {*named, *(it["secretRef"]["name"] for it in container.get("envFrom", ()))} - USERS - MADE_ELSEWHERE:
        yield f"nobody makes the secret {name}"
    for name in {it["configMap"]["name"] for it in volumes.values() if "configMap" in it} - MAPS:
        yield f"nobody makes the settings {name}"


def _unknown_command(args: list[str], container: Document) -> Iterator[str]:
    if args[0] not in {name for name, _, _ in COMMANDS}:
        yield f"there is no command {args[0]}"
    if args[0] == "worker" and args[1] not in WORKERS:
        yield f"there is no worker {args[1]}"
    file = Path(next(word for word in args if word.endswith(".toml")))
    if not any((KUBERNETES / folder / file.name).exists() for folder in ("base", "declare")):
        yield f"there are no settings {file.name}"
    if str(file.parent) not in {mount["mountPath"] for mount in container["volumeMounts"]}:
        yield f"{file.parent} is not mounted"


def _wrong_ports(container: Document) -> Iterator[str]:
    settings = load(BASE / Path(container["args"][3]).name)[0]
    ports = {it["name"]: it["containerPort"] for it in container["ports"]}
    if ports["metrics"] != settings.metrics.port or settings.metrics.host != "0.0.0.0":
        yield "its metrics are elsewhere"
    if "smtp" in ports and (ports["smtp"], ports["http"]) != (settings.smtp.port, settings.http.port):
        yield "its doors are elsewhere"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container[probe]["httpGet"]["port"] not in ports:
            yield f"its {probe} asks nobody"


@pytest.mark.parametrize("document", PODS, ids=ids)
def test_a_pod_can_start(document: Document) -> None:
    assert list(flaws(document)) == []


def _container(change: Callable[[Document], Any]) -> Callable[[Document], Any]:
    return lambda document: change(pod(document)["containers"][0])


@pytest.mark.parametrize(
    ("break_", "flaw"),
    [
        pytest.param(lambda it: pod(it)["volumes"].pop(), "no volume scratch", id="a volume less"),
        pytest.param(_container(lambda it: it["args"].__setitem__(1, "router")), "no worker router", id="a worker"),
        pytest.param(_container(lambda it: it["args"].__setitem__(0, "work")), "no command work", id="a command"),
        pytest.param(
            _container(lambda it: it["args"].__setitem__(3, "/x/postroad.toml")), "/x is not mounted", id="path"
        ),
        pytest.param(
            _container(lambda it: it["args"].__setitem__(3, "/etc/postroad/x.toml")), "no settings", id="file"
        ),
        pytest.param(_container(lambda it: it["ports"][0].update(containerPort=1)), "metrics are elsewhere", id="port"),
        pytest.param(
            _container(lambda it: it["envFrom"][0]["secretRef"].update(name="keys")), "the secret keys", id="a secret"
        ),
        pytest.param(
            _container(lambda it: it["securityContext"].update(readOnlyRootFilesystem=False)), "write to", id="its root"
        ),
        pytest.param(lambda it: pod(it)["securityContext"].update(runAsUser=0), "become root", id="root"),
        pytest.param(_container(lambda it: it["resources"]["requests"].clear()), "asks for nothing", id="no requests"),
        pytest.param(
            lambda it: it["spec"]["selector"]["matchLabels"].update(tier="x"), "does not find its pods", id="a selector"
        ),
    ],
)
def test_a_pod_that_cannot_is_caught(break_: Callable[[Document], Any], flaw: str) -> None:
    document = copy.deepcopy(next(it for it in PODS if it["metadata"]["name"] == "routing"))
    break_(document)
    assert any(flaw in found for found in flaws(document))


def test_budgets_services_and_policies_find_pods() -> None:
    labels = [it["spec"]["template"]["metadata"]["labels"] for it in PODS]
    for document in documents("base"):
        spec = document["spec"]
        match document["kind"]:
            case "PodDisruptionBudget":
                selected = spec["selector"]["matchLabels"]
            case "Service":
                selected = spec["selector"]
            case "NetworkPolicy":
                selected = spec["podSelector"].get("matchLabels", {})
            case _:
                continue
        assert [it for it in labels if selected.items() <= it.items()], ids(document)
    budgets = {it["metadata"]["name"] for it in documents("base") if it["kind"] == "PodDisruptionBudget"}
    assert budgets == {it["metadata"]["name"] for it in PODS} - {"declare"}


def policy(name: str) -> Document:
    return next(it for it in documents("base") if it["kind"] == "NetworkPolicy" and it["metadata"]["name"] == name)


def ports_out(name: str) -> set[int]:
    return {port["port"] for rule in policy(name)["spec"]["egress"] for port in rule["ports"]}


def test_the_network_lets_through_what_the_settings_name() -> None:
    kafka = documents("kafka")
    (listener,) = next(it for it in kafka if it["kind"] == "Kafka")["spec"]["kafka"]["listeners"]
    assert SETTINGS.kafka.bootstrap.endswith(f":{listener['port']}")
    assert ports_out("names-and-kafka") == {53, listener["port"]}
    assert SETTINGS.relay.port in ports_out("smarthosts")
    stores = policy("store")["spec"]["podSelector"]["matchExpressions"][1]["values"]
    loaded = workers.load_all(SETTINGS)
    assert set(stores) == {it.name for it in loaded if it.doors or it.sendings} | {"mailboxes"}


def test_all_settings_reach_one_cluster_in_one_way() -> None:
    other, declaring = load(BASE / "mailboxes.toml")[0], load(KUBERNETES / "declare/declared.toml")[0]
    assert other.kafka == SETTINGS.kafka
    assert other.store == SETTINGS.store
    same = ("bootstrap", "tls", "ca_file", "sasl", "username", "password", "partitions", "replication")
    assert [name for name in same if getattr(declaring.kafka, name) != getattr(SETTINGS.kafka, name)] == []


def test_one_process_polls_mailboxes() -> None:
    polling = next(it for it in PODS if it["metadata"]["name"] == "mailboxes")
    mounted = {mount["mountPath"] for mount in pod(polling)["containers"][0]["volumeMounts"]}
    other = load(BASE / "mailboxes.toml")[0]
    assert (polling["spec"]["replicas"], other.mailboxes.enabled, SETTINGS.mailboxes.enabled) == (1, True, False)
    assert str(Path(other.mailboxes.folder).parent) in mounted
    assert other.smtp.host == "127.0.0.1"


def test_what_is_declared_can_be() -> None:
    found = declared(load(KUBERNETES / "declare/declared.toml")[1])
    assert found.rows


def test_no_secret_is_written_down() -> None:
    assert [ids(it) for folder in FOLDERS for it in documents(folder) if it["kind"] == "Secret"] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_takes_it(folder: str) -> None:
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("kubectl is not installed: kustomize is not run")
    made = subprocess.run([kubectl, "kustomize", str(KUBERNETES / folder)], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    found = parsed(made.stdout)
    namespaced = [it for it in found if it["kind"] != "Namespace"]
    assert {it["metadata"].get("namespace") for it in namespaced} == {"postroad"}
    assert {ids(it) for it in documents(folder)} <= {ids(it) for it in found}
    images = {
        container["image"] for it in found if "template" in it.get("spec", {}) for container in pod(it)["containers"]
    }
    assert images <= {"postroad:0.1.0"}
    if folder == "scaling":
        ingest = next(it for it in found if ids(it) == "Deployment ingest")
        assert "replicas" not in ingest["spec"]
