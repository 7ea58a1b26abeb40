"""Delivery status notifications (RFC 3464) and disposition notifications (RFC 8098): what became of each recipient."""

import re
from dataclasses import dataclass

from postroad.mail.address import bare_address
from postroad.mail.bounce.words import ACTIONS
from postroad.mail.header import Headers, read_header
from postroad.mail.status import parse_status

MAX_RECIPIENTS = 10_000

_BETWEEN_BLOCKS = re.compile(rb"\n[ \t\r]*\n\s*")
_OF_RECIPIENT = ("final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta")
_TYPED = re.compile(r"\s*([A-Za-z0-9-]+)\s*;\s*(.*)\Z", re.DOTALL)
_CODE_POINT = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_WORD = re.compile(r"[A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """One block of RFC 3464 2.3. Addresses that cannot be read are "", as if absent (P4)."""

    final_recipient: str = ""
    original_recipient: str = ""
    action: str = ""  # failed, delayed, delivered, relayed, expanded; "" when absent or another word
    status: str = ""  # RFC 3463, "5.1.1"
    diagnostic_code: str = ""  # without its type
    remote_mta: str = ""  # without its type
    witness: str = "fields"  # or "text": read in the words of a notice


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """The fields about the message (RFC 3464 2.2) and every recipient's block."""

    reporting_mta: str = ""
    recipients: tuple[RecipientReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Disposition:
    """RFC 8098 3.2: what a reader's program did with a mail."""

    final_recipient: str = ""
    original_recipient: str = ""
    original_message_id: str = ""
    disposition: str = ""  # the type: displayed, deleted, ...


def read_delivery_status(payload: bytes) -> DeliveryStatus:
    """A message/delivery-status body. Blocks are told by their fields, because blank lines get lost and doubled."""
    about, recipients = Headers({}), list[RecipientReport]()
    for block in _blocks(payload):
        if any(name in block for name in _OF_RECIPIENT):
            recipients.append(_recipient(block))
        about = about if about and "reporting-mta" not in block else block
    return DeliveryStatus(
        reporting_mta=_typed(about.unfolded("reporting-mta")),
        recipients=tuple(recipients),
    )


def read_disposition(payload: bytes) -> Disposition:
    """A message/disposition-notification body."""
    fields, _ = read_header(payload.lstrip(), 0)
    return Disposition(
        final_recipient=address_field(fields.unfolded("final-recipient")),
        original_recipient=address_field(fields.unfolded("original-recipient")),
        original_message_id=fields.unfolded("original-message-id"),
        disposition=(_WORD.match(fields.unfolded("disposition").rpartition(";")[2].strip()) or [""])[0].lower(),
    )


def address_field(field: str) -> str:
    """The address of an "address-type; address" field; "" when there is none in it."""
    match = _TYPED.match(field)
    address = (match[2] if match else field).strip()
    if "\\x{" in address:  # RFC 6533 3: what is beyond ASCII, spelled in it
        address = _CODE_POINT.sub(lambda found: _character(found[1]), address)
    return bare_address(address)


def _character(code: str) -> str:
    point = int(code, 16)
    return chr(point) if 0x1F < point < 0x110000 and not 0xD800 <= point < 0xE000 else ""


def _blocks(payload: bytes) -> list[Headers]:
    blocks: list[Headers] = []
    for text in _BETWEEN_BLOCKS.split(payload.strip(), maxsplit=MAX_RECIPIENTS):
        text, at = text + b"\n\n", 0
        # A line that is no field (a server's remark) is stepped over, up to a handful.
        for _ in range(8):
            fields, at = read_header(text, at)
            if fields:
                blocks.extend(_split_repeats(fields))
            end = text.find(b"\n", at)
            if end < 0:
                break
            at = end + 1
    return blocks[:MAX_RECIPIENTS]


def _split_repeats(fields: Headers) -> list[Headers]:
    """Two recipients in one block, the blank line between them forgotten."""
    count = max(len(fields.all_unfolded(name)) for name in ("final-recipient", "action"))
    if count < 2:
        return [fields]
    values = {name: fields.each(name) for name in fields.names()}
    return [Headers({name: [each[at]] for name, each in values.items() if at < len(each)}) for at in range(count)]


def _recipient(block: Headers) -> RecipientReport:
    status = parse_status(block.unfolded("status"))
    original = block.unfolded("original-recipient")
    action = (_WORD.match(block.unfolded("action")) or [""])[0].lower()
    return RecipientReport(
        final_recipient=address_field(block.unfolded("final-recipient")),
        # What ORCPT spells in xtext (RFC 3461 4), some servers hand on as it came.
        original_recipient=address_field(original.replace("+2B", "+").replace("+3D", "=")),
        action=ACTIONS.get(action, ""),
        status="" if status is None else str(status),
        diagnostic_code=_typed(block.unfolded("diagnostic-code")),
        remote_mta=_typed(block.unfolded("remote-mta")),
    )


def _typed(field: str) -> str:
    match = _TYPED.match(field)
    return (match[2] if match else field).strip()
