"""F4: where an answer goes, and how that is shown."""

from datetime import timedelta

import msgspec
import pytest

from postroad.fanout.reply_to import reply_to, shown, with_handle
from postroad.fanout.thread import Thread
from postroad.mail.message_id import is_handle, reply_handle
from postroad_schemas import Row
from postroad_schemas.directory import Alias, AliasDomain, FormerAddress, FormerKind, Match, Parameter
from tests.fanout.facts import NOON, THREAD, views

LEAD = Thread(known=True, record_type="lead", title="Chairs")
OF_TEAM = msgspec.structs.replace(LEAD, owner_thread="team/1")
OTHER = AliasDomain(name="other.example", company="Other")
ANY = Parameter(name="mail.reply_to.any_alias", value="true")


def alias(local_part: str, days: int = 0, **fields: object) -> Alias:
    base = Alias(
        local_part=local_part, domain="example.com", record_type="lead", created_at=NOON + timedelta(days=days)
    )
    return msgspec.structs.replace(base, **fields)


@pytest.mark.parametrize(
    ("state", "rows", "address"),
    [
        pytest.param(LEAD, (), "catchall@example.com", id="catchall"),
        pytest.param(LEAD, (alias("seven", thread=THREAD),), "seven@example.com", id="the alias bound to the thread"),
        pytest.param(
            LEAD, (alias("six", thread="lead/6"),), "catchall@example.com", id="an alias bound to another thread"
        ),
        pytest.param(
            LEAD, (alias("seven", thread=THREAD, active=False),), "catchall@example.com", id="an inactive bound alias"
        ),
        pytest.param(
            OF_TEAM, (alias("seven", thread=THREAD),), "seven@example.com", id="the bound alias comes before the team's"
        ),
        pytest.param(
            msgspec.structs.replace(LEAD, alias="Support@example.com"),
            (),
            "support@example.com",
            id="as the app bound it",
        ),
        pytest.param(
            msgspec.structs.replace(LEAD, alias="nobody@example.com"),
            (),
            "catchall@example.com",
            id="not an alias at all",
        ),
        pytest.param(
            msgspec.structs.replace(LEAD, alias="old@example.com"),
            (
                alias("new"),
                FormerAddress(address="old@example.com", kind=FormerKind.ALIAS, now="new@example.com", since=NOON),
            ),
            "new@example.com",
            id="D9 a bound alias that was renamed",
        ),
        pytest.param(OF_TEAM, (), "sales@example.com", id="the alias of the thread's team"),
        pytest.param(
            OF_TEAM, (alias("older", -1, owner_thread="team/1"),), "older@example.com", id="the team's oldest alias"
        ),
        pytest.param(
            OF_TEAM, (alias("ancient", -9, owner_thread="team/2"),), "sales@example.com", id="not another team's alias"
        ),
        pytest.param(
            OF_TEAM,
            (alias("ancient", -9, owner_thread="team/1", record_type="task"),),
            "sales@example.com",
            id="not the team's alias of another type",
        ),
        pytest.param(
            OF_TEAM,
            (alias("ageless", owner_thread="team/1", created_at=None),),
            "sales@example.com",
            id="an alias without date counts as the newest",
        ),
        pytest.param(
            OF_TEAM,
            (alias("six", -9, owner_thread="team/1", thread="lead/6"),),
            "sales@example.com",
            id="not the team's alias that is bound to another thread",
        ),
        pytest.param(LEAD, (ANY,), "sales@example.com", id="the alias of the model, if the setting says so"),
        pytest.param(
            LEAD,
            (ANY, OTHER, alias("ancient", -9, domain="other.example")),
            "sales@example.com",
            id="the alias of the model, of the record's company first",
        ),
        pytest.param(
            msgspec.structs.replace(LEAD, record_type="task"),
            (ANY,),
            "catchall@example.com",
            id="no alias of the model",
        ),
        pytest.param(
            msgspec.structs.replace(LEAD, domain="other.example"),
            (OTHER,),
            "catchall@other.example",
            id="its company's",
        ),
        pytest.param(
            LEAD,
            (alias("seven", thread=THREAD, domain="", match=Match.LOCAL),),
            "seven@example.com",
            id="an alias without domain on its company's",
        ),
    ],
)
def test_the_address(state: Thread, rows: tuple[Row, ...], address: str) -> None:
    found = views(*rows)
    plain = reply_to(THREAD, state, found, token=False)
    assert plain is not None
    assert plain.address == address
    with_token = reply_to(THREAD, state, found)
    assert with_token is not None
    local, _, domain = address.partition("@")
    assert with_token.address == f"{local}+{reply_handle(found.keys, THREAD)}@{domain}"
    assert with_token.name == plain.name, "lengths are counted without the token"


def test_without_any_domain_there_is_no_address() -> None:
    assert reply_to(THREAD, msgspec.structs.replace(LEAD, record_type="task"), views(domain=False)) is None


@pytest.mark.parametrize(
    ("company", "record", "name"),
    [
        pytest.param("Example", "Chairs", "Example Chairs", id="company and record"),
        pytest.param("", "Chairs", "Chairs", id="no company"),
        pytest.param("Example", "", "Example", id="no record"),
        pytest.param("C" * 20, "R" * 22, f"{'C' * 20} {'R' * 22}", id="exactly 68 characters"),
        pytest.param("C" * 20, "R" * 23, "R" * 23, id="69 characters: the record alone"),
        pytest.param("C" * 20, "R" * 43, "R" * 43, id="the record alone, exactly 68"),
        pytest.param("C" * 20, "R" * 44, "", id="still over: the bare address"),
        pytest.param("C" * 19, '"' + "R" * 21, f'{"C" * 19} "{"R" * 21}', id="68 with an escaped quote"),
        pytest.param("C" * 20, '"' + "R" * 21, '"' + "R" * 21, id="69 with an escaped quote: the record alone"),
    ],
)
def test_the_name_fits_a_line(company: str, record: str, name: str) -> None:
    assert shown(company, record, "catchall@example.com") == name


@pytest.mark.parametrize(
    ("local_part", "carries"),
    [
        pytest.param("a" * 47, True, id="64 octets with the token"),
        pytest.param("a" * 48, False, id="65 octets: as it is"),
        pytest.param("é" * 24, False, id="octets, not characters"),
    ],
)
def test_the_token_fits_the_local_part(local_part: str, carries: bool) -> None:
    address = with_handle(THREAD, f"{local_part}@example.com", views())
    token = address.partition("@")[0].removeprefix(local_part).removeprefix("+")
    assert is_handle(token) is carries
    assert carries or address == f"{local_part}@example.com"


def test_without_a_signing_key_there_is_no_token() -> None:
    assert with_handle(THREAD, "catchall@example.com", views(key=False)) == "catchall@example.com"
