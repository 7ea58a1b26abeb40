"""The mails of tests/scenarios/test_loop_limits.py, each explained before it comes."""

from tests.scenarios.test_loop_limits import *  # noqa: F403  # its tests and fixtures, under this folder's story
