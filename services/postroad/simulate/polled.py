"""A poll of a pretended mailbox, decided by the same pure checkpoint as a real one (I4)."""

from collections.abc import Iterator
from typing import Any

from postroad.ingest.accept import Origin
from postroad.ingest.checkpoint import Checkpoint, Look, accepted, listed, looked, marked, session
from postroad.simulate.lines import FetchedMessage, FetchLine
from postroad_schemas.directory import IncomingMailbox, Protocol
from postroad_schemas.mail import Door


class Poll:
    """One poll; `checkpoint` is what is kept for the next one."""

    def __init__(self, mailbox: IncomingMailbox, line: FetchLine, known: Checkpoint | None) -> None:
        self._mailbox = mailbox
        self._pop3 = mailbox.protocol is Protocol.POP3
        self._messages = {(str(it.uid) if self._pop3 else it.uid): it for it in line.messages}
        if self._pop3:
            self.checkpoint = listed(known, (str(it.uid) for it in line.messages))
        else:
            uids = frozenset(it.uid for it in line.messages)
            unseen = frozenset(it.uid for it in line.messages if not it.seen)
            self.checkpoint = looked(known, Look(line.uidvalidity, uids, unseen))

    def pending(self) -> Iterator[FetchedMessage]:
        for uid in self.checkpoint.pending:
            yield self._messages[uid]

    def origin(self, message: FetchedMessage) -> Origin:
        """I8, M9, R10."""
        return Origin(
            Door.POP3 if self._pop3 else Door.IMAP,
            session=session(self._mailbox, self.checkpoint.uidvalidity),
            ordinal=str(message.uid),
            mailbox=self._mailbox.name,
            record_type=self._mailbox.record_type,
            keep_attachments=self._mailbox.keep_attachments,
            keep_original=self._mailbox.keep_original,
        )

    def told(self, message: FetchedMessage, taken: bool) -> dict[str, Any]:
        """What stands on the server now: marked or deleted only after acceptance (I2)."""
        if taken:
            uid = str(message.uid) if self._pop3 else message.uid
            self.checkpoint = marked(accepted(self.checkpoint, uid), uid)
        return {
            "mailbox": self._mailbox.name,
            "uid": message.uid,
            "seen": not self._pop3 and (taken or message.seen),
            "deleted": self._pop3 and taken,
        }
