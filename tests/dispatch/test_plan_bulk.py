"""O6: the lists that bulk mail is of, and the header fields that say so."""

from typing import Any

import pytest

from postroad.dispatch.bulk import as_list_mail, list_of, lists_of
from postroad.dispatch.plan import notification_of
from postroad.mail.leave import left_by
from postroad_schemas.event import Row
from postroad_schemas.outbound import Header
from postroad_schemas.values import Stream
from tests.dispatch.made import DOMAIN, KEY, parameter, submitted, views_of

BASE = parameter("mail.links.base", "https://mail.example.com")
OWN = Header(name="list-id", value="The News <news.shop.example>")


@pytest.mark.parametrize(
    ("fields", "one", "all_"),
    [
        pytest.param({"mailing": "m1", "list_name": "news"}, "news", ("news", "m1"), id="its list, and its mailing"),
        pytest.param({"mailing": "m1"}, "m1", ("m1",), id="no list: the mailing"),
        pytest.param({}, "bulk", ("bulk",), id="neither: bulk mail of no list"),
        pytest.param({"list_name": "news", "headers": (OWN,)}, "news", ("news", "news.shop.example"), id="and List-Id"),
        pytest.param(
            {"list_name": "news", "headers": (Header(name="List-Id", value=" bare "),)},
            "news",
            ("news", "bare"),
            id="a List-Id without brackets",
        ),
    ],
)
def test_the_lists_of_a_message(fields: dict[str, Any], one: str, all_: tuple[str, ...]) -> None:
    submission = submitted(stream=Stream.BULK, **fields)
    assert (list_of(submission), lists_of(submission)) == (one, all_)


@pytest.mark.parametrize("stream", [Stream.CHATTER, Stream.NOTICE])
def test_other_mail_is_of_no_list_and_stays_as_it_is(stream: Stream) -> None:
    submission = submitted(stream=stream, mailing="m1", list_name="news")
    assert list_of(submission) == ""
    assert as_list_mail(submission, "n", views_of(DOMAIN, KEY, BASE)) is submission


@pytest.mark.parametrize(
    ("rows", "own", "names"),
    [
        pytest.param(
            (DOMAIN, KEY, BASE), (), ["List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"], id="all there is"
        ),
        pytest.param((DOMAIN, KEY), (), ["List-Id", "List-Unsubscribe"], id="no base: no one-click"),
        pytest.param((DOMAIN, BASE), (), ["List-Id"], id="no key: no links, which anybody could make"),
        pytest.param((KEY, BASE), (), ["List-Unsubscribe", "List-Unsubscribe-Post"], id="no domain: no id of ours"),
        pytest.param((KEY,), (), [], id="neither"),
        pytest.param(
            (DOMAIN, KEY, BASE),
            (OWN,),
            ["list-id", "List-Unsubscribe", "List-Unsubscribe-Post"],
            id="the app's own List-Id stands",
        ),
        pytest.param(
            (DOMAIN, KEY, BASE),
            (Header(name="LIST-UNSUBSCRIBE", value="<https://shop.example/u>"),),
            ["LIST-UNSUBSCRIBE", "List-Id"],
            id="the app's own links stand, alone",
        ),
    ],
)
def test_what_is_written(rows: tuple[Row, ...], own: tuple[Header, ...], names: list[str]) -> None:
    submission = submitted(stream=Stream.BULK, mailing="news", headers=own)
    made = as_list_mail(submission, notification_of(submission), views_of(*rows))
    assert [header.name for header in made.headers] == names
    assert as_list_mail(made, notification_of(made), views_of(*rows)).headers[: len(names)] == made.headers


def test_the_links_are_of_this_message_for_this_recipient() -> None:
    views = views_of(DOMAIN, KEY, BASE)
    submission = submitted(stream=Stream.BULK, mailing="news")
    made = as_list_mail(submission, notification_of(submission), views)
    link = next(header.value for header in made.headers if header.name == "List-Unsubscribe")
    token = link.partition("/leave/")[2].partition(">")[0]
    assert left_by(views.keys, token) == notification_of(submission)
