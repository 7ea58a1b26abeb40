"""The users of users.yaml may do what workers, operators' commands and apps do, and nothing else.

On a real broker with an authorizer, TLS and SCRAM, as Strimzi sets it up.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from postroad.catalogue.acls import user_of
from postroad.runtime.config import Kafka, load
from postroad.runtime.reach import KafkaReach
from postroad.runtime.worker import Unavailable
from postroad_schemas import Record, event_id
from postroad_schemas.chatter import ChatterPosted, NotificationSent, RecordRequested, ThreadFollowed
from postroad_schemas.values import Author, Contents, Follower, Post
from tests.deploy.documents import Document, documents
from tests.support.secure_broker import PASSWORD, Secure, secure_broker
from tests.support.six import WORKERS, Six, until
from tests.support.smtp_sink import SmtpSink
from tests.support.thread_loop import in_thread

pytestmark = pytest.mark.broker

USERS = [document for document in documents("kafka") if document["kind"] == "KafkaUser"]
RESOURCES = {"topic": 2, "group": 3}  # codes of the protocol
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "DescribeConfigs": 10}
ALLOW = 3
REFUSED = ("Authorization", "this user has no right to")  # the errors' names, and words for people


def told_off(said: str) -> bool:
    return any(words in said for words in REFUSED)


class LoggedIn(Six):
    """Six processes, each under its own user; commands are the operators'."""

    def __init__(self, folder: Path, secure: Secure, relay_port: int) -> None:
        super().__init__(folder, secure.bootstrap, relay_port)
        login = (
            f'[kafka]\ntls = true\nca_file = "{secure.ca_file}"\nsasl = "SCRAM-SHA-512"\n'
            'username = "env:KAFKA_USERNAME"\npassword = "env:KAFKA_PASSWORD"\n'
        )
        self.settings.write_text(self.settings.read_text().replace("[kafka]\n", login))
        self.bootstrap = secure.plain  # where the tests look, who may everything

    def start(self, name: str) -> None:
        with as_user(name):
            super().start(name)

    def postroad(self, *words: str) -> str:
        with as_user("operators"):
            return super().postroad(*words, *(() if words[0] == "apply" else ("--config", str(self.settings))))


@contextlib.contextmanager
def as_user(role: str) -> Iterator[None]:
    with patch.dict(os.environ, KAFKA_USERNAME=user_of(role, Kafka()), KAFKA_PASSWORD=PASSWORD):
        yield


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    users = [document["metadata"]["name"] for document in USERS]
    with secure_broker(tmp_path_factory.mktemp("guarded"), users, guarded=True) as made:
        yield made


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with in_thread(SmtpSink()) as started:
        yield started


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, secure: Secure, sink: SmtpSink) -> Iterator[LoggedIn]:
    made = LoggedIn(tmp_path_factory.mktemp("six"), secure, sink.port)
    asyncio.run(allow(secure, USERS))
    with_all_rights = made.folder / "plain.toml"
    with_all_rights.write_text(f'[kafka]\nbootstrap = "{secure.plain}"\npartitions = 4\nreplication = 1\n')
    Six.postroad(made, "topics", "apply", "--config", str(with_all_rights))
    try:
        for name in WORKERS:
            made.start(name)
        made.wait_for_door()
        made.postroad("apply", str(made.settings))
        yield made
    finally:
        for name in made._processes:
            made.terminate(name)


async def allow(secure: Secure, users: list[Document]) -> None:
    """As Strimzi's user operator does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=secure.plain)
    await admin.start()
    try:
        for user in users:
            for acl in user["spec"]["authorization"]["acls"]:
                for operation in acl["operations"]:
                    resource, who = acl["resource"], f"User:{user['metadata']['name']}"
                    what = (RESOURCES[resource["type"]], resource["name"], PATTERNS[resource["patternType"]])
                    request = CreateAclsRequest(*what, who, "*", OPERATIONS[operation], ALLOW)
                    reply = await admin._client.send(admin._client.get_random_node(), request)
                    assert [code for code, _ in reply.creation_responses] == [0]
    finally:
        await admin.close()


def requested(system: Six, message_id: str) -> RecordRequested | None:
    found = (e for e in system.events("chatter.published") if isinstance(e, RecordRequested))
    return next((e for e in found if e.post.message_id == message_id), None)


def test_mail_goes_all_the_way_round(system: LoggedIn, sink: SmtpSink) -> None:
    message_id = system.send(1)
    opened = until("no record was requested", lambda: requested(system, message_id))
    now, ids = datetime.now(UTC), [event_id("users", step) for step in ("follow", "post")]
    followers = (Follower(address="anna1@customer.example"),)
    post = Post(author=Author(address="", contact="1"), contents=Contents(text="We are on it.\n"))
    events = (
        ThreadFollowed(event_id=ids[0], trace_id=ids[0], occurred_at=now, thread=opened.thread, followers=followers),
        ChatterPosted(event_id=ids[1], trace_id=ids[1], occurred_at=now, thread=opened.thread, post=post),
    )
    with as_user("apps"):
        KafkaReach(load(system.settings)[0]).publish(events)
    until("the customer got no mail", lambda: any("anna1@customer.example" in m.rcpt_tos for m in sink.messages))
    until(
        "nobody says so", lambda: [e for e in system.events("notification.updated") if isinstance(e, NotificationSent)]
    )
    assert [name for name in WORKERS if told_off(system.log(name))] == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["topics", "check"], id="settings of topics"),
        pytest.param(["show"], id="the directory"),
        pytest.param(["dead", "list"], id="dead letters"),
        pytest.param(["held", "list"], id="held mails"),
        pytest.param(["budgets"], id="changelogs, of Faust too"),
        pytest.param(["outbound", "list"], id="what waits"),
        pytest.param(["params", "set", "mail.gateway.loop.threshold", "30"], id="a proposal to the gate"),
    ],
)
def test_operators_may_run_their_commands(system: LoggedIn, words: list[str]) -> None:
    assert not told_off(system.postroad(*words))


@pytest.mark.parametrize(
    ("role", "topic"),
    [
        pytest.param("operators", "directory", id="only the gate writes the directory"),
        pytest.param("apps", "directory", id="apps neither"),
        pytest.param("ingest", "message.settled", id="a door settles nothing"),
        pytest.param("loop_guard", "suppressions", id="the guard bars nobody"),
        pytest.param("apps", "outbound.settled", id="a changelog is its worker's own"),
        pytest.param("dispatch", "bounces.dead", id="letters of another worker"),
    ],
)
def test_nobody_writes_what_is_not_theirs(system: LoggedIn, role: str, topic: str) -> None:
    assert refused(system, role, topic)


def test_who_may_write_does(system: LoggedIn) -> None:
    """The check above sees the difference."""
    assert not refused(system, "operators", "dispatch.dead")


def refused(system: LoggedIn, role: str, topic: str) -> bool:
    """Whether the broker refuses this user a record on this topic."""
    with as_user(role):
        try:
            KafkaReach(load(system.settings)[0]).hand_back([Record(topic, b"key", b"{}", ())])
        except Unavailable as error:
            return told_off(str(error))
    return False
