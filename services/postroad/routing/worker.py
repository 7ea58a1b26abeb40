"""The routing worker: what becomes of each mail, and the gate of the directory."""

from postroad.routing.core import ROUTING
from postroad.routing.gate import GATE
from postroad.runtime.worker import Worker

WORKER = Worker(name="routing", stages=(ROUTING, GATE), tables=("directory", "contacts", "closed-threads"))
