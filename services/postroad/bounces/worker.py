"""Bounce accounting as a worker."""

from postroad.bounces.addresses import ADDRESSES
from postroad.bounces.notifications import NOTIFICATIONS
from postroad.runtime.worker import Worker

WORKER = Worker(name="bounces", stages=(NOTIFICATIONS, ADDRESSES))
