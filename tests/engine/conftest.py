"""No test here sleeps: time is virtual."""

from __future__ import annotations

from tests.engine.block_warnings import reports, watchdog
from tests.virtual_time import pytest_pyfunc_call, virtual_clock

__all__ = ["pytest_pyfunc_call", "reports", "virtual_clock", "watchdog"]
