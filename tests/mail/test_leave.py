"""Leave links: the handle and the header fields that carry it (O6, RFC 2369, 8058, 2919)."""

import re

import pytest

from postroad.mail.leave import leave_headers, leave_token, left_by, list_id
from postroad.mail.message_id import Keyring
from postroad.mail.return_path import notification_of, return_path_token

RING = Keyring(current="b", keys={"a": b"former", "b": b"present"})
NOTIFICATION = "mfrggzdfmztwq2lk"
BOUNCE = "bounce@example.com"
BASE = "https://mail.example.com"
TOKEN = leave_token(RING, NOTIFICATION)


@pytest.mark.parametrize(
    ("token", "found"),
    [
        pytest.param(TOKEN, NOTIFICATION, id="ours"),
        pytest.param(TOKEN.upper(), NOTIFICATION, id="folded on the way"),
        pytest.param(leave_token(Keyring("a", RING.keys), NOTIFICATION), NOTIFICATION, id="by a former key"),
        pytest.param(leave_token(Keyring("b", {"b": b"other"}), NOTIFICATION), None, id="by a key that is not ours"),
        pytest.param(return_path_token(RING, NOTIFICATION), None, id="a return path lets nobody leave"),
        pytest.param(TOKEN[:-1], None, id="cut"),
        pytest.param(f"{TOKEN}a", None, id="longer"),
        pytest.param(f"n{TOKEN[1:]}", None, id="of another message"),
        pytest.param("", None, id="none"),
        pytest.param("é" * 33, None, id="not ASCII"),
    ],
)
def test_only_a_handle_that_we_signed_for_leaving_lets_somebody_leave(token: str, found: str | None) -> None:
    assert left_by(RING, token) == found


def test_a_leave_handle_is_no_return_path() -> None:
    assert notification_of(RING, TOKEN) is None


@pytest.mark.parametrize(
    ("bounce", "base", "expected"),
    [
        pytest.param(
            BOUNCE,
            BASE,
            {
                "List-Unsubscribe": f"<{BASE}/leave/{TOKEN}>, <mailto:bounce+{TOKEN}@example.com?subject=leave>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            id="RFC 8058 both ways, https first",
        ),
        pytest.param(
            "",
            f"{BASE}/mail/",
            {
                "List-Unsubscribe": f"<{BASE}/mail/leave/{TOKEN}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            id="no bounce address: https alone, one slash",
        ),
        pytest.param(
            BOUNCE,
            "",
            {"List-Unsubscribe": f"<mailto:bounce+{TOKEN}@example.com?subject=leave>"},
            id="no base: mailto alone, no one-click",
        ),
        pytest.param("", "", {}, id="no way at all"),
        pytest.param(f"{'b' * 31}@example.com", "", {}, id="a local part of 65 octets is no way"),
    ],
)
def test_the_ways_to_leave(bounce: str, base: str, expected: dict[str, str]) -> None:
    found = leave_headers(RING, NOTIFICATION, bounce, base)
    assert {header.name: header.value for header in found} == expected


def test_without_a_key_there_is_no_way_to_leave() -> None:
    assert leave_headers(Keyring(), NOTIFICATION, BOUNCE, BASE) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("news", "<news.example.com>", id="as it is"),
        pytest.param("Summer Offers, 2026!", "<summer-offers-2026.example.com>", id="cleaned"),
        pytest.param("a" * 80, f"<{'a' * 63}.example.com>", id="a label has 63 octets"),
        pytest.param("<x>\r\nBcc: y", "<x-bcc-y.example.com>", id="nothing in it begins a field"),
    ],
)
def test_a_list_has_one_id(name: str, expected: str) -> None:
    assert list_id(name, "example.com") == expected


def test_lists_without_a_plain_letter_have_ids_of_their_own() -> None:
    found = {list_id(name, "example.com") for name in ("ニュース", "お知らせ", "...")}
    assert len(found) == 3
    assert all(re.fullmatch(r"<[a-z2-7]{16}\.example\.com>", one) for one in found)
