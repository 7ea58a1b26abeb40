"""Everything we mint: it proves itself after folding and rewriting, and nothing else proves anything or raises."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mail.message_id import Flag, Keyring, OwnId, is_handle, mint, read_own, reply_handle
from postroad.mail.return_path import notification_of, return_path_token
from postroad_schemas import notification_id

OLD, NEW, FOREIGN = b"the first key, long enough to sign", b"the second key, long enough as well", b"somebody else's"
RING = Keyring(current="a", keys={"a": OLD})
ROTATED = Keyring(current="b", keys={"a": OLD, "b": NEW})
RETIRED = Keyring(current="b", keys={"b": NEW})
OTHERS = Keyring(current="a", keys={"a": FOREIGN})
EMPTY = Keyring()

threads = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
posts = st.text(alphabet=string.ascii_lowercase + "234567", min_size=16, max_size=16)
own_ids = st.builds(
    OwnId,
    thread=threads,
    post=posts,
    flags=st.integers(0, 31).map(Flag),
    seconds=st.integers(0, 2**40 - 1),
)


@given(own=own_ids)
def test_a_message_id_carries_thread_post_flags_and_seconds(own: OwnId) -> None:
    minted = mint(RING, own, "example.com")

    assert read_own(RING, minted) == own
    assert mint(RING, own, "example.com") == minted


@given(own=own_ids)
def test_it_survives_case_folding_lost_brackets_and_another_domain(own: OwnId) -> None:
    minted = mint(RING, own, "example.com")

    assert read_own(RING, minted.upper()) == own
    assert read_own(RING, minted.strip("<>")) == own
    assert read_own(RING, minted.replace("@example.com", "@relay.example.net")) == own


@given(own=own_ids, at=st.integers(0), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567."))
def test_no_changed_letter_proves_anything(own: OwnId, at: int, letter: str) -> None:
    local, _, domain = mint(RING, own, "example.com").strip("<>").partition("@")
    at %= len(local)
    changed = f"<{local[:at]}{letter}{local[at + 1 :]}@{domain}>"

    assert letter == local[at] or read_own(RING, changed) is None


@given(own=own_ids, cut=st.integers(1, 40))
def test_what_is_cut_proves_nothing(own: OwnId, cut: int) -> None:
    local, _, domain = mint(RING, own, "example.com").strip("<>").partition("@")

    assert read_own(RING, f"<{local[:-cut]}@{domain}>") is None


@pytest.mark.parametrize(
    ("ring", "proves"),
    [
        pytest.param(ROTATED, True, id="after a rotation, the old key accepted"),
        pytest.param(RETIRED, False, id="the key retired"),
        pytest.param(OTHERS, False, id="somebody else's key of the same id"),
        pytest.param(EMPTY, False, id="no keys at all"),
    ],
)
def test_old_ids_prove_while_their_key_is_accepted(ring: Keyring, proves: bool) -> None:
    own = OwnId("crm.lead/7", "a" * 16, Flag.NOTE, 1_700_000_000)
    token = return_path_token(RING, "mfrggzdfmztwq2lk")

    assert (read_own(ring, mint(RING, own, "example.com")) == own) is proves
    assert (notification_of(ring, token) == "mfrggzdfmztwq2lk") is proves


def test_without_a_current_key_nothing_is_minted() -> None:
    with pytest.raises(KeyError):
        mint(EMPTY, OwnId("", "a" * 16, Flag(0), 0), "example.com")
    with pytest.raises(KeyError):
        return_path_token(EMPTY, "mfrggzdfmztwq2lk")


@given(text=st.text())
def test_no_text_raises(text: str) -> None:
    for ring in (RING, EMPTY):
        assert read_own(ring, text) is None
        assert read_own(ring, f"<pr1.{text}@example.com>") is None
        assert notification_of(ring, text) is None
    is_handle(text)


@given(message_id=st.text(max_size=80), recipient=st.text(max_size=80))
def test_a_return_path_names_its_notification_and_fits_64_octets(message_id: str, recipient: str) -> None:
    notification = notification_id(message_id, recipient)
    token = return_path_token(RING, notification)

    assert notification_of(RING, token.upper()) == notification
    assert len(f"bounce+{token}") <= 64


@given(notification=posts, at=st.integers(0, 32), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_no_changed_return_path_proves_anything(notification: str, at: int, letter: str) -> None:
    token = return_path_token(RING, notification)
    changed = token[:at] + letter + token[at + 1 :]

    assert changed == token or notification_of(RING, changed) is None


@given(thread=threads, other=threads)
def test_a_handle_is_80_bits_of_its_thread_and_outlives_rotation(thread: str, other: str) -> None:
    handle = reply_handle(RING, thread)

    assert is_handle(handle)
    assert is_handle(handle.upper())
    assert (len(handle), reply_handle(ROTATED, thread)) == (16, handle)
    assert (reply_handle(RING, other) == handle) is (other == thread)
    assert len(f"catchall+{handle}") <= 64
