"""Every setting of Faust, in one place. Anything left at its default was looked at too."""

from pathlib import Path

import faust

from postroad.runtime.config import Kafka
from postroad.runtime.faust.overrides import GuardedTables, GuardedTransport, KeptTable
from postroad.runtime.kafka import settings

COMMIT_SECONDS = 0.5
BUFFER = 1024  # events between consumer and agent
REPLICATED = 3  # from so many copies on it is a cluster for production: tables are kept warm on a second worker


def app_for(kafka: Kafka, stage: str, partitions: int, folder: Path) -> faust.App:
    """A Faust app that makes no topics, opens no web server and keeps its tables in memory."""
    server_list = [f"kafka://{server}" for server in settings.servers(kafka)]
    app = faust.App(
        settings.group_of(kafka, stage),
        broker=";".join(server_list),
        broker_credentials=_credentials(kafka),
        consumer_group_instance_id=settings.instance(kafka) or None,
        store="memory://",
        datadir=str(folder),
        key_serializer="raw",
        value_serializer="raw",
        processing_guarantee="at_least_once",
        topic_partitions=partitions,
        topic_replication_factor=kafka.replication,
        topic_allow_declare=False,  # `postroad topics apply` makes them, changelogs too
        topic_disable_leader=True,
        table_standby_replicas=1 if kafka.replication >= REPLICATED else 0,
        broker_commit_interval=COMMIT_SECONDS,
        broker_session_timeout=kafka.session,
        broker_heartbeat_interval=max(0.3, kafka.session / 6),
        broker_rebalance_timeout=kafka.rebalance,
        broker_request_timeout=max(40.0, kafka.rebalance, kafka.session) + 5,
        consumer_auto_offset_reset="earliest",
        producer_request_timeout=kafka.request,
        producer_linger=0,
        producer_max_batch_size=settings.BATCH_BYTES,
        producer_max_request_size=settings.REQUEST_BYTES,
        producer_acks=-1,
        stream_buffer_maxsize=BUFFER,
        stream_wait_empty=False,  # a dropped batch is never acknowledged; the runner itself settles at a revocation
        web_enabled=False,
        TableManager=GuardedTables,
        Table=KeptTable,
    )
    app.transport = GuardedTransport(app.conf.broker_consumer, app)
    app.producer_transport = GuardedTransport(app.conf.broker_producer, app)
    return app


def _credentials(kafka: Kafka) -> faust.SASLCredentials | faust.SSLCredentials | None:
    context, login = settings.tls_context(kafka), settings.sasl(kafka)
    if login is not None:
        return faust.SASLCredentials(
            mechanism=login.mechanism, username=login.username, password=login.password, ssl_context=context
        )
    return None if context is None else faust.SSLCredentials(context)
