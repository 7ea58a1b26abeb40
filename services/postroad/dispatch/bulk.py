"""What belongs to bulk mail alone: the lists a message is of, and the header fields that say so (O6)."""

import re

import msgspec

from postroad.mail.leave import leave_headers, list_id
from postroad.views import Views
from postroad_schemas.outbound import Header, OutboundSubmitted
from postroad_schemas.values import Stream

UNNAMED = "bulk"
"""The list that bulk mail without list and mailing is of: who leaves it gets no more of that."""

_LIST_ID = re.compile(r"<([^<>]+)>")


def list_of(submission: OutboundSubmitted) -> str:
    """What the message's leave links leave. Empty for what is no bulk mail."""
    if submission.stream != Stream.BULK:
        return ""
    return submission.list_name or submission.mailing or UNNAMED


def lists_of(submission: OutboundSubmitted) -> tuple[str, ...]:
    """All names by which its recipient may have left: its list, its mailing, the id in its List-Id (RFC 2919)."""
    found = [list_of(submission), submission.mailing]
    for header in submission.headers:
        if header.name.lower() == "list-id":
            match = _LIST_ID.search(header.value)
            found.append(match[1] if match else header.value.strip())
    return tuple(dict.fromkeys(filter(None, found)))


def as_list_mail(submission: OutboundSubmitted, notification_id: str, views: Views) -> OutboundSubmitted:
    """Bulk mail with List-Id and leave links, unless its app wrote them; anything else as it is.

    Written at the first attempt and deferred with it: a later attempt is the same message, octet for octet.
    """
    if submission.stream != Stream.BULK:
        return submission
    written = {header.name.lower() for header in submission.headers}
    bounce = views.directory.bounce_address(submission.domain)
    added: list[Header] = []
    if bounce and "list-id" not in written:
        domain = bounce.rpartition("@")[2]
        added.append(Header(name="List-Id", value=list_id(list_of(submission), domain)))
    if written.isdisjoint(("list-unsubscribe", "list-unsubscribe-post")):
        base = views.directory.setting("mail.links.base")
        added += leave_headers(views.keys, notification_id, bounce, base)
    return msgspec.structs.replace(submission, headers=(*submission.headers, *added))
