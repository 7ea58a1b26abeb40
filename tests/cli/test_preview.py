"""`postroad preview`: what each follower would get of a post, without sending it (F1-F5, O1-O4)."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from postroad_schemas import Event, event_id
from postroad_schemas.chatter import ChatterPosted, ThreadOpened
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.cli.conftest import Running
from tests.dispatch.made import AT

THREAD = "crm.lead/7"
ANNA = Author(contact="anna", address="anna@example.com", name="Anna Agent")


def posted(text: str, **fields: Any) -> ChatterPosted:
    new_id = event_id(text)
    post = Post(author=ANNA, contents=Contents(text=text))
    return ChatterPosted(event_id=new_id, occurred_at=AT, trace_id=new_id, thread=THREAD, post=post, **fields)


@pytest.fixture
def thread(running: Running) -> Running:
    running.good("contact", "add", "anna", "anna@example.com", "--name", "Anna Agent", "--kind", "internal")
    running.good("contact", "add", "ivan", "ivan@example.com", "--kind", "internal", "--channel", "in_app")
    followers = (Follower(contact="anna"), Follower(contact="ivan"), Follower(address="eve@example.net", name="Eve"))
    opened = ThreadOpened(
        event_id="0" * 32, occurred_at=AT, trace_id="0" * 32, thread=THREAD, title="Pens", followers=followers
    )
    running.wait(publish(running, opened, posted("First"), posted("Second")))
    running.wait(running.embedded.idle())
    return running


async def publish(running: Running, *events: Event) -> None:
    await running.embedded.tools.publish(events)


def copies(running: Running) -> list[OutboundSubmitted]:
    return [it.event for it in running.log.records("outbound.submitted")]


def test_a_thread_shows_its_last_post_again(thread: Running) -> None:
    sent = copies(thread)
    lines = {line["who"]: line for line in thread.lines("preview", THREAD)}
    assert {who: (line["channel"], line["reason"]) for who, line in lines.items()} == {
        "anna@example.com": ("none", "author"),
        "ivan@example.com": ("in_app", "in_app"),
        "eve@example.net": ("mail", "follows"),
    }
    assert lines["ivan@example.com"]["copy"] is None
    copy = lines["eve@example.net"]["copy"]
    assert (copy["server"], copy["rule"], copy["recipient"]) == ("default", "no filter", "eve@example.net")
    assert copy["from_before"] == '"Anna Agent" <anna@example.com>'
    assert copy["from_after"] == '"Anna Agent" <notifications@example.com>'
    assert copy["envelope_from"].startswith("bounce+")
    assert copy["reply_to"].startswith('"Pens" <catchall+')
    fields = copy["header"].splitlines()
    assert f"Message-ID: {sent[-1].message_id}" in copy["header"].replace("\n ", " ")
    assert [field for field in ("To: Eve <eve@example.net>", "Subject: Re: Pens") if field not in fields] == []
    assert not [field for field in fields if field.startswith("Content-")]
    assert copies(thread) == sent, "something was sent"


def test_an_event_shows_that_post(thread: Running) -> None:
    first, second = copies(thread)
    said = thread.good("preview", posted("First").event_id)
    assert first.message_id in said.replace("\n  |  ", " ")
    assert second.message_id not in said
    assert "anna@example.com: none (author)" in said.splitlines()
    assert '  by default (no filter), From "Anna Agent" <notifications@example.com>, was "Anna Agent" <anna@' in said


def test_a_post_that_is_not_published_yet(thread: Running, tmp_path: Path) -> None:
    draft = tmp_path / "draft.json"
    post = {"author": {"address": "eve@example.net"}, "subject": "Draft", "notify": [{"address": "carl@example.net"}]}
    draft.write_text(json.dumps({"thread": THREAD, "post": post}))
    lines = {line["who"]: line for line in thread.lines("preview", draft)}
    assert {who: line["reason"] for who, line in lines.items()} == {
        "anna@example.com": "follows",
        "ivan@example.com": "in_app",
        "eve@example.net": "author",
        "carl@example.net": "addressed",
    }
    assert "Subject: Draft\n" in lines["anna@example.com"]["copy"]["header"]
    assert len(copies(thread)) == 2


def test_what_would_not_go_out_says_why(thread: Running) -> None:
    with thread.file.open("a") as file:
        file.write('[[smarthost]]\nname = "mass"\nhost = "m.example"\nstreams = ["bulk"]\n')
    assert thread._run("apply", thread.file).code == os.EX_OK
    copy = next(line["copy"] for line in thread.lines("preview", THREAD) if line["copy"])
    assert copy["unsendable"] == "configuration: no active server for chatter mail"
    assert "  not sent: configuration: no active server for chatter mail" in thread.good("preview", THREAD).splitlines()


def test_a_thread_that_nobody_follows_is_said_to_be_one(thread: Running, tmp_path: Path) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text('{"thread": "crm.lead/9", "post": {"author": {"address": "", "contact": "anna"}}}')
    said = thread("preview", draft)
    assert (said.code, said.out) == (os.EX_OK, "")
    assert said.err == "postroad: nobody is told: crm.lead/9 has no followers but the author, if any\n"


@pytest.mark.parametrize(
    ("what", "code", "reason"),
    [
        pytest.param("crm.lead/8", os.EX_NOINPUT, "no post of this thread", id="a thread without posts"),
        pytest.param("{}", os.EX_DATAERR, "missing required field `thread`", id="no post"),
        pytest.param("[]", os.EX_DATAERR, "a JSON object is needed", id="no object"),
        pytest.param("{", os.EX_DATAERR, "Input data was truncated", id="no JSON"),
        pytest.param('{"type": "thread.opened", "thread": "a/1"}', os.EX_DATAERR, "thread.opened", id="another event"),
    ],
)
def test_what_is_no_post(thread: Running, tmp_path: Path, what: str, code: int, reason: str) -> None:
    given: str | Path = what
    if what[0] in "{[":
        given = tmp_path / "draft.json"
        given.write_text(what)
    said = thread("preview", given)
    assert (said.code, said.out, said.err.count("\n")) == (code, "", 1)
    assert reason in said.err
