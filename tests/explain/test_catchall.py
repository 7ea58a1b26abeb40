"""The mails of tests/scenarios/test_catchall.py, each explained before it comes."""

from tests.scenarios.test_catchall import *  # noqa: F403  # its tests and fixtures, under this folder's story
