"""Topics and users of a cluster as documents of Strimzi."""

from collections.abc import Sequence

from postroad.catalogue.acls import ROLES, Grant, grants, user_of
from postroad.catalogue.yaml import Value
from postroad.runtime.config import Kafka
from postroad.runtime.kafka.topics import Wanted
from postroad.runtime.worker import Worker

Document = dict[str, Value]

CLUSTER = "postroad"  # of Strimzi, whose secrets and services begin with it
PART = {"app.kubernetes.io/part-of": "postroad"}


def name_of(worker: str) -> str:
    """As Kubernetes takes it (RFC 1123)."""
    return worker.replace("_", "-")


def topics(wanted: Sequence[Wanted]) -> list[Document]:
    """A KafkaTopic for each, changelogs and dead letters among them."""
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": name_of(topic.name), "labels": {"strimzi.io/cluster": CLUSTER, **PART}},
            "spec": {
                "topicName": topic.name,
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "config": dict(topic.settings),
            },
        }
        for topic in wanted
    ]


def users(kafka: Kafka, workers: Sequence[Worker], wanted: Sequence[Wanted]) -> list[Document]:
    """A KafkaUser for each worker, one for the operators' commands, one for an app."""
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaUser",
            "metadata": {"name": user_of(role, kafka), "labels": {"strimzi.io/cluster": CLUSTER, **PART}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": [_acl(it) for it in grants(role, kafka, workers, wanted)]},
            },
        }
        for role in ROLES
    ]


def _acl(grant: Grant) -> Document:
    pattern = "prefix" if grant.prefixed else "literal"
    return {
        "resource": {"type": grant.resource, "name": grant.name, "patternType": pattern},
        "operations": grant.operations,
    }
