"""The files of deploy/ as documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"

Document = dict[str, Any]


def kustomization(folder: str) -> Document:
    found: Document = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text("utf-8"))
    return found


def documents(folder: str) -> list[Document]:
    """Every document that a kustomization names, before it changes anything."""
    return [document for path in _files(KUBERNETES / folder) for document in parsed(path.read_text("utf-8"))]


def parsed(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]


def _files(folder: Path) -> Iterator[Path]:
    for name in kustomization(folder.name)["resources"]:
        path = (folder / name).resolve()
        if path.is_dir():
            yield from _files(path)
        else:
            yield path
