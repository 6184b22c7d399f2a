"""What the engine does in the world's time, since no other will do: the threads of the tests are really blocked."""

from __future__ import annotations

from tests.engine.block_warnings import reports, watchdog
from tests.virtual_time import pytest_pyfunc_call, virtual_clock

__all__ = ["pytest_pyfunc_call", "reports", "virtual_clock", "watchdog"]
