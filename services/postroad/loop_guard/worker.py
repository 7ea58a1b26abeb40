"""The loop guard as a worker."""

from postroad.loop_guard.budgets import BUDGETS
from postroad.runtime.worker import Worker

WORKER = Worker(name="loop_guard", stages=(BUDGETS,))
