"""The mails of tests/scenarios/test_duplicates.py, each explained before it comes."""

from tests.scenarios.test_duplicates import *  # noqa: F403  # its tests and fixtures, under this folder's story
