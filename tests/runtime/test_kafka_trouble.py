"""Kafka's errors as people read them: what to do, and no name of a class."""

import pytest
from aiokafka import errors

from postroad.runtime.config import Kafka
from postroad.runtime.kafka.trouble import at, words

HERE = Kafka(bootstrap="kafka:9092")
WITH_LOGIN = Kafka(bootstrap="kafka:9092", sasl="SCRAM-SHA-512")


@pytest.mark.parametrize(
    ("error", "kafka", "said"),
    [
        pytest.param(errors.KafkaConnectionError("Unable to bootstrap"), HERE, "is [kafka] right?", id="nobody there"),
        pytest.param(errors.KafkaConnectionError("closed"), WITH_LOGIN, "is the login right?", id="or a login refused"),
        pytest.param(ConnectionResetError(), HERE, "nobody answers", id="a connection lost"),
        pytest.param(errors.NodeNotReadyError("Attempt to send"), HERE, "start the brokers", id="a broker away"),
        pytest.param(errors.LeaderNotAvailableError(), HERE, "ask again", id="no leader now"),
        pytest.param(errors.KafkaTimeoutError(), HERE, "no answer in time", id="no answer"),
        pytest.param(TimeoutError(), HERE, "no answer in time", id="no answer within our own limit"),
        pytest.param(errors.NotEnoughReplicasError(), HERE, "too few brokers", id="too few copies"),
        pytest.param(errors.SaslAuthenticationFailed(), WITH_LOGIN, "look at sasl, username", id="a login refused"),
        pytest.param(errors.TopicAuthorizationFailedError(), HERE, "`postroad manifests`", id="no right to a topic"),
        pytest.param(errors.UnknownTopicOrPartitionError(), HERE, "`postroad topics apply`", id="no such topic"),
        pytest.param(errors.MessageSizeTooLargeError(), HERE, "larger than its topic", id="too large"),
        pytest.param(errors.UnsupportedVersionError(), HERE, "Kafka 4 is needed", id="an old broker"),
        pytest.param(errors.KafkaStorageError(), HERE, "its log says why", id="a broken disk"),
        pytest.param(LookupError("there is no topic x: make it"), HERE, "there is no topic x: make it", id="ours"),
    ],
)
def test_an_error_says_what_to_do(error: Exception, kafka: Kafka, said: str) -> None:
    told = words(error, kafka)
    assert said in told
    assert (type(error).__name__ in told, "\n" in told) == (False, False)


@pytest.mark.parametrize(
    ("error", "start"),
    [
        pytest.param(errors.KafkaConnectionError(""), "no Kafka at kafka:9092: ", id="away"),
        pytest.param(TimeoutError(), "Kafka at kafka:9092: ", id="slow"),
        pytest.param(errors.ClusterAuthorizationFailedError(), "Kafka at kafka:9092: ", id="there, but not for us"),
    ],
)
def test_where_it_is(error: Exception, start: str) -> None:
    assert at(error, HERE).startswith(start)


def test_what_nobody_foresaw_is_told_with_its_type() -> None:
    assert words(errors.InvalidTimestampError("x")).startswith("InvalidTimestampError: ")
    assert words(RuntimeError("x")) == "RuntimeError: x"
