"""Stores as the tests of stores have them, and processes to be killed."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.faults.lives import Lives
from tests.store.conftest import postgresql_url, store_url

__all__ = ["lives", "postgresql_url", "store_url"]


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    """What forks processes that run the pipeline."""
    if sys.platform == "win32":
        pytest.skip("nothing forks, and nothing is killed by a signal")
    lives = Lives()
    yield lives
    lives.close()
