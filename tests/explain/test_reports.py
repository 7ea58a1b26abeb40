"""The mails of tests/scenarios/test_reports.py, each explained before it comes."""

from tests.scenarios.test_reports import *  # noqa: F403  # its tests and fixtures, under this folder's story
