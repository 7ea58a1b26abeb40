"""What the doors' settings name by reference is set in every test of this folder."""

import pytest

from tests.ingest.acceptance import TOKEN


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROAD_TEST_TOKEN", TOKEN)
