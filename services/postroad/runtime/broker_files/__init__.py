"""What the development broker is made of: a Java that runs it and the jars, fetched once and checked."""


class BrokerError(Exception):
    """The broker cannot do what was asked; the message is one line that says what to do about it."""
