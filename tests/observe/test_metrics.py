"""The catalogue: names as Prometheus wants them, and labels that no stranger can choose."""

import re

import pytest

from postroad.runtime.observe.figures import Figure, Histogram
from postroad.runtime.observe.metrics import CATALOGUE
from tests.observe.prometheus import REPOSITORY

FIGURES = [pytest.param(figure, id=name) for name, figure in CATALOGUE.items()]

# Every label there is, and where its values come from. None of them is written by a sender or a recipient.
LABELS = {
    "door": "Door",
    "code": "three digits of a reply",
    "mailbox": "declared by an operator",
    "outcome": "Outcome, or what was made of a provider's event",
    "provider": "one of the webhooks' providers",
    "rule": "a rule's id",
    "reason": "RefusalReason, Poison's, or P6's",
    "told": "yes or no",
    "scope": "Scope",
    "stage": "a stage's name",
    "topic": "of the catalogue",
    "type": "an event's tag",
    "worker": "one of the workers",
    "what": "TROUBLES",
    "stream": "Stream",
    "server": "declared by an operator",
    "action": "Action",
    "failure": "FailureType",
    "step": "a tier",
    "source": "Source",
    "family": "class and subject of a status (RFC 3463)",
    "operation": "OPERATIONS",
    "version": "ours",
}


@pytest.mark.parametrize("figure", FIGURES)
def test_a_name_says_kind_and_unit(figure: Figure) -> None:
    assert re.fullmatch(r"postroad_[a-z]+(_[a-z]+)*", figure.name)
    assert figure.name.endswith("_total") == (figure.kind == "counter")
    if isinstance(figure, Histogram):
        assert figure.name.endswith("_seconds")
        assert list(figure.bounds) == sorted(figure.bounds)
    assert figure.meaning[0].isupper() or figure.meaning[0].isdigit()
    assert not figure.meaning.endswith(".")


@pytest.mark.parametrize("figure", FIGURES)
def test_its_labels_are_members_of_a_bounded_set(figure: Figure) -> None:
    assert set(figure.labels) <= set(LABELS)
    assert [values for values in figure.known if len(values) != len(figure.labels)] == []
    assert [value for values in figure.known for value in values if "@" in value] == []


def test_every_label_is_used() -> None:
    assert {label for figure in CATALOGUE.values() for label in figure.labels} == set(LABELS)


def test_figures_are_declared_in_one_file() -> None:
    """A figure that is made elsewhere is in no catalogue, on no dashboard and in no alert."""
    made = re.compile(r"= (?:Counter|Gauge|Histogram)\(\n?\s*\"")
    sources = (REPOSITORY / "services/postroad").rglob("*.py")
    assert {path.name for path in sources if made.search(path.read_text("utf-8"))} == {"metrics.py"}
