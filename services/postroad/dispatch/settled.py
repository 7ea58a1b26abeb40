"""What dispatch remembers of one recipient: submissions begun and done, mailings served (O6, O10)."""

from datetime import datetime, timedelta

import msgspec

from postroad_schemas.outbound import OutboundSubmitted, RecipientSettled, SettledState, SettledSubmission

KEPT = timedelta(days=8)
"""Longer than a submission can come again (the retention of `outbound.submitted`)."""
_MAX_MAILINGS = 200


def entry_of(state: RecipientSettled, submission_id: str) -> SettledSubmission | None:
    return next((entry for entry in state.submissions if entry.submission_id == submission_id), None)


def with_entry(state: RecipientSettled, new: SettledSubmission) -> RecipientSettled:
    """The submission's entry in its place, or as the newest one."""
    if entry_of(state, new.submission_id) is None:
        return msgspec.structs.replace(state, submissions=(*state.submissions, new))
    entries = tuple(new if entry.submission_id == new.submission_id else entry for entry in state.submissions)
    return msgspec.structs.replace(state, submissions=entries)


def booked(
    state: RecipientSettled,
    submission_id: str,
    as_: SettledState,
    at: datetime,
    kept: OutboundSubmitted | None = None,
) -> RecipientSettled:
    """The same entry in another state. Of what is done nothing stays but the number of its attempts."""
    former = entry_of(state, submission_id)
    made = former.attempt if former else 0
    new = SettledSubmission(submission_id=submission_id, state=as_, attempt=made, at=at, kept=kept)
    if former is not None and as_ is not SettledState.DONE:
        new = msgspec.structs.replace(former, state=as_, at=at, kept=kept)
    return with_entry(state, new)


def without_entry(state: RecipientSettled, submission_id: str) -> RecipientSettled:
    left = tuple(entry for entry in state.submissions if entry.submission_id != submission_id)
    return msgspec.structs.replace(state, submissions=left)


def serve(state: RecipientSettled, mailing: str) -> RecipientSettled:
    """O6: this recipient has had its message of this mailing, whatever became of it."""
    if not mailing or mailing in state.mailings:
        return state
    return msgspec.structs.replace(state, mailings=(*state.mailings, mailing)[-_MAX_MAILINGS:])


def due(state: RecipientSettled) -> datetime | None:
    """When the oldest entry may be forgotten. What is held with its message waits for a person, however long."""
    ends = [entry.at + KEPT for entry in state.submissions if entry.kept is None]
    return min(ends, default=None)


def forget(state: RecipientSettled, now: datetime) -> RecipientSettled:
    """Without what is older than 8 days; the mailings go with the last submission."""
    left = tuple(entry for entry in state.submissions if entry.kept is not None or entry.at + KEPT > now)
    return RecipientSettled(submissions=left, mailings=state.mailings if left else ())
