"""The clock as a fixture: no test of the engine sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from treetask.testing import VirtualClock


@pytest.fixture
async def virtual_clock(anyio_backend: object) -> AsyncIterator[VirtualClock]:
    """A virtual clock on the test's own event loop."""
    with VirtualClock() as clock:
        yield clock
