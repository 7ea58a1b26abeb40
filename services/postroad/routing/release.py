"""R17: a held mail, let go on."""

from datetime import datetime

import msgspec

from postroad_schemas.mail import HeldMail, MailReceived, Release


def released(held: HeldMail, by: str, at: datetime, event_id: str) -> MailReceived:
    """The mail as a new acceptance, received `at`. No rule that ever held it applies again, or it would come to no end.

    Publish it under its key and end the row of `held`; routing ends the row too. The same `event_id` twice is one.
    """
    former = held.mail.release
    earlier = dict.fromkeys((*former.earlier, former.rule)) if former else ()
    return msgspec.structs.replace(
        held.mail,
        event_id=event_id,
        cause_id=held.mail.event_id,
        occurred_at=at,
        release=Release(held=held.mail.event_id, rule=held.rule, earlier=tuple(earlier), by=by),
    )
