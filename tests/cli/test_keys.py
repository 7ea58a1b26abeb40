"""`postroad keys`: rotation keeps old replies, retirement ends them (R3)."""

from pathlib import Path

import pytest

from postroad.cli.keys import IDS, after
from postroad.mail.message_id import Flag, Keyring, OwnId, mint
from postroad_schemas.chatter import ChatterPosted, ThreadFollowed
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.cli.conftest import Running

CUSTOMER = "eve@customer.example"


@pytest.fixture
def copy(running: Running) -> OutboundSubmitted:
    """What a follower got of a post on crm.lead/7, signed by key a."""
    now = running.embedded.tools.clock()
    follow, post = ({"event_id": word, "trace_id": word, "occurred_at": now} for word in ("follow", "post"))
    told = Post(author=Author(address="mary@example.com"), contents=Contents(text="We do."))
    followed = ThreadFollowed(**follow, thread="crm.lead/7", followers=(Follower(address=CUSTOMER),))  # type: ignore[arg-type]
    posted = ChatterPosted(**post, thread="crm.lead/7", post=told)  # type: ignore[arg-type]
    running.wait(running.embedded.publish([followed, posted]))
    running.wait(running.embedded.idle())
    (made,) = (it.event for it in running.log.records("outbound.submitted"))
    assert isinstance(made, OutboundSubmitted)
    return made


def threads(running: Running, to: str, **fields: str) -> list[tuple[str, str]]:
    """The rule and the thread of an answer of the customer."""
    (end,) = running.became(running.mail(to=to, sender=CUSTOMER, text=f"Yes. {to} {fields}", **fields))
    return [(end.rule, link.thread) for link in end.links] or [(end.rule, end.outcome)]


def signed_by_a(running: Running) -> str:
    """An id that nobody remembers: only its signature tells whose it is."""
    ring = Keyring("a", {"a": (running.folder / "signing.key").read_bytes()})
    return mint(ring, OwnId("crm.lead/7", "a" * 16, Flag(0), 1_700_000_000), "example.com")


def test_an_old_reply_lands_on_its_thread_until_its_key_is_retired(running: Running, copy: OutboundSubmitted) -> None:
    forgotten = signed_by_a(running)
    told = running.lines("keys", "rotate")
    assert {line["key"]: line["row"]["state"] for line in told} == {
        "signing_key/b": "current",
        "signing_key/a": "accepted",
    }
    assert running.embedded.views.keys.current == "b"
    assert threads(running, "catchall@example.com", In_Reply_To=copy.message_id) == [("R3", "crm.lead/7")]
    assert threads(running, "catchall@example.com", In_Reply_To=forgotten) == [("R3", "crm.lead/7")]

    running.good("keys", "retire", "a")
    assert set(running.embedded.views.keys.keys) == {"b"}
    assert threads(running, "catchall@example.com", References=forgotten) == [("R8", "refused")]
    assert copy.reply_to is not None
    assert threads(running, copy.reply_to.address) == [("R3", "crm.lead/7")], "the handle is looked up"


def test_the_new_key_is_a_file_that_only_its_user_reads(running: Running) -> None:
    running.good("keys", "rotate")
    made = running.folder / "signing-b.key"
    assert (made.stat().st_mode & 0o777, len(made.read_bytes())) == (0o600, 64)
    listed = running.good("keys", "list")
    assert listed.splitlines()[0].startswith("a: accepted, proves, signs no more, since ")
    assert listed.splitlines()[1].startswith("b: current, signs and proves, since ")
    assert made.read_text() not in listed


def test_a_key_by_reference(running: Running, tmp_path: Path) -> None:
    (tmp_path / "other.key").write_text("0" * 64)
    running.good("keys", "rotate", "--secret", f"file:{tmp_path}/other.key")
    assert running.embedded.views.keys.keys["b"] == b"0" * 64


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        pytest.param(["retire", "a"], 65, "`postroad keys rotate` first", id="the one that signs"),
        pytest.param(["retire", "z"], 66, "there is no key z", id="none by this letter"),
        pytest.param(["rotate", "--secret", "env:NO_SUCH_KEY"], 66, "cannot be read", id="a secret that is not there"),
        pytest.param(["rotate", "--secret", "hush"], 64, "write env:NAME or file:PATH", id="a secret as it is"),
        pytest.param(["rotate", "--kafka", "127.0.0.1:1"], 69, "cannot be read", id="a cluster that is not there"),
    ],
)
def test_what_is_refused(running: Running, words: list[str], code: int, reason: str) -> None:
    said = running("keys", *words)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err


def test_ids_are_the_letters_of_base_32_in_order() -> None:
    assert after([])[0] == "a"
    assert after(["a", "c"])[0] == "d"
    assert after(["z"])[0] == "2"
    assert sorted(after(IDS)) == sorted(IDS)
