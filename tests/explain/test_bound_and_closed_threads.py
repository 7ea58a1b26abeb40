"""The mails of tests/scenarios/test_bound_and_closed_threads.py, each explained before it comes."""

from tests.scenarios.test_bound_and_closed_threads import *  # noqa: F403  # its tests and fixtures, under this folder's story
