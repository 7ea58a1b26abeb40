"""What Kafka's client raises, in one sentence for people: what is wrong, and what to do about it."""

from aiokafka import errors

from postroad.runtime.config import Kafka

_NOBODY = "nobody answers; is it running, is [kafka] right"
_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (TimeoutError, errors.KafkaTimeoutError, errors.RequestTimedOutError),
        "no answer in time; are enough brokers running?",
    ),
    (
        (
            errors.NodeNotReadyError,
            errors.BrokerNotAvailableError,
            errors.LeaderNotAvailableError,
            errors.NotLeaderForPartitionError,
            errors.ReplicaNotAvailableError,
            errors.StaleMetadata,
            errors.GroupCoordinatorNotAvailableError,
            errors.CoordinatorNotAvailableError,
            errors.NotCoordinatorForGroupError,
            errors.NotCoordinatorError,
        ),
        "the broker that has it is not ready; start the brokers that are missing, or ask again in a moment",
    ),
    (
        (errors.NotEnoughReplicasError, errors.NotEnoughReplicasAfterAppendError),
        "too few brokers keep a copy now; start those that are missing",
    ),
    (
        (
            errors.AuthenticationFailedError,
            errors.AuthenticationMethodNotSupported,
            errors.SaslAuthenticationFailed,
            errors.UnsupportedSaslMechanismError,
            errors.IllegalSaslStateError,
        ),
        "the login is refused; look at sasl, username and password in [kafka]",
    ),
    (
        (
            errors.TopicAuthorizationFailedError,
            errors.GroupAuthorizationFailedError,
            errors.ClusterAuthorizationFailedError,
        ),
        "this user has no right to; `postroad manifests` lists the rights that it needs",
    ),
    ((errors.UnknownTopicOrPartitionError,), "a topic is not there; `postroad topics apply` makes it"),
    (
        (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError, errors.RecordTooLargeError),
        "a record is larger than its topic takes; `postroad topics apply` sets the size",
    ),
    (
        (errors.UnsupportedVersionError, errors.IncompatibleBrokerVersion, errors.UnrecognizedBrokerVersion),
        "the brokers are of a version that does not fit; Kafka 4 is needed",
    ),
    ((errors.KafkaStorageError,), "a broker cannot use its disk; its log says why"),
)
_AWAY = (errors.KafkaConnectionError, errors.KafkaUnavailableError, errors.NoBrokersAvailable, OSError)


def at(error: BaseException, kafka: Kafka) -> str:
    """The same, and where."""
    away = isinstance(error, _AWAY) and not isinstance(error, TimeoutError)
    return f"{'no ' if away else ''}Kafka at {kafka.bootstrap}: {words(error, kafka)}"


def words(error: BaseException, kafka: Kafka | None = None) -> str:
    """One sentence. What is absent says so itself; what is neither Kafka's nor the network's is told with its type."""
    for kinds, sentence in _WORDS:
        if isinstance(error, kinds):
            return sentence
    if isinstance(error, _AWAY):  # also for a refused login: the client tells of it in its log alone
        return f"{_NOBODY}, is the login right?" if kafka and kafka.sasl else f"{_NOBODY}?"
    if isinstance(error, errors.KafkaError):
        return f"{type(error).__name__}: {error}; the brokers' logs may say why"
    return str(error) if isinstance(error, LookupError) else f"{type(error).__name__}: {error}"
