"""Dispatch: decisions a second of the planner; mails a second to a null sink, beside a bare aiosmtplib loop.

`python -m tests.benchmarks.dispatch` measures all; KIND PORT MAILS CONNECTIONS behind it, one of KINDS in this process.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path

import aiosmtplib
from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postroad.dispatch.attempt import Plan
from postroad.dispatch.choose import choose, serving
from postroad.dispatch.plan import plan
from postroad.dispatch.transports import TRANSPORTS
from postroad.dispatch.worker import WORKER
from postroad.mail.compose import compose
from postroad.runtime.broker import Cluster
from postroad.runtime.config import Config, Kafka
from postroad.runtime.embedded import Embedded
from postroad.runtime.embedded.runner import utcnow
from postroad.runtime.objects import open_store
from postroad.runtime.reach import KafkaReach
from postroad_schemas import event_id
from postroad_schemas.directory import AliasDomain, DkimKey, Smarthost
from postroad_schemas.event import Row
from postroad_schemas.outbound import OutboundSubmitted
from postroad_schemas.values import Contents, Mailbox, Stream
from tests.benchmarks.processes import COMMAND, processor_seconds, running
from tests.dispatch.made import DOMAIN, KEY, RELAY, views_of

MAILS, CONNECTIONS = 5000, 10
_DECISIONS = 50_000
_SERVERS = [Smarthost(name=f"s{n}", host="s.example", from_filter=(f"example{n}.com",)) for n in range(20)]
_TEXT = "What would two hundred chairs cost, and when could they be here?\n" * 25

Done = dict[str, float]


def submission(number: int) -> OutboundSubmitted:
    identity = event_id("bench", str(number))
    return OutboundSubmitted(
        event_id=identity,
        occurred_at=utcnow(),
        trace_id=identity,
        recipient=f"anna{number}@customer{number % 500}.example",
        from_=Mailbox(address="mary@example.com", name="Mary Jones"),
        reply_to=Mailbox(address="catchall+abc@example.com", name="Example Chairs"),
        subject=f"Re: A question, number {number}",
        message_id=f"<{number}@example.com>",
        references=("<first@customer.example>",),
        contents=Contents(text=_TEXT),
        thread="crm.lead/1",
    )


def choices_per_second() -> float:
    """O1 alone."""
    ready = serving(_SERVERS, Stream.CHATTER)
    started = time.perf_counter()
    for number in range(_DECISIONS):
        assert choose(ready, f"mary@example{number % 40}.com", "notifications@example.com")
    return _DECISIONS / (time.perf_counter() - started)


def decisions_per_second() -> float:
    """Plans a second in one process: 20 servers, each From on another one's filter, a return path minted for each."""
    views = views_of(DOMAIN, KEY, *_SERVERS)
    submissions = [submission(number) for number in range(1000)]
    started = time.perf_counter()
    for number in range(_DECISIONS):
        assert isinstance(plan(submissions[number % 1000], views, RELAY), Plan)
    return _DECISIONS / (time.perf_counter() - started)


async def _shared(mails: int, connections: int, one: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(mails))

    async def work() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(connections)))


def _planned(port: int, connections: int, mails: int) -> list[tuple[Plan, bytes]]:
    server = Smarthost(name="sink", host="127.0.0.1", port=port, connections=connections, mails_per_connection=10**6)
    views = views_of(DOMAIN, KEY, server)
    found = []
    for number in range(mails):
        each = submission(number)
        planned = plan(each, views, RELAY)
        assert isinstance(planned, Plan)
        found.append((planned, compose(each, planned.from_after, each.occurred_at, _TEXT, "")))
    return found


async def bare(port: int, mails: int, connections: int) -> Done:
    """The same messages by the client library alone, as many at once."""
    ready = _planned(port, connections, mails)
    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(connections)]
    for client in clients:
        await client.connect()

    async def one(number: int) -> None:
        planned, message = ready[number]
        client = clients.pop()
        await client.sendmail(planned.envelope_from, [planned.recipient], message)
        clients.append(client)

    return await _timed(mails, _shared(mails, connections, one))


async def transport(port: int, mails: int, connections: int) -> Done:
    ready = _planned(port, connections, mails)
    made = TRANSPORTS["smtp"]("client.example", lambda _: None, utcnow, None)

    async def one(number: int) -> None:
        answer = await made.send(*ready[number])
        assert answer.reply.code == 250, answer

    done = await _timed(mails, _shared(mails, connections, one))
    await made.close()
    return done


async def worker(port: int, mails: int, connections: int) -> Done:
    """The whole way, embedded: from a submission in the log to its report in the log."""
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        return await _embedded(Path(folder), rows(port, connections), mails)


async def signed(port: int, mails: int, connections: int) -> Done:
    """The same, with DKIM (RSA-2048)."""
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        return await _embedded(Path(folder), (*rows(port, connections), dkim_key(Path(folder))), mails)


def rows(port: int, connections: int) -> tuple[Row, ...]:
    return (
        AliasDomain(name="example.com", default=True),
        Smarthost(name="sink", host="127.0.0.1", port=port, connections=connections),
    )


def dkim_key(folder: Path) -> DkimKey:
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "dkim.pem").write_bytes(pem)
    return DkimKey(domain="example.com", selector="bench", secret=f"file:{folder}/dkim.pem")


async def _embedded(folder: Path, declared: tuple[Row, ...], mails: int) -> Done:
    embedded = Embedded(folder / "log.sqlite", (WORKER,), open_store(f"file:{folder}/objects"), Config())
    await embedded.start()
    await embedded.publish(declared)
    await embedded.publish([submission(-1)])
    await embedded.idle()
    await embedded.publish([submission(number) for number in range(mails)])
    done = await _timed(mails, embedded.idle())
    relayed = sum(b'"action":"relayed"' in (stored.value or b"") for stored in embedded.read("delivery.reported"))
    await embedded.stop()
    assert relayed == mails + 1, relayed
    return done


async def _timed(mails: int, work: Awaitable[None]) -> Done:
    started, cpu = time.perf_counter(), time.process_time()
    await work
    return {"rate": mails / (time.perf_counter() - started), "cpu_us": (time.process_time() - cpu) / mails * 1e6}


KINDS: dict[str, Callable[[int, int, int], Coroutine[None, None, Done]]] = {
    "bare": bare,
    "transport": transport,
    "worker": worker,
    "signed": signed,
}


def measured(kind: str, port: int, mails: int = MAILS, connections: int = CONNECTIONS) -> Done:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.dispatch", kind, *map(str, (port, mails, connections))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: Done = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def null_sink(*words: str) -> Iterator[int]:
    """Its port."""
    with running(sys.executable, "-m", "tests.benchmarks.null_sink", *words) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextlib.contextmanager
def on_kafka(folder: Path, port: int) -> Iterator[Callable[[int], Done]]:
    """A worker on a single-node broker; called, it has so many mails sent. The directory is written without routing."""
    settings, cluster = folder / "postroad.toml", Cluster.start(folder / "broker", 1)
    try:
        settings.write_text(f'[kafka]\nbootstrap = "{cluster.bootstrap}"\npartitions = 4\nreplication = 1\n')
        with running(*COMMAND, "topics", "apply", "--config", str(settings)) as process:
            assert process.wait(60) == 0
        log = KafkaReach(Config(kafka=Kafka(bootstrap=cluster.bootstrap, partitions=4, replication=1)))
        log.publish(rows(port, CONNECTIONS))
        with running(*COMMAND, "worker", "dispatch", "--config", str(settings), log=folder / "log") as process:
            yield lambda mails: asyncio.run(_through(log, cluster.bootstrap, process.pid, mails))
    finally:
        cluster.stop(grace=1.0)


async def _through(log: KafkaReach, bootstrap: str, pid: int, mails: int) -> Done:
    """Submissions are in the log before the clock starts with the first report."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    async with consumer:
        parts = [TopicPartition("delivery.reported", number) for number in range(4)]

        async def until(wanted: int) -> None:
            async with asyncio.timeout(120):
                while sum((await consumer.end_offsets(parts)).values()) < wanted:  # noqa: ASYNC110  # a broker's
                    await asyncio.sleep(0.005)

        before = sum((await consumer.end_offsets(parts)).values())
        made = [submission(number) for number in range(before, before + mails)]
        sending = asyncio.create_task(asyncio.to_thread(log.publish, made))
        await until(before + 1)
        started, cpu = time.perf_counter(), processor_seconds(pid)
        await until(before + mails)
        done = {"rate": mails / (time.perf_counter() - started), "cpu_us": (processor_seconds(pid) - cpu) / mails * 1e6}
        await sending
        return done


def report(kafka: bool = True) -> Iterator[str]:
    """Lines of figures."""
    yield f"O1, 20 servers         {choices_per_second():9,.0f} choices/s"
    yield f"O1-O5, 20 servers      {decisions_per_second():9,.0f} plans/s"
    with null_sink() as port:
        most = measured("bare", port)
        yield f"bare aiosmtplib        {_shown(most)}"
        for kind, name in (("transport", "transport"), ("worker", "embedded"), ("signed", "embedded, RSA-2048")):
            found = measured(kind, port)
            yield f"{name:22} {_shown(found)}, {found['rate'] / most['rate']:.2f} of bare"
        if kafka:
            with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder, on_kafka(Path(folder), port) as send:
                send(200)
                found = send(MAILS)
            yield f"on Kafka               {_shown(found)}, {found['rate'] / most['rate']:.2f} of bare"
    with null_sink("plain") as port:
        yield f"without PIPELINING     {_shown(measured('transport', port))}"


def _shown(done: Done) -> str:
    return f"{done['rate']:9,.0f} mails/s ({done['cpu_us']:4,.0f} µs of CPU a mail)"


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(asyncio.run(KINDS[sys.argv[1]](*map(int, sys.argv[2:5])))))
    else:
        for line in report():
            print(line, flush=True)
