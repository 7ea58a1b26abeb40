"""All workers in one process on one machine: log, states, positions and tables in one SQLite file."""

from postroad.runtime.embedded.log import Stored, hand_in, read_log
from postroad.runtime.embedded.runner import Embedded

__all__ = ["Embedded", "Stored", "hand_in", "read_log"]
