"""The workers as documents of Kubernetes, with what each needs to run.

What does not follow from the catalogue stands beside the generated files, as plain YAML: deploy/kubernetes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from postroad.catalogue.acls import user_of
from postroad.catalogue.kubernetes import CLUSTER, PART, Document, name_of
from postroad.catalogue.yaml import Value
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.topics import cores_of
from postroad.runtime.worker import Worker

SETTINGS = "/etc/postroad"
TLS = "/etc/postroad-tls"
CA = "/etc/kafka/ca"
LOGIN = "/etc/kafka/login"
KEPT = "/var/lib/postroad"
SECRETS = "postroad-secrets"  # every secret that the settings name as "env:..."
USER = 10001  # as in the Dockerfile
METRICS = 9464
DOORS = {"smtp": 2525, "http": 8080}
GRACE = 45  # seconds: doors drain 4, runners 5, the rest is for a slow disk


@dataclass(frozen=True, slots=True)
class Size:
    """What one process asks for; `memory` with a state of some 100,000 keys, `limit` with ten times that."""

    replicas: int = 2
    cpu: str = "100m"
    memory: str = "192Mi"
    limit: str = "1Gi"


# Measured: 40 to 60 MB resident at the start (tests/benchmarks/start.py), up to 115 under load; of the processor, for
# each mail, ingest 1.3 ms, routing 0.9, loop_guard 1.5, bounces 0.8, fanout 0.4. Requests do for 100 mails a second.
SIZES = {
    "ingest": Size(cpu="250m", memory="256Mi"),  # large mails pass through it
    "mailboxes": Size(replicas=1),  # a mailbox is polled by one process
    "routing": Size(cpu="150m", memory="256Mi", limit="2Gi"),  # a state for every Message-ID of 30 days
    "loop_guard": Size(cpu="250m"),
    "bounces": Size(cpu="150m"),
    "fanout": Size(),
    "dispatch": Size(cpu="250m"),  # composes and signs: more with every follower
}


@dataclass(frozen=True, slots=True)
class Process:
    """One kind of pod. `named`: each keeps its name over a restart, and with it its partitions."""

    name: str
    worker: str
    user: str
    named: bool
    doors: bool = False
    settings: str = "postroad.toml"
    kept: str = ""  # how much disk it keeps over a restart

    @property
    def labels(self) -> dict[str, str]:
        return {"app.kubernetes.io/name": name_of(self.name), **PART}


def documents_of(kafka: Kafka, workers: Sequence[Worker]) -> list[Document]:
    """Each kind of pod, and how many of it may be away at once."""
    return [document for process in processes(kafka, workers) for document in (_controller(process), _budget(process))]


def processes(kafka: Kafka, workers: Sequence[Worker]) -> list[Process]:
    """The six, and beside the doors of ingest a process of its own that polls mailboxes."""
    found = []
    for worker in workers:
        user = user_of(worker.name, kafka)
        found.append(Process(worker.name, worker.name, user, named=bool(cores_of(worker)), doors=bool(worker.doors)))
        if worker.doors:
            found.append(Process("mailboxes", worker.name, user, named=True, settings="mailboxes.toml", kept="1Gi"))
    return found


def _controller(process: Process) -> Document:
    # All at once: partitions are shared by who is there, and none waits for another to be ready.
    named: Document = {"serviceName": "workers", "podManagementPolicy": "Parallel"} if process.named else {}
    kept: Document = {"volumeClaimTemplates": [_claim(process)]} if process.kept else {}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet" if process.named else "Deployment",
        "metadata": {"name": name_of(process.name), "labels": process.labels},
        "spec": {
            **named,
            "replicas": SIZES[process.name].replicas,
            "selector": {"matchLabels": process.labels},
            "template": {
                "metadata": {
                    "labels": process.labels,
                    "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS)},
                },
                "spec": _pod(process),
            },
            **kept,
        },
    }


def _pod(process: Process) -> Document:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": process.labels},
            }
        ],
        "containers": [_container(process)],
        "volumes": _volumes(process),
    }


def _container(process: Process) -> Document:
    size = SIZES[process.name]
    ports = {"metrics": METRICS, **(DOORS if process.doors else {})}
    return {
        "name": "worker",
        "image": "postroad",  # which one: `images` of the kustomization
        "args": ["worker", process.worker, "--config", f"{SETTINGS}/{process.settings}"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "KAFKA_USERNAME", "value": process.user},
        ],
        "envFrom": [{"secretRef": {"name": SECRETS}}],
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "startupProbe": _probe("/healthz", 2, 30),
        "livenessProbe": _probe("/healthz", 10, 3),
        "readinessProbe": _probe("/readyz", 5, 1),
        "resources": {"requests": {"cpu": size.cpu, "memory": size.memory}, "limits": {"memory": size.limit}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(process),
    }


def _mounts(process: Process) -> list[Value]:
    read = {"settings": SETTINGS, "kafka-ca": CA, "kafka-login": LOGIN, **({"tls": TLS} if process.doors else {})}
    write = {"scratch": "/tmp", **({"kept": KEPT} if process.kept else {})}  # noqa: S108  # the pod's own
    mounts: list[Value] = [{"name": name, "mountPath": path, "readOnly": True} for name, path in read.items()]
    return mounts + [{"name": name, "mountPath": path} for name, path in write.items()]


def _volumes(process: Process) -> list[Value]:
    """The door's certificate may be absent until the settings name it."""
    certificate: list[Value] = [{"name": "tls", "secret": {"secretName": "postroad-tls", "optional": True}}]
    return [
        {"name": "settings", "configMap": {"name": "postroad-settings"}},
        {"name": "kafka-ca", "secret": {"secretName": f"{CLUSTER}-cluster-ca-cert"}},
        {"name": "kafka-login", "secret": {"secretName": process.user}},
        *(certificate if process.doors else []),
        {"name": "scratch", "emptyDir": {"sizeLimit": "4Gi" if process.doors else "512Mi"}},
    ]


def _claim(process: Process) -> Document:
    asked: Document = {"requests": {"storage": process.kept}}
    return {"metadata": {"name": "kept"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": asked}}


def _budget(process: Process) -> Document:
    """Nodes are drained one process of a kind at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name_of(process.name), "labels": process.labels},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": process.labels}},
    }


def _probe(path: str, period: int, failures: int) -> Document:
    """The pages of the metrics' port; they answer while the event loop is blocked, and say that it is."""
    asked: Document = {"path": path, "port": "metrics"}
    return {"httpGet": asked, "periodSeconds": period, "failureThreshold": failures, "timeoutSeconds": 5}
