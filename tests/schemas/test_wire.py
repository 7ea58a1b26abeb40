"""`record` and `read`: the one way onto topics and off them."""

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.catalogue.samples import sample
from postroad.mail.address import normalise
from postroad_schemas import (
    TIERS,
    TOPICS,
    Event,
    Ticked,
    Tombstone,
    Unreadable,
    address,
    chatter,
    directory,
    encode,
    event_id,
    key_of,
    mail,
    message,
    outbound,
    read,
    record,
    short_id,
)
from tests.schemas.values import values

ID = "<20261124093000.17@mail.example.org>"
SOUGHT = "<20261123080000.3@mail.example.org>"
THREAD = "crm.lead/mfrggzdfmztwq2lk"
ANNA = "anna@example.org"
NOTIFICATION = "mfrggzdfmztwq2lk"
MAIL = "4bf92f3577b34da6a3ce929d0e0e4736"

KEYS: dict[type, str] = {
    mail.MailReceived: ID,
    message.ThreadSought: SOUGHT,
    message.OriginSought: SOUGHT,
    message.FollowerAnswered: ID,
    message.MessageSettled: ID,
    message.FollowerSought: THREAD,
    mail.MailRouted: f"none {ID}",
    mail.BudgetReturned: f"author sales@example.com {ANNA}",
    mail.MailRefused: ANNA,
    chatter.RecordRequested: THREAD,
    chatter.ThreadOpened: THREAD,
    chatter.ThreadFollowed: THREAD,
    chatter.ThreadUnfollowed: THREAD,
    chatter.ThreadClosed: THREAD,
    chatter.ChatterPosted: THREAD,
    chatter.RecordRejected: THREAD,
    chatter.PostChunk: THREAD,
    chatter.NotificationPlanned: THREAD,
    chatter.NotificationSent: THREAD,
    chatter.NotificationDelayed: THREAD,
    chatter.NotificationFailed: THREAD,
    chatter.NotificationComplained: THREAD,
    outbound.OutboundSubmitted: ANNA,
    outbound.OutboundHeld: ANNA,
    outbound.OutboundReleased: ANNA,
    outbound.OutboundCancelled: ANNA,
    outbound.OutboundRetried: ANNA,
    outbound.OutboundMetered: "server",
    outbound.OutboundGranted: ANNA,
    outbound.OutboundDeferred: ANNA,
    outbound.DeliveryReported: NOTIFICATION,
    outbound.FeedbackReported: NOTIFICATION,
    outbound.LeaveAsked: NOTIFICATION,
    address.AddressFailed: ANNA,
    address.AddressHeardFrom: ANNA,
    address.AddressBarred: ANNA,
    address.AddressPardoned: ANNA,
    address.AddressLeft: ANNA,
    directory.RowProposed: "directory",
    directory.AliasDomain: "domain/Anna",
    directory.Alias: "alias/local-part@example.com",
    directory.AliasState: "alias_state/sales@example.com",
    directory.Smarthost: "smarthost/Anna",
    directory.IncomingMailbox: "mailbox/Anna",
    directory.Parameter: "parameter/Anna",
    directory.FormerAddress: f"former/{ANNA}",
    directory.SigningKey: "signing_key/key-id",
    directory.DkimKey: "dkim_key/selector._domainkey.example.com",
    directory.RowRefused: f"refusal/{MAIL}",
    directory.Contact: "42",
    address.ThreadShut: THREAD,
    address.AddressBlacklisted: ANNA,
    address.ListLeft: f"{ANNA} list-name",
    mail.HeldMail: MAIL,
}
EVENTS = list(dict.fromkeys(event for topic in TOPICS.values() for event in topic.events))


@dataclass(frozen=True)
class But:
    """A sample with some fields as said."""

    event: type
    fields: dict[str, Any]

    def made(self) -> Any:
        return msgspec.structs.replace(sample(self.event), **self.fields)


BUDGET = sample(mail.Budget)
TWO = {"budgets": (BUDGET, msgspec.structs.replace(BUDGET, key="alias sales@example.com"))}


def test_the_table_has_every_event() -> None:
    assert KEYS.keys() == set(EVENTS)


@pytest.mark.parametrize(("event", "key"), KEYS.items(), ids=lambda value: getattr(value, "__name__", "key"))
def test_key(event: type, key: str) -> None:
    assert key_of(sample(event)) == key
    assert record(sample(event)).key == key.encode()


@pytest.mark.parametrize(
    ("but", "key"),
    [
        pytest.param(But(message.ThreadSought, {"sought": ""}), ID, id="a question that is back"),
        pytest.param(But(message.OriginSought, {"sought": ""}), ID, id="a question of a report that is back"),
        pytest.param(But(message.ThreadSought, {"sought": "abcdefghijklmnop"}), "abcdefghijklmnop", id="a handle"),
        pytest.param(But(mail.MailRouted, {**TWO, "position": 0}), BUDGET.key, id="before the first budget"),
        pytest.param(But(mail.MailRouted, {**TWO, "position": 1}), "alias sales@example.com", id="before the second"),
        pytest.param(But(mail.MailRouted, {"budgets": ()}), f"none {ID}", id="without budget"),
        pytest.param(But(mail.MailRefused, {"notice": mail.Notice()}), ID, id="nobody is told"),
        pytest.param(But(chatter.NotificationSent, {"mailing": "spring"}), "spring", id="of a mailing"),
        pytest.param(But(chatter.NotificationSent, {"thread": ""}), NOTIFICATION, id="of neither mailing nor thread"),
        pytest.param(But(outbound.OutboundSubmitted, {"recipient": " Anna@Example.ORG"}), ANNA, id="as written"),
        pytest.param(
            But(outbound.OutboundSubmitted, {"recipient": "anna@bücher.example"}),
            "anna@xn--bcher-kva.example",
            id="a domain beyond ASCII",
        ),
        pytest.param(
            But(address.ListLeft, {"address": "ANNA@example.org", "list_name": "News"}),
            f"{ANNA} News",
            id="a list left",
        ),
        pytest.param(But(directory.Alias, {"domain": ""}), "alias/local-part@", id="an alias of every domain"),
    ],
)
def test_key_of_other_forms(but: But, key: str) -> None:
    assert key_of(but.made()) == key


@pytest.mark.parametrize("step", TIERS)
def test_a_tier_has_its_own_topic(step: str) -> None:
    made = But(outbound.OutboundDeferred, {"step": step}).made()
    assert record(made).topic == f"outbound.deferred.{step}"
    assert read(f"outbound.deferred.{step}", encode(made)) == made


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_record_is_read_as_what_it_was(event: type) -> None:
    topic, _, value, headers = record(sample(event))
    assert value is not None
    assert event in TOPICS[topic].events
    assert read(topic, value) == sample(event)
    assert bool(headers) is issubclass(event, Event)


def any_event(kind: type) -> st.SearchStrategy[Any]:
    made = values(kind)
    if kind is not outbound.OutboundDeferred:
        return made
    steps = st.tuples(made, st.sampled_from(list(TIERS)))
    return steps.map(lambda pair: msgspec.structs.replace(pair[0], step=pair[1]))


@settings(max_examples=300)
@given(event=st.sampled_from(EVENTS).flatmap(any_event))
def test_any_event_is_read_as_what_it_was(event: Any) -> None:
    topic, key, value, _ = record(event)
    assert value is not None
    assert read(topic, value) == event
    assert key.decode() == key_of(read(topic, value))


def test_headers_are_type_id_and_trace() -> None:
    """W3C Trace Context 3.2.2: version, trace-id, parent-id, flags."""
    _, _, _, headers = record(sample(address.AddressBarred))
    assert dict(headers) == {
        "type": b"address.barred",
        "event_id": MAIL.encode(),
        "traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{MAIL[:16]}-01".encode(),
    }


def test_a_tombstone_has_a_key_and_no_value() -> None:
    assert record(Tombstone("closed-threads", "crm.lead/ä")) == ("closed-threads", "crm.lead/ä".encode(), None, ())


def test_what_is_no_event_is_no_record() -> None:
    with pytest.raises(KeyError):
        record(BUDGET)


@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
def test_ticks_come_on_stateful_inputs_alone(topic: Any) -> None:
    tick = encode(sample(Ticked))
    if topic.ticks:
        assert read(topic.name, tick) == sample(Ticked)
    else:
        with pytest.raises(Unreadable) as caught:
            read(topic.name, tick)
        assert caught.value.reason == "unknown_type"


SOUND = encode(sample(address.ThreadShut))


@pytest.mark.parametrize(
    ("topic", "value", "reason"),
    [
        pytest.param("no.topic", SOUND, "unknown_topic", id="no topic of the catalogue"),
        pytest.param("closed-threads", b'{"type":"thread.burnt"}', "unknown_type", id="one event, another type"),
        pytest.param("chatter.published", b'{"type":"thread.burnt"}', "unknown_type", id="many events, none of them"),
        pytest.param("held", SOUND, "unknown_type", id="an event of another topic"),
        pytest.param("contacts", b'{"type":1}', "unknown_type", id="a type that is no text"),
        pytest.param("closed-threads", b"{}", "invalid", id="no required field"),
        pytest.param("chatter.published", b"{}", "invalid", id="no type among many"),
        pytest.param("closed-threads", SOUND[:-1], "invalid", id="cut short"),
        pytest.param("closed-threads", SOUND + b"}", "invalid", id="more behind it"),
        pytest.param("closed-threads", b"", "invalid", id="nothing"),
        pytest.param("closed-threads", b"null", "invalid", id="null"),
        pytest.param("closed-threads", b"[" * 100_000, "invalid", id="deeper than any stack"),
        pytest.param("closed-threads", SOUND.replace(b"crm", b"\xff\xfe"), "invalid", id="not UTF-8"),
        pytest.param("closed-threads", SOUND.replace(b"2026", b"202x"), "invalid", id="no time"),
    ],
)
def test_unreadable(topic: str, value: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(topic, value)
    assert caught.value.reason == reason
    assert topic in str(caught.value)


def damaged() -> st.SearchStrategy[tuple[str, bytes]]:
    """A sound value with some of its bytes replaced, on its topic or on another."""

    def cut(event: type, at: int, length: int, other: bytes) -> bytes:
        sound = encode(sample(event))
        at %= len(sound)
        return sound[:at] + other + sound[at + length :]

    number = st.integers(0, 5000)
    content = st.builds(cut, st.sampled_from(EVENTS), number, st.integers(0, 40), st.binary(max_size=40))
    return st.tuples(st.sampled_from(list(TOPICS)), content)


@settings(max_examples=500)
@given(st.one_of(st.tuples(st.sampled_from(list(TOPICS)), st.binary()), st.tuples(st.text(), st.binary()), damaged()))
def test_no_bytes_make_it_raise_anything_else(drawn: tuple[str, bytes]) -> None:
    topic, value = drawn
    with suppress(Unreadable):
        assert type(read(topic, value)) in {*TOPICS[topic].events, Ticked}


DOMAINS = [
    "example.org",
    "Straße.DE",
    "bücher.example",
    "ＥＸＡＭＰＬＥ.de",
    "ΠΑΡΆΔΕΙΓΜΑ.ελ",
    "例え。テスト",
    "पर.भारत",
]


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_address_that_an_app_did_not_normalise_has_the_key_of_the_normalised_one(domain: str) -> None:
    said = sample(address.AddressBarred)
    written, normalised = f"Anna+x@{domain}", normalise(f"Anna+x@{domain}")
    keys = [key_of(msgspec.structs.replace(said, address=named)) for named in (written, normalised)]
    assert keys == [normalised, normalised]


@given(st.text(max_size=40))
def test_any_address_makes_a_key_and_a_key_stays_one(text: str) -> None:
    said = sample(address.AddressBarred)
    key = key_of(msgspec.structs.replace(said, address=text))
    assert key_of(msgspec.structs.replace(said, address=key)) == key


@given(st.lists(st.text(), max_size=3))
def test_short_ids_are_80_bits_in_base_32(parts: list[str]) -> None:
    """RFC 4648 6: as others can make them, too."""
    octets = bytes.fromhex(event_id(*parts))[:10]
    assert short_id(*parts) == base64.b32encode(octets).decode().lower()
