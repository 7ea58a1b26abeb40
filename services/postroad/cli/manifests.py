"""`postroad manifests`: Kubernetes documents that follow from the catalogue and the settings."""

import os
import sys
from pathlib import Path

from postroad.catalogue import kubernetes, pods
from postroad.catalogue.yaml import documents
from postroad.cli.options import Settings, settings_of
from postroad.runtime.config import Config
from postroad.runtime.kafka import topics, workers

HEAD = "# Made by `postroad manifests` from the catalogue and the settings. Do not edit.\n"


def manifests(*, config: Settings = None, write: str = "") -> int:
    """Print Kubernetes manifests: topics and users of Kafka (Strimzi), and the six workers.

    How many partitions and copies there are is taken from the settings, [kafka].

    Parameters
    ----------
    write
        A folder such as deploy/kubernetes: the files are written there.
    """
    found = generated(settings_of(config))
    for name, content in found.items():
        if write:
            path = Path(write) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
    if not write:
        print("---\n".join(found.values()), end="")
    return os.EX_OK


def generated(settings: Config) -> dict[str, str]:
    """Every generated file of deploy/kubernetes by its name."""
    loaded = workers.load_all(settings)
    wanted = topics.wanted(settings.kafka, loaded)
    return {
        "kafka/topics.yaml": HEAD + documents(kubernetes.topics(wanted)),
        "kafka/users.yaml": HEAD + documents(kubernetes.users(settings.kafka, loaded, wanted)),
        "base/workers.yaml": HEAD + documents(pods.documents_of(settings.kafka, loaded)),
    }


if __name__ == "__main__":
    sys.exit(manifests(config=Path("deploy/kubernetes/base/postroad.toml"), write="deploy/kubernetes"))
