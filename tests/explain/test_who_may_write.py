"""The mails of tests/scenarios/test_who_may_write.py, each explained before it comes."""

from tests.scenarios.test_who_may_write import *  # noqa: F403  # its tests and fixtures, under this folder's story
