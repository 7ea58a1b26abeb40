"""R12: who may write to an alias. A policy is one function and one row."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from postroad.views import Views
from postroad_schemas.directory import Policy
from postroad_schemas.message import FollowerAnswer


class Admission(StrEnum):
    PERMITTED = "permitted"
    REFUSED = "refused"
    MISCONFIGURED = "misconfigured"  # nobody could ever write


class Applicant(msgspec.Struct, frozen=True):
    author: str  # normalised; empty: none, or one of our own addresses
    threads: tuple[str, ...]  # the thread written to, then the alias's owner thread; those there are
    answers: tuple[FollowerAnswer, ...]


def _everyone(_: Applicant, __: Views) -> Admission:
    return Admission.PERMITTED


def _contacts(applicant: Applicant, views: Views) -> Admission:
    known = bool(applicant.author) and views.contacts.known(applicant.author)
    return Admission.PERMITTED if known else Admission.REFUSED


def _followers(applicant: Applicant, _: Views) -> Admission:
    answers = [answer for answer in applicant.answers if answer.thread in applicant.threads]
    if any(answer.follows for answer in answers):
        return Admission.PERMITTED
    if not any(answer.known for answer in answers):
        return Admission.MISCONFIGURED
    return Admission.REFUSED


POLICIES: dict[Policy, Callable[[Applicant, Views], Admission]] = {
    Policy.EVERYONE: _everyone,
    Policy.CONTACTS: _contacts,
    Policy.FOLLOWERS: _followers,
}

ASKS_FOLLOWERS = frozenset({Policy.FOLLOWERS})
